import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { outsidePaths } from './support/outside-paths.ts';

/** Style is a test: the dependency rule, one room per vendor, file sizes, banned calls, no machine paths. */
const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((name) => name !== '');
const sources = files.filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'));
const text = new Map(sources.flatMap((name) => readMaybe(name)));

function readMaybe(name: string): [string, string][] {
  try {
    return [[name, readFileSync(join(root, name), 'utf8')]];
  } catch {
    return []; // deleted in the work tree, not yet in the index
  }
}

/** The room of a file: where the dependency rule draws its borders. */
function roomOf(name: string): string {
  const [first, second] = name.split('/') as [string, string | undefined];
  if (first === 'daemon') return /\.ts$/.test(second ?? '') ? 'daemon' : `daemon/${second}`;
  if (first === 'adapters' || first === 'apps') return `${first}/${second}`;
  return first;
}

const ROOT_ROOMS = ['daemon/compose', 'cli', 'bin', 'scripts', 'bench', 'test', 'vitest.config.ts'];
const SUPERVISOR_ROOMS = ['daemon', 'daemon/cell', 'daemon/supervisor', 'daemon/config'];

/** The rooms of the runtime, lowest first; `daemon/runtime/README.md` says what lives in each. */
const RUNTIME_ROOMS = [
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

/** What a room of the composition never imports, whatever else it may. */
function forbidden(room: string, target: string): boolean {
  if (room === 'cli')
    return (
      CELLS.includes(target) || target.startsWith('apps/') || ['scripts', 'test', 'bench'].includes(target)
    );
  if (room === 'daemon/compose') return ['cli', 'bin', 'scripts', 'test', 'bench'].includes(target);
  return false;
}

/** Entry files of processes and worker threads make their own clock: nobody is there to inject one. */
function isEntry(name: string): boolean {
  return /(?:^|\/)(?:host|main|[a-z-]+-main)\.ts$/.test(name);
}

type Import = { readonly from: string; readonly specifier: string; readonly typeOnly: boolean };

function importsOf(name: string): Import[] {
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(import|export)(\s+type)?\s[^;'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g;
  for (const match of (text.get(name) ?? '').matchAll(pattern)) {
    found.push({
      from: name,
      specifier: (match[3] ?? match[4] ?? match[5])!,
      typeOnly: match[2] !== undefined,
    });
  }
  return found;
}

const imports = sources.flatMap(importsOf);
const own = imports.filter((i) => i.specifier.startsWith('.'));
/** Packages know the contract by its public name, wherever they lie. */
const DOOR = 'auraison-edge';
const vendors = imports.filter(
  (i) => !i.specifier.startsWith('.') && !i.specifier.startsWith('node:') && i.specifier !== DOOR,
);

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

describe('the dependency rule', () => {
  it('is kept by every import between rooms', () => {
    const broken = own.flatMap(({ from, specifier }) => {
      const target = roomOf(normalize(join(dirname(from), specifier)));
      const room = roomOf(from);
      const may = allowed(room);
      if (isEntry(from) && target === 'adapters/clock') return [];
      // The entries of the daemon and of a cell: a clock, and what is composed.
      if (room === 'daemon' && isEntry(from) && target === 'daemon/compose') return [];
      if (forbidden(room, target)) return [`${from} imports ${specifier} (${room} -> ${target})`];
      return target === room || may === undefined || may.includes(target) || target === 'package.json'
        ? []
        : [`${from} imports ${specifier} (${room} -> ${target})`];
    });
    expect(broken).toEqual([]);
  });

  it('has one direction within the runtime: a room imports only rooms named before it', () => {
    const roomIn = (name: string) => (name.split('/').length > 3 ? name.split('/')[2]! : 'root');
    const within = own.flatMap(({ from, specifier }) => {
      const target = normalize(join(dirname(from), specifier));
      return [from, target].every((name) => name.startsWith('daemon/runtime/')) ? [{ from, target }] : [];
    });
    const broken = within.filter(
      ({ from, target }) => RUNTIME_ROOMS.indexOf(roomIn(target)) > RUNTIME_ROOMS.indexOf(roomIn(from)),
    );
    expect(broken).toEqual([]);
    const unknown = within.filter(({ from }) => !RUNTIME_ROOMS.includes(roomIn(from)));
    expect(unknown).toEqual([]);
  });

  it('lets each vendor package into exactly one room', () => {
    const rooms = new Map<string, Set<string>>();
    for (const { from, specifier } of vendors) {
      const room = roomOf(from);
      if (['test', 'bench', 'scripts', 'docs', 'vitest.config.ts'].includes(room)) continue;
      // The pages are a program of their own, in a browser: they read messages as the daemon does.
      if (room === 'console' && specifier.startsWith('@foxglove/')) continue;
      const vendor = packageOf(specifier);
      // Schemas are the contract's language; everybody else takes them from `contract/schema-kit.ts`.
      rooms.set(vendor, (rooms.get(vendor) ?? new Set()).add(room));
    }
    const spread = [...rooms]
      .filter(([, set]) => set.size > 1)
      .map(([vendor, set]) => `${vendor}: ${[...set].join(', ')}`);
    expect(spread).toEqual([]);
    expect([...rooms.keys()].length).toBeGreaterThan(5);
  });

  it('lets one vendor into a room of adapters', () => {
    const rooms = new Map<string, Set<string>>();
    for (const { from, specifier } of vendors) {
      const room = roomOf(from);
      if (!room.startsWith('adapters/')) continue;
      const vendor = packageOf(specifier);
      const family = vendor.startsWith('@') ? vendor.split('/')[0]! : vendor;
      rooms.set(room, (rooms.get(room) ?? new Set()).add(family));
    }
    const several = [...rooms].filter(([, set]) => set.size > 1);
    // ROS names its publishers in Zenoh by an XXH128 hash: the one second package of an adapter.
    expect(several).toEqual([['adapters/zenoh', new Set(['@eclipse-zenoh', 'hash-wasm'])]]);
  });

  it('is not passed by in a path that is no import', () => {
    const strange = sources
      .filter((name) => name.startsWith('cli/'))
      .filter((name) =>
        /['"](?:\.\.\/)+(?:apps|scripts|daemon\/(?:execution|runtime|memory|http))\b/.test(text.get(name)!),
      );
    expect(strange).toEqual([]);
  });

  it('keeps vendors and Node out of the contract', () => {
    const strangers = imports.filter(
      (i) =>
        roomOf(i.from) === 'contract' &&
        !i.from.startsWith('contract/tools/') &&
        !i.specifier.startsWith('.') &&
        packageOf(i.specifier) !== 'typebox',
    );
    expect(strangers).toEqual([]);
  });
});

describe('files', () => {
  it('stay small: 400 lines at most', () => {
    const long = sources
      .map((name) => ({ name, lines: (text.get(name) ?? '').split('\n').length }))
      .filter(({ lines }) => lines > 401);
    expect(long).toEqual([]);
  });

  it('of the runtime lie in rooms, each with a README', () => {
    const inRoom = (room: string) =>
      sources.filter((name) => dirname(name) === `daemon/runtime${room === 'root' ? '' : `/${room}`}`);
    const full = RUNTIME_ROOMS.map((room) => ({ room, files: inRoom(room).length })).filter(
      ({ room, files: count }) => count > (room === 'root' ? 6 : 20),
    );
    expect(full).toEqual([]);
    const silent = RUNTIME_ROOMS.filter(
      (room) => room !== 'root' && !files.includes(`daemon/runtime/${room}/README.md`),
    );
    expect(silent).toEqual([]);
  });

  it('are introduced: every room opens with a README', () => {
    const rooms = new Set(
      sources.map(roomOf).filter((room) => !['vitest.config.ts', 'bin', 'docs'].includes(room)),
    );
    const folders = [
      ...rooms,
      ...sources
        .map((name) => dirname(name))
        .filter((name) => /^(?:formats|daemon\/(?:execution|runtime))\/[^/]+$/.test(name)),
    ];
    const silent = [...new Set(folders)].filter((room) => !files.includes(`${room}/README.md`));
    expect(silent).toEqual([]);
  });

  it('have kebab-case names', () => {
    const odd = sources.filter((name) => !/^[a-z0-9.-]+$/.test(name.split('/').at(-1)!));
    expect(odd).toEqual([]);
  });

  it('are erasable TypeScript with import endings', () => {
    const bare = own.filter((i) => !/\.(tsx?|css|json|node|mjs|js|cjs)$/.test(i.specifier));
    expect(bare).toEqual([]);
  });

  it('hold no path of one machine and no unfinished marks', () => {
    const marks = files
      .filter(
        (name) =>
          /\.(tsx?|mjs|sh|py|md|toml|json|yaml|yml|rs|service|html|js)$/.test(name) &&
          !name.endsWith('package-lock.json') &&
          !name.startsWith('console/built/') &&
          name !== 'test/tidy.test.ts',
      )
      .flatMap((name) => readMaybe(name))
      .flatMap(([name, body]) =>
        /(?:^|[\s"'`(=])\/(?:work|farm|root|home\/[a-z]+)\/|\b(?:TODO|FIXME|XXX)\b/.test(body) ? [name] : [],
      );
    expect(marks).toEqual([]);
  });
});

describe('a clone with nothing beside it', () => {
  it('is all that tests, scripts and benches read', () => {
    const outside = files
      .filter((name) => /^(?:test|scripts|bench|\.ci)\//.test(name) && name !== 'test/tidy.test.ts')
      .filter((name) => name !== 'test/support/outside-paths.ts')
      .flatMap((name) => readMaybe(name))
      .flatMap(([name, body]) => outsidePaths(name, body));
    expect(outside).toEqual([]);
  });

  it.each([
    ['test/unit/a.test.ts', `join(import.meta.dirname, '..', '..', '..', 'data')`],
    ['test/unit/a.test.ts', `new URL('../../../data/one.db3', import.meta.url)`],
    ['test/unit/a.test.ts', `import { a } from '../../../other/a.ts';`],
    ['test/integration/a.test.ts', `const real = join(ROOT, '..', 'data');`],
    ['test/integration/a.test.ts', `const real = resolve(\n  root,\n  '../data',\n);`],
    ['test/peers/a.sh', `cp "$here/../../../data" .`],
    ['test/peers/a.sh', `cp "$repo/../data" .`],
    ['.ci/run', `cd "$(dirname "$0")/../.."`],
    ['test/peers/a.py', `Path(__file__).resolve().parents[3]`],
    ['bench/a.ts', `// as in ../shared/data`],
  ])('%s: %s is seen to leave it', (name, body) => {
    expect(outsidePaths(name, body)).toHaveLength(1);
  });

  it.each([
    ['test/unit/a.test.ts', `join(import.meta.dirname, '..', '..', 'docs')`],
    ['test/unit/a.test.ts', `new URL('../../docs/a.md', import.meta.url)`],
    ['.ci/run', `cd "$(dirname "$0")/.."`],
    ['test/peers/a.sh', `here="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"; cat "$here/../../docs"`],
    ['test/peers/a.py', `Path(__file__).resolve().parents[2]`],
  ])('%s: %s stays inside', (name, body) => {
    expect(outsidePaths(name, body)).toEqual([]);
  });
});

describe('calls', () => {
  const rooms = (name: string) => roomOf(name);
  /** Places that may touch real time: the clock adapter, and code that is not the daemon. */
  const timeIsFree = (name: string) =>
    ['test', 'bench', 'scripts', 'cli', 'bin', 'clients', 'console', 'daemon/client'].includes(rooms(name)) ||
    name.startsWith('adapters/clock/');

  it('read no clock and start no timer outside the clock adapter', () => {
    const banned =
      /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(?:Timeout|Interval)\(|\bMath\.random\(/;
    expect(offenders(banned, (name) => !timeIsFree(name))).toEqual([]);
  });

  it('print nothing outside the CLI', () => {
    expect(
      offenders(
        /\bconsole\.\w+\(/,
        (name) => !['test', 'bench', 'scripts', 'cli', 'bin', 'clients'].includes(rooms(name)),
      ),
    ).toEqual([]);
  });

  it('skip no test and focus none', () => {
    expect(
      offenders(
        /\b(?:it|test|describe)\.(?:only|skip|todo)\(/,
        (name) => name.endsWith('.test.ts') && name !== 'test/tidy.test.ts',
      ),
    ).toEqual([]);
  });

  function offenders(pattern: RegExp, where: (name: string) => boolean): string[] {
    return sources
      .filter(where)
      .flatMap((name) =>
        (text.get(name) ?? '')
          .split('\n')
          .flatMap((line, index) =>
            pattern.test(stripComment(line)) && !line.includes('tidy: allowed')
              ? [`${name}:${index + 1}: ${line.trim()}`]
              : [],
          ),
      );
  }

  function stripComment(line: string): string {
    return line.trimStart().startsWith('*') || line.trimStart().startsWith('/') ? '' : line;
  }
});

describe('the door of the execution cell', () => {
  const cell = sources.filter(
    (name) => name.startsWith('daemon/execution/') || name.startsWith('daemon/compose/'),
  );
  /** Files outside the door whose code, comments aside, fits the pattern. */
  const outside = (pattern: RegExp, except: readonly string[] = []) =>
    cell.filter(
      (name) =>
        !name.startsWith('daemon/execution/door/') &&
        !except.includes(name) &&
        pattern.test((text.get(name) ?? '').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')),
    );

  it('is the only one that holds the sink of a robot: everything else has a path or a sink that takes permits', () => {
    expect(outside(/\bSampleSink\b/)).toEqual([]);
    // Where the adapters are made, each is put behind a RobotSink in the same expression.
    const sinks = /new (?:RosSink|RosZenohSink|KeySpaceSink)\(/;
    const makers = ['daemon/compose/ros-io.ts', 'daemon/compose/ros-zenoh.ts', 'daemon/compose/bag-play.ts'];
    expect(outside(sinks, makers)).toEqual([]);
    const bare = makers.filter((name) =>
      /(?<!new RobotSink\()new (?:RosSink|RosZenohSink|KeySpaceSink)\(/.test(text.get(name)!),
    );
    expect(bare).toEqual([]);
  });

  it('is the only one that makes permits', () => {
    expect(outside(/\bnew Permit\(|\bnew Door\(/, ['daemon/execution/safety/safety-desk.ts'])).toEqual([]);
  });

  it('is asked before goals and calls of others reach the ROS graph', () => {
    const callers = outside(/\bservices\.call\(|\bactions\.send\(/);
    // The last one records what others send.
    const known = ['ros-goals.ts', 'ros-requests.ts', 'story/executed-goals.ts'];
    expect(callers.toSorted()).toEqual(known.map((name) => `daemon/execution/${name}`));
    expect(text.get('daemon/execution/ros-requests.ts')).toMatch(/calls\.call\([\s\S]*services\.call\(/);
  });

  it('is asked before a value goes to a key of Zenoh', () => {
    // Beacons go under a name of our own, which no robot hears.
    expect(outside(/\.put\(\s*(?:lane|`)/)).toEqual([
      'daemon/execution/routes/beacons.ts',
      'daemon/execution/routes/zenoh-outlet.ts',
    ]);
  });
});
