import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, EdgeError, pause } from '../contract/core.ts';
import { leashGroup, signalGroup } from './leash.ts';

export type Startable = {
  readonly file: string;
  readonly args: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Written to its standard input, which ends then. Secrets: variables can be read by programs of the same user. */
  readonly input?: string;
  /** Called when the process is gone or could not be started. Never rejects. */
  readonly release?: () => Promise<void>;
};

export type KeptProcessParts = {
  readonly clock: Clock;
  readonly name: string;
  /** Asked before each start. */
  readonly prepare: () => Promise<Startable>;
  readonly report: (
    level: 'info' | 'warn' | 'error',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
};

const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 60_000;
/** Who ran for so long starts again at once. */
const STEADY_MS = 60_000;
const STOP_MS = 2_000;
/** Lines of output of one life that are logged, and characters of one of them. */
const LINES_MAX = 200;
const LINE_CHARS = 1_024;

/** A program of others that is started again when it ends, with a growing pause, and ends with this process. */
export class KeptProcess {
  readonly #parts: KeptProcessParts;
  readonly #stopped = new AbortController();
  #child: ChildProcess | undefined;
  #loop: Promise<void> | undefined;
  #starts = 0;
  #why = '';

  constructor(parts: KeptProcessParts) {
    this.#parts = parts;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** For people: whether it runs, how often it was started, and why it ended last (empty: it did not). */
  view(): {
    readonly state: 'running' | 'waiting' | 'stopped';
    readonly pid?: number;
    readonly starts: number;
    readonly why: string;
  } {
    const { pid } = this;
    const stopped = this.#stopped.signal.aborted || !this.#loop;
    const state = pid !== undefined ? 'running' : stopped ? 'stopped' : 'waiting';
    return { state, starts: this.#starts, why: this.#why, ...(pid === undefined ? {} : { pid }) };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** SIGTERM, then SIGKILL for all of its group. Settles when it is gone; never rejects. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const { pid } = this;
    if (pid !== undefined) {
      signalGroup(pid, 'SIGTERM');
      const gone = new AbortController();
      void this.#loop?.then(() => gone.abort());
      await pause(this.#parts.clock, STOP_MS, gone.signal);
      if (!gone.signal.aborted) signalGroup(pid, 'SIGKILL');
    }
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, name, report } = this.#parts;
    let wait = FIRST_WAIT_MS;
    while (!this.#stopped.signal.aborted) {
      const begin = clock.monotonicMs();
      const { how, error } = await this.#once();
      this.#why = how;
      if (this.#stopped.signal.aborted) return;
      wait = clock.monotonicMs() - begin > STEADY_MS ? FIRST_WAIT_MS : Math.min(wait * 2, WAIT_MAX_MS);
      report('error', `${name} ${how}; it is started again`, {
        wait_ms: wait,
        ...(error === undefined ? {} : { error: error.toBody() }),
      });
      await pause(clock, wait, this.#stopped.signal);
    }
  }

  async #once(): Promise<{ readonly how: string; readonly error?: EdgeError }> {
    let made: Startable;
    try {
      made = await this.#parts.prepare();
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'host.missing', 'start', this.#parts.name);
      return { how: `cannot be started: ${error.message}`, error };
    }
    if (this.#stopped.signal.aborted) {
      await made.release?.();
      return { how: 'was stopped' };
    }
    const how = await this.#live(made);
    await made.release?.();
    return { how };
  }

  #live({ file, args, env, folder, input }: Startable): Promise<string> {
    const child = spawn(file, [...args], {
      env: { ...env },
      cwd: folder,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    this.#starts++;
    this.#log(child);
    // A program that reads nothing, or has ended, is known by its end.
    child.stdin?.on('error', () => {}).end(input);
    const leash = child.pid === undefined ? undefined : leashGroup(child.pid, () => {});
    return new Promise((resolve) => {
      const over = (how: string) => {
        // What it forked ends with it.
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
        leash?.kill('SIGKILL');
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
        this.#child = undefined;
        resolve(how);
      };
      child.once('error', ({ message }) => over(`cannot be started: ${message}`));
      child.once('exit', (code, signal) => over(`ended: ${signal ?? `exit code ${code}`}`));
    });
  }

  #log({ stdout, stderr }: ChildProcess): void {
    const { name, report } = this.#parts;
    let lines = 0;
    for (const stream of [stdout, stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop()!.slice(-LINE_CHARS);
        for (const part of parts.filter((one) => one.trim() !== ''))
          if (++lines <= LINES_MAX) report('info', `${name}: ${part.slice(0, LINE_CHARS)}`, {});
      });
    }
  }
}
