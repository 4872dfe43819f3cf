import { ACP_LIMITS, type Clock, type EdgeError } from '../../contract/core.ts';
import { LineProcess } from '../../io/line-process.ts';
import { AgentGuard, type AgentLink, agentError } from './agent-link.ts';

export type AgentProcessParts = {
  readonly clock: Clock;
  /** The command and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** All of the environment that the agent gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Takes secrets out of what it says: some agents print the token of their MCP server where a session fails. */
  readonly redact: (line: string) => string;
  /** Lines of its stderr. */
  readonly onStderr: (line: string) => void;
};

/** Starts an agent as a child process. Rejects with `host.missing` where the program cannot be started. */
export async function startAgent(parts: AgentProcessParts): Promise<AgentLink & { readonly pid: number }> {
  const { clock, env, folder, redact, onStderr } = parts;
  const [file, ...args] = parts.command;
  const name = file.split('/').at(-1) || file;
  const ended = Promise.withResolvers<EdgeError>();
  let fault: EdgeError | undefined;
  let last = '';
  const child: LineProcess = new LineProcess({
    ...{ clock, what: 'ACP agent', file, args, env, folder },
    ...{ lineBytesMax: ACP_LIMITS.MESSAGE_BYTES_MAX, stopMs: ACP_LIMITS.STOP_MS },
    onLine: (line) => guard.take(line),
    onStderr: (line) => {
      last = redact(line);
      onStderr(last);
    },
    onTrouble: () => {},
    onEnd: (how) => {
      const said = last === '' ? '' : `; it said last: ${last.slice(0, 200)}`;
      const error = fault ?? agentError('runtime.lost', name, `it ended: ${how}${said}`);
      guard.end(error);
      ended.resolve(error);
    },
  });
  const guard: AgentGuard = new AgentGuard({
    ...{ clock, name },
    write: (text) => child.send(text),
    broken: (error) => {
      fault = error;
      ended.resolve(error);
      void child.kill(error.message);
    },
  });
  await child.start();
  const { stream, updates } = guard;
  return { stream, updates, ended: ended.promise, close: () => child.close(), pid: child.pid! };
}
