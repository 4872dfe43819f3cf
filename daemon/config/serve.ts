import { LIMITS } from '../../contract/core.ts';
import { flag, integer, quantity, text, texts } from './spec.ts';

const PORT = /(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])/.source;
/** `127.0.0.1:8000`, `[::1]:8000`, `robot.local:8000`. */
const ADDRESS = new RegExp(`^(|(\\[[0-9a-fA-F:.]+\\]|[^\\s:/[\\]]+):${PORT})$`);

const listen = (what: string, example: string) =>
  text('', `${what}, for example "${example}"; empty: not served`, {
    match: ADDRESS,
    expected: `host:port, for example "${example}", or ""`,
  });

/** `[serve]`: the policies of this robot for clients of other makes. */
export const SERVE_KEYS = {
  lerobot_listen: listen('LeRobot async inference (gRPC)', '127.0.0.1:8080'),
  openpi_listen: listen('openpi policy server (WebSocket)', '127.0.0.1:8000'),
  groot_listen: listen('GR00T inference server (ZeroMQ)', '127.0.0.1:5555'),
  token_file: text(
    '',
    'what clients of all three must show: a path, or credential:NAME; empty: nothing, and addresses must be loopback',
  ),
  max_clients: integer(16, 'connections at a time, for each of the three', { min: 1, max: 256 }),
  timeout: quantity('duration', '5 s', 'one question: these wires know no deadlines', {
    min: 1,
    max: LIMITS.POLICY_DEADLINE_MS_MAX,
  }),
  lerobot_keys: text(
    '',
    'file with names of inputs and actions on that wire (docs/wires.md); empty: our own',
  ),
  lerobot_trusted: texts(
    [],
    'addresses or networks, for example ["192.168.1.20", "10.0.0.0/24"], whose clients of LeRobot need no token: a stock one has none',
  ),
  lerobot_tls_cert: text(
    '',
    'certificate of this server in PEM, for LeRobot over TLS; empty: no TLS, as stock clients want it',
  ),
  lerobot_tls_key: text('', 'its private key: a path, or credential:NAME'),
  lerobot_tls_client_ca: text(
    '',
    'who signed the certificates that clients must show; empty: they need none',
  ),
  lerobot_drop_similar: flag(
    true,
    'as a stock server: an observation nearer than 1.0 (L2 of the state, its own units) to the last one is dropped unless it must go',
  ),
  openpi_keys: text('', 'the same for openpi'),
  groot_keys: text('', 'the same for GR00T'),
} as const;

/** Host and port of an address that fits; an IPv6 host without its brackets. */
export function listenAddress(address: string): { readonly host: string; readonly port: number } {
  const match = ADDRESS.exec(address)!;
  return { host: match[2]!.replace(/^\[|\]$/g, ''), port: Number(match[3]) };
}
