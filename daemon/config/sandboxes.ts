import { SANDBOX_LIMITS, type SandboxDoor } from '../../contract/core.ts';
import { type KeyFault, type NamedRows, type RowFault, readNamedRows } from './named-rows.ts';
import { choice, integer, number, quantity, text, texts } from './spec.ts';

const GIB = 1024 ** 3;
const PLACE = /^(?:([A-Za-z0-9.-]{1,253})=)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/;
const SECRET = /^([A-Za-z_][A-Za-z0-9_.-]{0,63})=(\S.*)$/;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]{0,63})=(\S.*)$/;
const ABSOLUTE = { match: /^\/.+$/, expected: 'absolute paths, for example ["/srv/notes"]' };

/** Rows of `[[sandboxes]]`: their keys, defaults and meaning. What a row does not name is not there inside. */
export const SANDBOX_ROW_KEYS = {
  name: text('', 'name of the profile: [[mcp.servers]], [[runtimes.accept]] and [apps] name it', {
    match: /^[a-z0-9][a-z0-9-]{0,31}$/,
    expected: 'a name of lower-case letters, digits and dashes, at most 32',
  }),
  provider: choice(
    ['bubblewrap', 'oci', 'docker', 'podman', 'kubernetes'],
    'bubblewrap',
    'what holds it; auraison doctor says which of them work here',
  ),
  read_only: texts([], 'files and folders of this host that it may read', ABSOLUTE),
  read_write: texts([], 'and those that it may change', ABSOLUTE),
  network: texts(
    [],
    'what it may reach by TCP: "HOST:PORT", or "NAME=HOST:PORT" where it has another name inside; empty: no network',
    { match: PLACE, expected: 'a list of "HOST:PORT" or "NAME=HOST:PORT"' },
  ),
  processor: number(0, 'processors that it may use, for example 0.5; 0: no limit', 0, 1_024),
  memory: quantity('size', '1 GiB', 'memory of all of it; see docs/sandboxes.md where only of each process', {
    min: 16 * 1024 ** 2,
    max: 1024 * GIB,
  }),
  processes: integer(64, 'processes and threads at once', { min: 4, max: 100_000 }),
  time: quantity('duration', '0 s', 'it is killed after this; "0 s": never', { max: 30 * 24 * 3_600_000 }),
  temporary: quantity('size', '64 MiB', 'room in /tmp, which is private and lies in memory', {
    min: 4_096,
    max: 64 * GIB,
  }),
  file_size: quantity('size', '1 GiB', 'the largest file that it may write', { min: 4_096, max: 1024 * GIB }),
  secret_files: texts(
    [],
    'secrets as files /run/secrets/NAME: "NAME=PLACE" with a path, credential:NAME or env:NAME',
    { match: SECRET, expected: 'a list of "NAME=PLACE", for example ["token=credential:plant"]' },
  ),
  secret_env: texts([], 'secrets as variables: "NAME=PLACE", the same places', {
    match: VARIABLE,
    expected: 'a list of "NAME=PLACE", for example ["API_KEY=credential:plant"]',
  }),
  image: text('', 'docker, podman, kubernetes: the image; best by digest', {
    match: /^[A-Za-z0-9./:@_-]{0,512}$/,
    expected: 'the reference of an image',
  }),
  namespace: text('default', 'kubernetes: where the job is made', {
    match: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    expected: 'the name of a namespace',
  }),
} as const;

export type SandboxRow = {
  readonly [K in keyof typeof SANDBOX_ROW_KEYS]: (typeof SANDBOX_ROW_KEYS)[K]['fallback'];
};

/** Faults are reported row by row (from 0; undefined: the whole list); a row with one is left out. */
export function readSandboxes(body: unknown, fault: RowFault): readonly SandboxRow[] {
  const rows = readNamedRows<SandboxRow>(body, SANDBOXES, fault);
  // What one program may change, another shall not be shown by its path: a link could lie there by then.
  const writable = rows.flatMap(({ read_write }) => read_write);
  for (const [index, row] of rows.entries())
    for (const key of ['read_only', 'read_write'] as const)
      for (const path of row[key]) {
        const above = writable.find((folder) => path.startsWith(`${folder}/`));
        if (above !== undefined)
          fault(
            index,
            key,
            path,
            `no path within ${above}, which a sandbox may change: name ${above} itself`,
          );
      }
  return rows;
}

const SANDBOXES: NamedRows<SandboxRow> = {
  list: 'sandboxes',
  one: 'profile',
  max: SANDBOX_LIMITS.PROFILES_MAX,
  keys: SANDBOX_ROW_KEYS,
  hint: (key) => (/key|token|secret/.test(key) ? ': secrets stand in files, secret_files or secret_env' : ''),
  agree(row, refuse) {
    if (row.name === '') refuse('name', '', 'a name');
    if (row.name === 'none')
      refuse('name', 'none', 'another name: sandbox = "none" says that there is no sandbox');
    for (const key of ['read_only', 'read_write', 'network', 'secret_files', 'secret_env'] as const)
      if (row[key].length > SANDBOX_LIMITS.ENTRIES_MAX)
        refuse(key, row[key].length, `at most ${SANDBOX_LIMITS.ENTRIES_MAX} entries`);
    for (const [index, door] of row.network.map(doorOf).entries()) agreeOnDoor(row, index, door, refuse);
    agreeOnContainer(row, refuse);
  },
};

