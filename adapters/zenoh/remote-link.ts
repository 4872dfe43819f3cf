import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Clock, EdgeError, type Timer } from '../../contract/core.ts';
import type { FromRemote, RemoteStart, ToRemote } from './remote-messages.ts';
import { probeBridge, unreachable } from './remote-probe.ts';

const PROBE_MS_MAX = 2_000;
/** From a bridge that accepts to a session with an id: loading zenoh-ts takes most of it. */
const OPEN_MS_MAX = 8_000;
/** Seconds without a message of the process, counted in ticks, which stop while this process is stopped. */
const SILENT_TICKS_MAX = 10;
const TICK_MS = 1_000;
const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 5_000;
const CLOSE_MS_MAX = 1_000;

const ENTRY = fileURLToPath(new URL('./remote-process-main.ts', import.meta.url));

export type LinkEvents = {
  /** A session is there: declare everything, it knows nothing yet. */
  readonly onUp: (zid: string) => void;
  /** The session is gone with everything in transit; a new one is being made. Called once per `onUp`. */
  readonly onDown: (error: EdgeError) => void;
  readonly onMessage: (message: Exclude<FromRemote, { op: 'up' | 'down' | 'alive' }>) => void;
};

/** Keeps one process with a session of zenoh-ts alive, and makes the next when it, or the bridge, dies. */
export class RemoteLink {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  #child: ChildProcess | undefined;
  #up = false;
  #closed = false;
  #retry: Timer | undefined;
  #retryMs = RETRY_MS_MIN;
  #ticks: Timer | undefined;
  #silent = 0;
  /** Sessions there have been. Numbers given by one mean nothing to the next. */
  generation = 0;

  constructor(url: string, clock: Clock, events: LinkEvents) {
    this.#url = url;
    this.#clock = clock;
    this.#events = events;
  }

  get up(): boolean {
    return this.#up;
  }

  /** The first session; rejects with `zenoh.failed` when there is no bridge, and does not keep trying. */
  async open(): Promise<void> {
    await this.#attempt();
    this.#ticks = this.#clock.every(TICK_MS, () => {
      this.#silent += 1;
      if (this.#up && this.#silent > SILENT_TICKS_MAX) this.fail('the process of zenoh-ts is stuck');
    });
  }

  /** Does nothing while there is no session: look at `up` first. */
  send(message: ToRemote): void {
    // Where it cannot be reached, `exit` reports its end.
    if (this.#up && this.#child?.connected) this.#child.send(message, () => {});
  }

  /** Gives this session up and makes a new one. */
  fail(reason: string): void {
    if (this.#closed) return;
    const was = this.#up;
    this.#drop();
    if (was) this.#events.onDown(unreachable(this.#url, reason));
    this.#again();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#ticks?.cancel();
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.send({ op: 'close' });
    this.#up = false;
    const late = this.#clock.after(CLOSE_MS_MAX, () => child.kill('SIGKILL'));
    await exited;
    late.cancel();
  }

  #again(): void {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#clock.after(this.#retryMs, () => {
      this.#attempt().catch(() => this.#again());
    });
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  async #attempt(): Promise<void> {
    await probeBridge(this.#url, this.#clock, PROBE_MS_MAX);
    if (this.#closed) return;
    const start: RemoteStart = { url: this.#url };
    const child = fork(ENTRY, [JSON.stringify(start)], {
      serialization: 'advanced',
      execArgv: [],
      // Output of the library does not go into the log.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child = child;
    await this.#opened(child);
  }

  #opened(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (reason: string) => {
        late.cancel();
        reject(unreachable(this.#url, reason));
        if (this.#child !== child) return;
        if (this.#up) this.fail(reason);
        else this.#drop();
      };
      const late = this.#clock.after(OPEN_MS_MAX, () => give(`no session within ${OPEN_MS_MAX} ms`));
      child.on('error', (error) => give(EdgeError.from(error, 'zenoh.failed', 'run', this.#url).message));
      child.on('exit', (code, signal) => give(`the process of zenoh-ts ended with ${signal ?? code}`));
      child.on('message', (message: FromRemote) => {
        if (this.#child !== child || this.#closed) return;
        this.#silent = 0;
        if (message.op === 'down') return give(message.reason);
        if (message.op === 'alive') return;
        if (message.op !== 'up') return this.#events.onMessage(message);
        late.cancel();
        this.#up = true;
        this.#retryMs = RETRY_MS_MIN;
        this.generation += 1;
        this.#events.onUp(message.zid);
        resolve();
      });
    });
  }

  #drop(): void {
    const child = this.#child;
    this.#child = undefined;
    this.#up = false;
    child?.kill('SIGKILL');
  }
}
