import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, LIMITS, type Timer } from '../../contract/core.ts';
import { restartDelayMs } from './liveness.ts';

export type SidecarOptions = {
  readonly name: string;
  readonly clock: Clock;
  readonly command: string;
  readonly args: readonly string[];
  report(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** A helper process beside the cells, such as the simulated robot; brought back when it dies. */
export class Sidecar {
  readonly #options: SidecarOptions;
  #child: ChildProcess | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #startedMs = 0;
  #stopped = false;

  constructor(options: SidecarOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { command, args, name, report, clock } = this.#options;
    this.#startedMs = clock.monotonicMs();
    const child = spawn(command, [...args], { stdio: ['pipe', 'ignore', 'inherit'] });
    this.#child = child;
    let gone = false;
    const exit = (reason: string) => {
      if (gone) return;
      gone = true;
      this.#child = undefined;
      if (this.#stopped) return;
      if (clock.monotonicMs() - this.#startedMs > LIMITS.RESTART_FORGET_MS) this.#failures = 0;
      this.#failures++;
      const delayMs = restartDelayMs(this.#failures);
      report('warn', `${name} went down`, { reason, retry_ms: delayMs });
      this.#retry = clock.after(delayMs, () => this.start());
    };
    child.on('error', (error) => exit(error.message));
    child.on('exit', (code, signal) => exit(signal ?? `exit code ${code}`));
    // The child ends when its standard input does: it never outlives the daemon.
    child.stdin?.on('error', () => {});
    report('info', `${name} started`, { pid: child.pid });
  }

  /** Settles when the process is gone, at the latest after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(deadlineMs, () => child.kill('SIGKILL'));
      child.once('exit', () => {
        timer.cancel();
        resolve();
      });
      child.stdin?.end();
      child.kill('SIGTERM');
    });
  }
}
