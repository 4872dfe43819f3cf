import { dirname, join, normalize } from 'node:path';
import type { Import } from './imports.ts';

/** The room of a file: where the dependency rule draws its borders. */
export function roomOf(name: string): string {
  const [first, second] = name.split('/') as [string, string | undefined];
  if (first === 'daemon') return /\.[cm]?[jt]sx?$/.test(second ?? '') ? 'daemon' : `daemon/${second}`;
  if (first === 'adapters' || first === 'apps') return `${first}/${second}`;
  return first;
}

const ROOT_ROOMS = ['daemon/compose', 'cli', 'bin', 'scripts', 'bench', 'test', 'vitest.config.ts'];
const SUPERVISOR_ROOMS = ['daemon', 'daemon/cell', 'daemon/supervisor', 'daemon/config'];

/** The rooms of the runtime, lowest first; `daemon/runtime/README.md` says what lives in each. */
export const RUNTIME_ROOMS = [
  ...[
    'phrases',
    'runs',
    'law',
    'trace',
    'governance',
    'gate',
    'robot',
    'tools',
    'flow',
    'intents',
    'attempt',
    'loop',
  ],
  ...['remote', 'models', 'queue', 'control', 'planning', 'chat', 'replay', 'schedule', 'skills', 'trees'],
  ...['packages', 'webhook', 'root'],
];

/** Cells: the execution cell, the runtime, the lake, the API, the link. */
const CELLS = ['daemon/execution', 'daemon/runtime', 'daemon/memory', 'daemon/http', 'central-link'];

/** What each room may import besides itself. `undefined`: anything. */
function allowed(room: string): readonly string[] | undefined {
  if (ROOT_ROOMS.includes(room)) return undefined;
  if (room === 'contract') return [];
  if (room === 'formats' || room === 'history') return ['contract'];
  if (room === 'io') return ['contract', 'formats'];
  // A package is copied to where it runs: it reaches nothing by a path.
  if (room.startsWith('apps/')) return [];
  if (room === 'sim') return ['contract', 'formats'];
  // The client of the API starts a daemon as a process; it never loads one.
  if (room === 'daemon/client') return ['contract', ...SUPERVISOR_ROOMS];
  // The daemon's own frame: the supervisor, what a cell is, the configuration. Never a cell, never an adapter.
  if (SUPERVISOR_ROOMS.includes(room)) return ['contract', 'io', ...SUPERVISOR_ROOMS];
  return ['contract', 'formats', 'io', 'history'];
}

/** Rooms that the command line reaches through the composition only. */
export function isInner(room: string): boolean {
  return CELLS.includes(room) || room.startsWith('apps/');
}

/** Programs that import the daemon: nothing of it imports them. */
const BESIDE = ['bin', 'scripts', 'test', 'bench', 'docs', 'vitest.config.ts'];

/** What a room of the composition never imports, whatever else it may. */
function forbidden(room: string, target: string): boolean {
  if (room === 'cli') return isInner(target) || BESIDE.includes(target);
  if (room === 'daemon/compose') return ['cli', ...BESIDE].includes(target);
  return false;
}

/** Entry files of processes and worker threads make their own clock: no caller is there to inject one. */
function isEntry(name: string): boolean {
  return /(?:^|\/)(?:host|main|[a-z-]+-main)\.ts$/.test(name);
}

/** The names that `package.json` exports: each is a way to a file. */
const EXPORTED: Readonly<Record<string, string>> = {
  'auraison-edge': 'contract/index.ts',
  'auraison-edge/sdk': 'cli/sdk/index.ts',
  'auraison-edge/package.json': 'package.json',
};

export function isPublic(specifier: string): boolean {
  return Object.hasOwn(EXPORTED, specifier);
}

/** The file of this repository that a specifier names, from the root. Undefined: a package, or Node. */
export function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  return EXPORTED[specifier];
}

/** Whether the arrow lets a file import what a specifier names. Packages are a matter of other rules. */
function mayImport(from: string, specifier: string): boolean {
  const target = targetOf(from, specifier);
  // Every room may know the contract by its public name; a package knows it by nothing else.
  if (target === undefined || specifier === 'auraison-edge') return true;
  const [room, there] = [roomOf(from), roomOf(target)];
  // Examples are programs of a user.
  if (room === 'docs' && isPublic(specifier)) return true;
  if (isEntry(from) && there === 'adapters/clock') return true;
  // The entries of the daemon and of a cell: a clock, and what is composed.
  if (room === 'daemon' && isEntry(from) && there === 'daemon/compose') return true;
  if (forbidden(room, there)) return false;
  const may = allowed(room);
  return there === room || may === undefined || may.includes(there) || there === 'package.json';
}

/** Names that Node would read in another way than `join` does: escapes, addresses, ways up in the middle. */
const PLAIN = /^(?:node:)?[\w@.~/-]+$/;
const UP = /[^./]\/(?:.*\/)?\.\.(?:\/|$)|^\//;

/** Imports against the arrow, and imports whose name says not plainly where they lead, as `file: specifier`. */
export function againstTheArrow(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, specifier }) => {
      const isPlain = PLAIN.test(specifier) && !UP.test(specifier);
      return (!isPlain && !isBeside(from)) || !mayImport(from, specifier);
    })
    .map(({ from, specifier }) => `${from}: ${specifier}`);
}

/** Programs beside the daemon: they load what they like, and no room hangs on them. */
export function isBeside(name: string): boolean {
  return ['test', 'bench', 'scripts', 'docs', 'vitest.config.ts'].includes(roomOf(name));
}
