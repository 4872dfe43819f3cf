import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Clock, EdgeError } from '../../contract/core.ts';

/** From SIGTERM to SIGKILL, milliseconds. */
const STOP_MS = 5_000;
/** An error shows this much of the end of its stderr, characters. */
const COMPLAINT_CHARS = 2_000;
/** A longer line is no report. */
const LINE_CHARS_MAX = 64 * 1024;

export type ChildOptions = {
  readonly clock: Clock;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is stopped then, with `deadline.exceeded`, milliseconds. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
  readonly onNote?: (line: string) => void;
};

/**
 * Runs a program to its end. Cancelled or late, it and all it started are stopped: it leads a process group of its own.
 * Rejects with `run.cancelled`, `deadline.exceeded`, `host.missing` where it cannot be started, and `tool.failed` with
 * the end of what it complained about.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<void> {
  const { clock, cwd, env, limitMs, signal } = options;
  if (signal?.aborted) throw stopped('run.cancelled', command, 'cancelled');
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let reason: EdgeError | undefined;
  let complaints = '';
  let killer: { cancel(): void } | undefined;
  const stop = (why: EdgeError) => {
    reason ??= why;
    signalGroup(child, 'SIGTERM');
    killer ??= clock.after(STOP_MS, () => signalGroup(child, 'SIGKILL'));
  };
  const onAbort = () => stop(stopped('run.cancelled', command, 'cancelled'));
  const limit = clock.after(limitMs, () =>
    stop(stopped('deadline.exceeded', command, `not done within ${Math.round(limitMs / 1_000)} s`)),
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  eachLine(child.stdout!, (line) => options.onLine?.(line));
  eachLine(child.stderr!, (line) => {
    complaints = `${complaints}${line}\n`.slice(-COMPLAINT_CHARS);
    options.onNote?.(line);
  });
  try {
    const code = await new Promise<number | string>((resolve, reject) => {
      child.once('error', (cause) => reject(missing(command, cause)));
      child.once('close', (status, by) => resolve(by ?? status ?? 0));
    });
    if (reason) throw reason;
    if (code !== 0)
      throw stopped('tool.failed', command, `${command} ended with ${code}: ${complaints.trim()}`);
  } finally {
    limit.cancel();
    killer?.cancel();
    signal?.removeEventListener('abort', onAbort);
    // A grandchild that ignored the end of its parent.
    signalGroup(child, 'SIGKILL');
  }
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => take(line.slice(0, LINE_CHARS_MAX)));
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It is over.
  }
}

function stopped(
  code: 'run.cancelled' | 'deadline.exceeded' | 'tool.failed',
  subject: string,
  message: string,
) {
  return new EdgeError(code, { operation: 'run trainer', subject, message, retryable: false });
}

function missing(command: string, cause: Error): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'run trainer',
    subject: command,
    message: `${command} cannot be run: ${cause.message}`,
    hint: /python[\d.]*$/.test(command)
      ? 'install Python 3.11 or newer with venv (Debian: apt-get install python3-venv), or name one with dataset.python'
      : 'name a program of this host: a path, or one on the PATH',
    cause,
  });
}