function agreeOnDoor(
  row: SandboxRow,
  index: number,
  { name, host, port }: SandboxDoor,
  refuse: KeyFault,
): void {
  const shown = row.network[index];
  if (port < 1 || port > 65_535) refuse('network', shown, 'a port from 1 to 65535');
  const isAddress = (text: string) => /^\d+\.\d+\.\d+\.\d+$/.test(text) || text.includes(':');
  // Programs inside find names by /etc/hosts; an address cannot be led elsewhere.
  if (row.provider !== 'kubernetes' && isAddress(name) && name !== '127.0.0.1')
    refuse('network', shown, `a name for the address, for example "plant=${host}:${port}"`);
}

function agreeOnContainer(row: SandboxRow, refuse: KeyFault): void {
  const byImage = row.provider === 'docker' || row.provider === 'podman' || row.provider === 'kubernetes';
  if (byImage && row.image === '') refuse('image', '', `an image: ${row.provider} starts nothing else`);
  if (!byImage && row.image !== '')
    refuse('image', row.image, `"": ${row.provider} uses the programs of this host`);
  if ((row.provider === 'docker' || row.provider === 'podman') && row.network.length > 0)
    refuse(
      'network',
      row.network,
      `[]: with ${row.provider} there is all or nothing; bubblewrap and oci take a list`,
    );
  if (row.provider === 'kubernetes' && row.read_only.length + row.read_write.length > 0)
    refuse(
      'read_only',
      [...row.read_only, ...row.read_write],
      '[]: a cluster has no files of this host; bring them in the image',
    );
}

/** `HOST:PORT` or `NAME=HOST:PORT`, as checked. */
export function doorOf(entry: string): SandboxDoor {
  const [, name, place = '', port = ''] = PLACE.exec(entry) ?? [];
  const host = place.replace(/^\[|\]$/g, '').toLowerCase();
  return { name: (name ?? host).toLowerCase(), host, port: Number(port) };
}

/** `NAME=PLACE`, as checked. */
export function secretOf(entry: string): { readonly name: string; readonly place: string } {
  const at = entry.indexOf('=');
  return { name: entry.slice(0, at), place: entry.slice(at + 1) };
}

/** Key `sandbox` of whatever starts a process of others. */
export const SANDBOX_KEY = (what: string) =>
  text('', `${what}: the name of one of [[sandboxes]]; "none": without one, which is said explicitly`, {
    match: /^[a-z0-9-]{0,32}$/,
    expected: 'the name of one of [[sandboxes]], or "none"',
  });

/** The rows as a person would write them, for `config show`. */
export function showSandboxes(): string[] {
  const lines = Object.entries(SANDBOX_ROW_KEYS).flatMap(([key, { about, shown }]) => [
    `# ${about}`,
    `# ${key} = ${shown}`,
  ]);
  return ['# [[sandboxes]]: what programs of others may use, by name of the profile', ...lines, ''];
}

type Users = {
  readonly mcp: { readonly servers: readonly { name: string; command: string; sandbox: string }[] };
  readonly runtimes: {
    readonly accept: readonly {
      name: string;
      command: readonly string[];
      acp: readonly string[];
      a2a: string;
      sandbox: string;
    }[];
  };
  readonly apps: { readonly sandbox: string; readonly dirs: readonly string[] };
};

/** Who runs without a sandbox without the word of the configuration. One sentence each. */
export function sandboxWarnings({ mcp, runtimes, apps }: Users): readonly string[] {
  const what = (key: string, who: string) =>
    `${key}: ${who} runs without a sandbox: name one of [[sandboxes]], or say sandbox = "none"`;
  return [
    ...mcp.servers
      .filter(({ command, sandbox }) => command !== '' && sandbox === '')
      .map(({ name }) => what('mcp.servers', `MCP server ${name}`)),
    ...runtimes.accept
      // The bridge to a remote agent runs nothing of it.
      .filter(({ command, acp, sandbox }) => command.length + acp.length > 0 && sandbox === '')
      .map(({ name }) => what('runtimes.accept', `runtime ${name}`)),
    ...(apps.dirs.length > 0 && apps.sandbox === ''
      ? [what('apps.sandbox', 'each MCP server that a package brings')]
      : []),
  ];
}

/** Names that stand for no profile: key, value. */
export function unknownSandboxes(
  { mcp, runtimes, apps }: Users,
  sandboxes: readonly { readonly name: string }[],
): readonly {
  readonly path: readonly [string, string];
  readonly value: string;
  readonly expected: string;
}[] {
  const known = (name: string) =>
    name === '' || name === 'none' || sandboxes.some((one) => one.name === name);
  const names = sandboxes.map(({ name }) => `"${name}"`).join(', ');
  const expected = `the name of one of [[sandboxes]]${names === '' ? ', none of which exists' : ` (${names})`}, or "none"`;
  return [
    ...mcp.servers.map(({ sandbox }) => ({ path: ['mcp', 'servers'] as const, value: sandbox })),
    ...runtimes.accept.map(({ sandbox }) => ({ path: ['runtimes', 'accept'] as const, value: sandbox })),
    { path: ['apps', 'sandbox'] as const, value: apps.sandbox },
  ]
    .filter(({ value }) => !known(value))
    .map((fault) => ({ ...fault, expected }));
}
