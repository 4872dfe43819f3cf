import { LIMITS } from '../../contract/core.ts';
import { type NamedRows, type RowFault, readNamedRows } from './named-rows.ts';
import { choice, integer, quantity, type RowOf, text } from './spec.ts';

/** Rows of `[[policies]]`: their keys, defaults and meaning. The first is the default policy. */
export const POLICY_ROW_KEYS = {
  name: text('', 'name of the policy: for controllers, queryables and servers', {
    match: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: 'a name of letters, digits, dot, dash, underscore',
  }),
  kind: choice(
    ['onnx', 'zenoh', 'lerobot', 'openpi', 'groot', 'episode'],
    'onnx',
    'onnx: a network in this process; zenoh: another node that answers ai/inference/vla; lerobot, openpi, groot: a server of theirs; episode: what was recorded, as a peer for tests',
  ),
  path: text('', 'kind onnx: the network, its card beside it; kind episode: the recording'),
  url: text(
    '',
    'kind zenoh: the key of the node, for example "robot/gpu-1/ai/inference/vla"; lerobot: "127.0.0.1:8080"; openpi: "ws://127.0.0.1:8000"; groot: "tcp://127.0.0.1:5555"',
    { match: /^[^\s@]{0,512}$/, expected: 'an address without a password' },
  ),
  policy: text('', 'name of the policy at its server, where it has several', {
    match: /^[A-Za-z0-9._/:-]{0,256}$/,
    expected: 'a name',
  }),
  card: text(
    '',
    'file that says what the policy takes and gives, for servers that do not describe themselves',
  ),
  token_file: text('', 'token for its server: a path, or credential:NAME'),
  tls_ca: text(
    '',
    'kind lerobot over grpcs://: who signed its certificate, PEM; empty: whom this host trusts',
  ),
  tls_cert: text('', 'the same: what this robot shows, PEM'),
  tls_key: text('', 'the private key of it, PEM'),
  sha256: text('', 'of the network; another one is refused. Empty: any', {
    match: /^(|[0-9a-f]{64})$/,
    expected: '64 hexadecimal digits, or ""',
  }),
  device: choice(['cpu', 'cuda', 'tensorrt'], 'cpu', 'kind onnx: where it is computed'),
  memory: choice(
    ['own', 'serial'],
    'own',
    'a policy that remembers its episode: one for each session, or one that is reset when another session has its turn (kind lerobot: serial by default)',
  ),
  timeout: quantity('duration', '5 s', 'reaching its server, and a question that names no deadline', {
    min: 1,
    max: LIMITS.POLICY_DEADLINE_MS_MAX,
  }),
  sessions: integer(64, 'callers at a time', { min: 1, max: 1_024 }),
  queue: integer(8, 'questions of one caller that wait or are answered; more are refused', {
    min: 1,
    max: LIMITS.POLICY_QUEUE_MAX,
  }),
} as const;

export type PolicyRow = RowOf<typeof POLICY_ROW_KEYS>;

/**
 * The list `[[policies]]`. Faults are reported row by row (from 0; undefined: the whole list); a row with one is left
 * out.
 */
export function readPolicies(body: unknown, fault: RowFault): readonly PolicyRow[] {
  return readNamedRows<PolicyRow>(Array.isArray(body) ? body.map(withMemory) : body, POLICIES, fault);
}

/**
 * A stock server of LeRobot has one state for all its clients: several clients of this daemon would mix up their
 * episodes there.
 */
function withMemory(row: unknown): unknown {
  const { kind } = (row ?? {}) as { readonly kind?: unknown };
  return kind === 'lerobot' ? { memory: 'serial', ...(row as object) } : row;
}

const POLICIES: NamedRows<PolicyRow> = {
  list: 'policies',
  one: 'policy',
  max: LIMITS.POLICIES_MAX,
  keys: POLICY_ROW_KEYS,
  hint: (key) => (/token|secret|password/.test(key) ? ': tokens stand in a file, token_file' : ''),
  agree({ name, kind, path, url }, refuse) {
    if (name === '') refuse('name', '', 'a value');
    const byPath = kind === 'onnx' || kind === 'episode';
    if (byPath && path === '') refuse('path', '', 'a file');
    if (!byPath && url === '') refuse('url', '', 'the address of the server');
  },
};

/** The rows as a person would write them, for `config show`. */
export function showPolicies(): string[] {
  const lines = Object.entries(POLICY_ROW_KEYS).flatMap(([key, { about, shown }]) => [
    `# ${about}`,
    `# ${key} = ${shown}`,
  ]);
  return ['# [[policies]]: policies of this robot; the first is the default', ...lines, ''];
}
