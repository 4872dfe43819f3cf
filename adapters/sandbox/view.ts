import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { SandboxCommand, SandboxDoor, SandboxProfile } from '../../contract/core.ts';
import { findProgram } from './programs.ts';
import { refused } from './refuse.ts';
import type { Scratch } from './scratch.ts';

/** What a sandbox sees of files: binds of this host in this order, links, and texts that were written for it. */
export type Mount =
  | { readonly kind: 'bind'; readonly from: string; readonly to: string; readonly write: boolean }
  | { readonly kind: 'link'; readonly target: string; readonly to: string };

export type View = {
  readonly mounts: readonly Mount[];
  /** What opens the doors inside; the program follows as its arguments. Empty: no doors. */
  readonly before: readonly string[];
  /** The program and its arguments inside. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Sockets that lead to the outside, in the folder `doors` of the scratch. */
  readonly doors: readonly (SandboxDoor & { readonly socket: string })[];
  /** Whether a port below 1024 is listened at inside. */
  readonly lowPorts: boolean;
};

export type ViewParts = {
  readonly profile: SandboxProfile;
  readonly command: SandboxCommand;
  readonly scratch: Scratch;
  /** Never shown: what it holds belongs to the daemon. */
  readonly dataDir: string;
  readonly uid: number;
};

/** Libraries and programs of the host, and what they need to find each other; no passwords, no keys. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const SYSTEM_FILES = [
  ...[
    '/etc/alternatives',
    '/etc/ca-certificates',
    '/etc/ld.so.cache',
    '/etc/ld.so.conf',
    '/etc/ld.so.conf.d',
  ],
  ...['/etc/localtime', '/etc/mime.types', '/etc/pki/ca-trust', '/etc/pki/tls/certs', '/etc/ssl/certs'],
  ...['/etc/ssl/openssl.cnf', '/etc/timezone'],
];
/** What the sandbox has of its own; nothing of the host is shown there. */
const OWN = ['/proc', '/sys', '/dev', '/run', '/var/run', '/boot'];
const INSIDE = '/run/auraison';
const FORWARD = join(import.meta.dirname, 'forward-main.ts');
/** Where names of the outside lead to inside; 127.0.0.1 stands for that of the host. */
const DOOR_NETWORK = '127.1.0';

/** Throws `config.invalid` for what cannot be shown or started; secrets are read here. */
export function viewOf(parts: ViewParts): View {
  const { profile, command } = parts;
  const mounts = [...systemMounts(), ...profileMounts(parts)];
  const doors = doorsOf(profile, command);
  mounts.push(...textMounts(parts, doors), ...secretMounts(parts));
  const program = programOf(parts, mounts);
  const folder = command.folder ?? '/tmp';
  if (folder !== '/tmp' && !isVisible(folder, mounts))
    throw refused(
      profile.name,
      `the folder ${folder} is not in the sandbox`,
      `add it to read_only or read_write of the profile ${profile.name}`,
    );
  const variables = profile.secrets.filter((secret) => secret.as === 'variable');
  return {
    mounts,
    doors,
    folder,
    before: forwardArgs(doors),
    program: [program, ...command.args],
    env: {
      ...command.env,
      ...{ HOME: '/tmp', TMPDIR: '/tmp', USER: 'sandbox' },
      ...Object.fromEntries(variables.map((secret) => [secret.name, secret.read()])),
    },
    lowPorts: doors.some(({ port }) => port < 1_024),
  };
}

function systemMounts(): Mount[] {
  const mounts: Mount[] = [];
  for (const path of [...SYSTEM, ...SYSTEM_FILES]) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    if (found.isSymbolicLink() && SYSTEM.includes(path))
      mounts.push({ kind: 'link', target: readlinkSync(path), to: path });
    else if (existsSync(path))
      mounts.push({ kind: 'bind', from: realpathSync(path), to: path, write: false });
  }
  return mounts;
}

/** Parents before what lies in them. */
function profileMounts({ profile, command, dataDir }: ViewParts): Mount[] {
  const all = [
    ...profile.readOnly.map((path) => ({ path, write: false, own: false })),
    ...profile.readWrite.map((path) => ({ path, write: true, own: false })),
    ...(command.readOnly ?? []).map((path) => ({ path, write: false, own: true })),
    ...(command.file === process.execPath ? [{ path: command.file, write: false, own: true }] : []),
  ];
  for (const { path, own } of all) if (!own) checkPath(profile.name, path, dataDir);
  return all
    .toSorted((one, other) => one.path.length - other.path.length)
    .map(({ path, write }) => ({ kind: 'bind', from: realpathSync(path), to: path, write }));
}

