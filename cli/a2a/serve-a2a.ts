import { a2aRun, openAgent } from '../../adapters/a2a/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { serve } from '../../clients/typescript/auraison-runtime.ts';
import { EdgeError } from '../../contract/core.ts';
import { VERSION } from '../../daemon/version.ts';

export type ServeA2a = {
  /** Address of the daemon, asked for at each connection. */
  readonly url: () => string;
  /** Of the runtime; never shown to the agent. */
  readonly token: string;
  /** Agents that it serves; `*`: any. */
  readonly agents: readonly string[];
  /** Where the remote agent is. */
  readonly agentUrl: string;
  /** What it is shown, read at each request; absent: nothing. */
  readonly credential: (() => string) | undefined;
  /** An agent from which nothing comes for so long is left, milliseconds. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Runs at once: each has requests to the agent open. */
const RUNS_MAX = 32;

/**
 * Serves runs of a daemon with a remote agent of the Agent2Agent protocol. A client of contract/RUNTIME.md: it has no
 * rights but those of its token. Gives the close code of the daemon.
 */
export async function serveA2a(options: ServeA2a): Promise<number> {
  const { url, token, agents, agentUrl, credential, timeoutMs, say, signal } = options;
  const clock = new SystemClock();
  const name = new URL(agentUrl).host;
  const report = (level: string, message: string, facts: Record<string, unknown>) =>
    say(`${level}: ${message} ${JSON.stringify(facts)}`);
  let runs = 0;
  const agent: Parameters<typeof serve>[2][string] = async (run) => {
    if (runs >= RUNS_MAX)
      throw new EdgeError('cell.overloaded', {
        ...{ operation: 'run agent', subject: name, message: `${runs} runs are at the agent` },
      });
    runs++;
    say(`run ${run.id}: ${run.intent} starts, attempt ${run.attempt}`);
    try {
      const outcome = await a2aRun(run, {
        ...{ clock, name, timeoutMs, report },
        open: (gone) => openAgent({ clock, name, url: agentUrl, token: credential }, gone),
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
      runtime: { language: `a2a ${name}`.slice(0, 64), version: VERSION },
      capabilities: ['stream', 'messages'],
    },
    signal,
  );
}
