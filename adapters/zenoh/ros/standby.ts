import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock, TopicSpec } from '../../../contract/core.ts';
import type { ZenohOptions } from '../native-key-space.ts';
import type { DriverOptions } from '../open-key-space.ts';
import type { RosZenohOptions } from './session.ts';

/** What the standby opens its own session with. */
export type StandbyStart = {
  readonly zenoh: DriverOptions & ZenohOptions;
  readonly ros: RosZenohOptions;
  /** Folders with definitions of types. */
  readonly definitions: readonly string[];
};

export type ToStandby =
  | ({ readonly op: 'open' } & StandbyStart)
  /** A topic by which something moves. */
  | { readonly op: 'guard'; readonly topic: TopicSpec }
  /** The sender lives; on these topics something moves by its last command. */
  | { readonly op: 'beat'; readonly moving: readonly string[] }
  | { readonly op: 'close' };
export type FromStandby =
  /** It could stop this topic now. */
  { readonly guards: string } | { readonly fault: string } | { readonly stopped: readonly string[] };

const ENTRY = fileURLToPath(new URL('./standby-main.ts', import.meta.url));
/** While something moves, a beat is sent this often, milliseconds. Three beats fit into the expiry of a command. */
const BEAT_MS = 75;
/** One that died is started again after this, doubled up to the next while it cannot be set up, milliseconds. */
const RESTART_MS = 1_000;
const RESTART_MS_MAX = 30_000;

/**
 * A process beside the one that commands, with a Zenoh session of its own. It sends zeros when that one dies, hangs or is
 * frozen while something moves. It never sends anything else.
 */
export class RosZenohStandby {
  readonly #clock: Clock;
  readonly #start: () => StandbyStart;
  readonly #report: (level: 'info' | 'warn', message: string) => void;
  readonly #topics: TopicSpec[] = [];
  #child: ChildProcess | undefined;
  #moving: readonly string[] = [];
  #beatMs = -Infinity;
  /** One message at a time: what waits for a standby that hangs is only the newest. */
  #isSending = false;
  #isOwed = false;
  #restart: { cancel(): void } | undefined;
  #delayMs = RESTART_MS;
  #closed = false;

  constructor(
    clock: Clock,
    start: () => StandbyStart,
    report: (level: 'info' | 'warn', message: string) => void,
  ) {
    this.#clock = clock;
    this.#start = start;
    this.#report = report;
  }

  guard(topic: TopicSpec): void {
    if (this.#closed) return;
    this.#topics.push(topic);
    if (this.#child) this.#send({ op: 'guard', topic });
    else if (!this.#restart) this.#spawn();
  }

  /** To be called often: what moves now, by the last commands. */
  beat(moving: readonly string[]): void {
    const changed = moving.length !== this.#moving.length || moving.some((one, i) => one !== this.#moving[i]);
    const nowMs = this.#clock.monotonicMs();
    if (!changed && (moving.length === 0 || nowMs - this.#beatMs < BEAT_MS)) return;
    this.#moving = moving;
    this.#beatMs = nowMs;
    this.#tell();
  }

  close(): void {
    this.#closed = true;
    this.#restart?.cancel();
    this.#send({ op: 'close' });
    this.#child?.disconnect();
    this.#child = undefined;
  }

  #tell(): void {
    this.#isOwed = this.#isSending;
    if (this.#isSending || !this.#child) return;
    this.#isSending = true;
    this.#send({ op: 'beat', moving: this.#moving }, () => {
      this.#isSending = false;
      if (this.#isOwed) this.#tell();
    });
  }

  #spawn(): void {
    this.#restart = undefined;
    const child = fork(ENTRY, [], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child = child;
    this.#isSending = false;
    child.on('message', (message: FromStandby) => {
      if ('guards' in message) this.#delayMs = RESTART_MS;
      else if ('fault' in message)
        this.#report('warn', `the standby process that stops the robot: ${message.fault}`);
      else
        this.#report(
          'warn',
          `commands stopped arriving; the standby process stopped ${message.stopped.join(', ')}`,
        );
    });
    child.once('error', () => this.#gone(child));
    child.once('exit', () => this.#gone(child));
    try {
      this.#send({ op: 'open', ...this.#start() });
    } catch (error) {
      this.#report('warn', `the standby process that stops the robot cannot be started: ${String(error)}`);
      child.kill('SIGKILL');
      return;
    }
    for (const topic of this.#topics) this.#send({ op: 'guard', topic });
    this.#tell();
  }

  #gone(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#closed) return;
    this.#report('warn', 'the standby process that stops the robot ended; it is restarted');
    this.#restart = this.#clock.after(this.#delayMs, () => this.#spawn());
    this.#delayMs = Math.min(2 * this.#delayMs, RESTART_MS_MAX);
  }

  #send(message: ToStandby, done: () => void = () => {}): void {
    // A failure shows by its exit.
    if (this.#child?.connected) this.#child.send(message, undefined, undefined, () => done());
    else done();
  }
}