/** Throws `config.invalid` for a path that is not given to sandboxes. */
export function checkPath(profile: string, path: string, dataDir: string): void {
  const no = (message: string, hint: string) => refused(profile, `${path} ${message}`, hint);
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith('/'))
    throw no('is not a plain absolute path', 'write it as /srv/notes, without a slash at its end');
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw no('does not exist', 'make it, or take it out of the profile');
  if (!found.isDirectory() && !found.isFile())
    throw no('is neither a folder nor a file', 'sockets and devices are not given to sandboxes');
  const real = realpathSync(path);
  // Who may write where a link lies could lead it elsewhere.
  if (real !== path) throw no('leads elsewhere by a link', `name ${real}`);
  if (OWN.some((own) => isWithin(path, own)) || path === '/etc')
    throw no('is not given to sandboxes', 'name the folder or file that the program needs');
  const data = existsSync(dataDir) ? realpathSync(dataDir) : dataDir;
  if (isWithin(path, data) || isWithin(data, path))
    throw no(`holds data of the daemon (${data})`, 'give the program a folder outside of daemon.data_dir');
}

function doorsOf(profile: SandboxProfile, command: SandboxCommand): View['doors'] {
  const doors = [...profile.network, ...(command.doors ?? [])];
  const places = new Set(doors.map(({ name, port }) => `${name}:${port}`));
  return [...places].map((place, index) => ({
    ...doors.find(({ name, port }) => `${name}:${port}` === place)!,
    socket: `${index}`,
  }));
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '127.0.0.1';
}

/** One address inside for each name. */
function addressOf(name: string, doors: View['doors']): string {
  if (isLoopback(name)) return '127.0.0.1';
  const names = [...new Set(doors.map((door) => door.name).filter((one) => !isLoopback(one)))];
  return `${DOOR_NETWORK}.${names.indexOf(name) + 1}`;
}

function forwardArgs(doors: View['doors']): readonly string[] {
  if (doors.length === 0) return [];
  const listens = doors.map(
    ({ name, port, socket }) => `${addressOf(name, doors)}:${port}=${INSIDE}/doors/${socket}`,
  );
  return [`${INSIDE}/node`, `${INSIDE}/forward.mts`, ...listens, '--'];
}

function textMounts({ scratch, uid }: ViewParts, doors: View['doors']): Mount[] {
  const hosts = [...new Set(doors.map(({ name }) => name))].map(
    (name) => `${addressOf(name, doors)} ${name}\n`,
  );
  const text = (to: string, content: string): Mount => ({
    ...{ kind: 'bind', to, write: false },
    from: scratch.write(to.slice(1), content),
  });
  return [
    text('/etc/passwd', `sandbox:x:${uid}:${uid}:sandbox:/tmp:/bin/sh\n`),
    text('/etc/group', `sandbox:x:${uid}:\n`),
    text('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n'),
    text('/etc/hosts', `127.0.0.1 localhost sandbox\n${hosts.join('')}`),
    ...(doors.length === 0
      ? []
      : [
          ...[
            { from: process.execPath, to: `${INSIDE}/node` },
            { from: FORWARD, to: `${INSIDE}/forward.mts` },
            { from: scratch.folder('doors'), to: `${INSIDE}/doors` },
          ].map(({ from, to }): Mount => ({ kind: 'bind', from, to, write: false })),
        ]),
  ];
}

function secretMounts({ profile, scratch }: ViewParts): Mount[] {
  return profile.secrets
    .filter((secret) => secret.as === 'file')
    .map((secret) => ({
      ...{ kind: 'bind', to: `/run/secrets/${secret.name}`, write: false },
      from: scratch.write(`secrets/${secret.name}`, secret.read()),
    }));
}

/** The program as it is found inside. */
function programOf({ profile, command }: ViewParts, mounts: readonly Mount[]): string {
  const { file, env } = command;
  const found = findProgram(file, env['PATH'] ?? '/usr/bin:/bin');
  if (found === undefined)
    throw refused(profile.name, `${file} is not a program of this host`, 'install it, or fix the command');
  if (!isVisible(found, mounts))
    throw refused(
      profile.name,
      `the program ${found} is not in the sandbox`,
      `add ${dirname(found)} to read_only of the profile ${profile.name}`,
    );
  return found;
}

function isVisible(path: string, mounts: readonly Mount[]): boolean {
  const real = existsSync(path) ? realpathSync(path) : path;
  return [path, real].every((one) =>
    mounts.some((mount) => isWithin(one, mount.to) || (mount.kind === 'bind' && isWithin(one, mount.from))),
  );
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
