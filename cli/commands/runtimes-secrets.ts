import { text } from 'node:stream/consumers';
import { EdgeError } from '../../contract/core.ts';
import { readSecret } from '../../daemon/secrets.ts';

/** What a bridge reads once from its standard input. */
export type BridgeSecrets = {
  /** Of the runtime. */
  readonly token?: string;
  /** What an A2A agent is shown. */
  readonly credential?: string;
  /** Address of an A2A agent, whose user and query may hold secrets. */
  readonly url?: string;
};

export const SECRETS_OPTION = [
  '--secrets',
  'read {"token": …} from standard input: programs of the same user can read variables and arguments',
] as const;

const KEYS = ['token', 'credential', 'url'];

/**
 * What `--secrets` reads, to the end of the input: nothing of it is left for the agent that the bridge starts. Without
 * the option: nothing. Throws `config.invalid`.
 */
export async function bridgeSecrets(isGiven: boolean | undefined): Promise<BridgeSecrets> {
  if (isGiven !== true) return {};
  const input = await text(process.stdin);
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    // What stands there may be the secret: it is not shown.
  }
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length > 0 && entries.every(([key, one]) => KEYS.includes(key) && typeof one === 'string'))
    return value as BridgeSecrets;
  throw new EdgeError('config.invalid', {
    ...{ operation: 'read secrets', subject: '--secrets' },
    message: `standard input: expected a JSON object of texts with ${KEYS.join(', ')}`,
  });
}

/** What an A2A agent is shown: from standard input, or read again at each request. Undefined: nothing. */
export function credentialOf({ credential }: BridgeSecrets, place: string): (() => string) | undefined {
  if (credential !== undefined) return () => credential;
  const read = () => readSecret(place, '--credential', process.env) ?? '';
  // A place that cannot be read is known at the start, and not at the first run.
  read();
  return place === '' ? undefined : read;
}
