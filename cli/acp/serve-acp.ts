import { randomBytes } from 'node:crypto';
import { acpRun, startAgent } from '../../adapters/acp/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { serve } from '../../clients/typescript/auraison-runtime.ts';
import { EdgeError } from '../../contract/core.ts';
import { VERSION } from '../../daemon/version.ts';
import { offerRun } from './run-offer.ts';

export type ServeAcp = {
  /** Address of the daemon, asked for at each connection. */
  readonly url: () => string;
  readonly token: string;
  /** Agents that it serves; `*`: any. */
  readonly agents: readonly string[];
  readonly command: readonly [string, ...string[]];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly silenceMs: number;
  /** Mode of each session; absent: the agent's own choice. */
  readonly mode: string | undefined;
  /** Method by which each agent logs in; absent: it is logged in. */
  readonly login: string | undefined;
  /** The command line, as a program that carries MCP on standard input and output. */
  readonly bridge: readonly [string, ...string[]];
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Runs of agents at once: each is a process. */
const RUNS_MAX = 8;
/** Lines of stderr that are shown of one run. */
const STDERR_LINES = 500;

/**
 * Serves runs of a daemon with an agent of the Agent Client Protocol, one process for each run. A client of
 * contract/RUNTIME.md: it has no rights but those of its token. Gives the close code of the daemon.
 */
export async function serveAcp(options: ServeAcp): Promise<number> {
  const { url, token, agents, command, folder, env, silenceMs, mode, login, bridge, say, signal } = options;
  const clock = new SystemClock();
  const name = command[0].split('/').at(-1) || command[0];
  const report = (level: string, message: string, facts: Record<string, unknown>) =>
    say(`${level}: ${message} ${JSON.stringify(facts)}`);
  let runs = 0;
  const agent: Parameters<typeof serve>[2][string] = async (run) => {
    if (runs >= RUNS_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: 'run agent',
        subject: name,
        message: `${runs} agents run`,
      });
    runs++;
    say(`run ${run.id}: ${run.intent} starts, attempt ${run.attempt}`);
    let secret = token;
    const redact = (line: string) => line.replaceAll(token, '…').replaceAll(secret, '…');
    let lines = 0;
    const onStderr = (line: string) => {
      lines++;
      if (lines <= STDERR_LINES) say(`${name}: ${line}`);
      else if (lines === STDERR_LINES + 1) say(`${name}: (no more of this run is shown)`);
    };
    const hide = (one: string) => {
      secret = one;
    };
    try {
      const outcome = await acpRun(run, {
        ...{ clock, name, folder, silenceMs, report },
        ...(mode === undefined ? {} : { mode }),
        ...(login === undefined ? {} : { login }),
        life: () => randomBytes(6).toString('hex'),
        start: () => startAgent({ clock, command, env, folder, redact, onStderr }),
        offer: (tools) => offerRun(tools, { clock, version: VERSION, bridge, env, secret: hide, report }),
      });
      say(`run ${run.id}: ${outcome.status}: ${outcome.reason}`);
      return outcome;
    } catch (thrown) {
      say(`run ${run.id}: failed: ${(thrown as Error).message}`);
      throw thrown;
    } finally {
      runs--;
    }
  };
  return await serve(
    url,
    token,
    Object.fromEntries(agents.map((one) => [one, agent])),
    {
      runtime: { language: `acp ${name}`.slice(0, 64), version: VERSION },
      capabilities: ['stream', 'messages'],
    },
    signal,
  );
}
