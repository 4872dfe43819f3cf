import { fileURLToPath } from 'node:url';
import type { RuntimeRow } from '../config/runtimes.ts';
import { readSecret } from '../secrets.ts';

/** The folder of this program: a bridge in a sandbox reads it. */
const PROGRAM = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const CLI = fileURLToPath(new URL('../../cli/entry.ts', import.meta.url));
type BridgeSecrets = { readonly credential?: string; readonly url?: string };

export type Bridge = {
  readonly command: readonly [string, ...string[]];
  /**
   * For its standard input, beside its token. Arguments are seen by every user of the host, and variables by
   * programs of the same user, for example by the agent that the bridge starts.
   */
  readonly secrets: BridgeSecrets;
  /** What it reads in a sandbox beyond the profile. */
  readonly readOnly: readonly string[];
};

/**
 * What the daemon starts for a runtime whose row names an agent of the Agent Client Protocol or of the Agent2Agent
 * protocol: the bridge that a person would start by hand. Undefined: the row names a program of its own, or nothing.
 * Throws `config.unreadable` where the credential cannot be read.
 */
export function bridgeOf(row: RuntimeRow, folder: string): Bridge | undefined {
  const { name, acp, a2a, credential, timeout, mode, login, env } = row;
  const cli = (...args: string[]): [string, ...string[]] => [
    ...([process.execPath, '--disable-warning=ExperimentalWarning', CLI, 'runtimes'] as const),
    ...args,
  ];
  const seconds = String(Math.max(1, Math.round(timeout / 1_000)));
  if (acp.length > 0) {
    const options = [
      ...['--secrets', '--folder', folder, '--silence', seconds],
      // The bridge has the variable already: its name alone hands it on, and its value is in no list of processes.
      ...env.flatMap((one) => ['--env', one.split('=')[0]!]),
      ...(mode === '' ? [] : ['--mode', mode]),
      ...(login === '' ? [] : ['--login', login]),
    ];
    return { command: cli('acp', name, ...options, '--', ...acp), secrets: {}, readOnly: [PROGRAM] };
  }
  if (a2a === '') return undefined;
  const shown = readSecret(credential, `runtimes.accept.${name}.credential`, process.env);
  return {
    command: cli('a2a', name, new URL(a2a).origin, '--secrets', '--timeout', seconds),
    secrets: { url: a2a, ...(shown === undefined ? {} : { credential: shown }) },
    readOnly: [PROGRAM],
  };
}
