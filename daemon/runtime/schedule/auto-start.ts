import {
  type AutoStartView,
  type Clock,
  EdgeError,
  type RuntimeApi,
  type Timer,
  type Wanted,
} from '../../../contract/core.ts';
import { StartRecord, type StartRecordParts } from './start-record.ts';
import { RETRY_MS, UNANSWERED_TRIES_MAX, UnansweredTries } from './tries.ts';
import { isUnanswered, isUndecided, unfinishedRuns } from './unfinished-runs.ts';

export type AutoStartParts = StartRecordParts & {
  /** The name of this start. */
  readonly start: string;
  readonly clock: Clock;
  readonly runtime: Pick<RuntimeApi, 'submit' | 'runs' | 'stops' | 'moves'>;
  report(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** Between two looks at a run that may stand for the one of this start, milliseconds. */
const LOOK_MS = 3_000;

/**
 * Gives the robot one intent at each start of the daemon (`runs.auto_start`). A run of an earlier start that
 * continues stands for it: only where that could not continue after its interruption the intent is sent. It is sent
 * under a key of this start, so a cell that restarts sends none a second time, and one that died before it was sent
 * sends it.
 */
export class AutoStart {
  readonly #parts: AutoStartParts;
  readonly #record: StartRecord;
  #timer: Timer | undefined;
  #stopped = false;
  readonly #unanswered = new UnansweredTries();
  readonly #wanted: Wanted;
  #pauseMs = LOOK_MS;
  #view: AutoStartView | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AutoStartParts) {
    this.#parts = parts;
    this.#record = new StartRecord(parts);
    this.#wanted = parts.runtime.stops.now();
  }

  /** After the runtime is up, which does not wait: there may be much to look through. */
  start(): void {
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Undefined where nothing failed, or the intent was accepted since. */
  view(): AutoStartView | undefined {
    return this.#view;
  }

  #wake(): void {
    this.#looking = this.#look();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#stopped || (await this.#settled()) || this.#stopped) return;
    this.#timer = this.#parts.clock.after(this.#pauseMs, () => this.#wake());
  }

  /** Whether this start has its run, or will have none. Never rejects. */
  async #settled(): Promise<boolean> {
    const { type, robot, start, runtime, report } = this.#parts;
    this.#pauseMs = LOOK_MS;
    try {
      // Before the log is read: it shows what is over by now.
      if (unfinishedRuns(runtime, robot).some(({ intent }) => intent.type === type)) return false;
      if ((await this.#record.isSettled(() => this.#stopped)) || this.#stopped) return true;
      if (runtime.stops.since(this.#wanted, { moves: () => runtime.moves(type) }))
        throw new EdgeError('robot.preempted', {
          ...{ operation: 'submit', subject: type, message: 'the robot was stopped before it started' },
          hint: 'send the intent yourself: auraison intent send',
        });
      await runtime.submit(
        { type, idempotency_key: `start ${start}` },
        { tenant: 'local', principal: robot, roles: ['operator'], origin: 'schedule' },
        this.#wanted.atMs,
      );
      if (this.#view) report('info', 'runs.auto_start: the intent is accepted now', { type });
      this.#view = undefined;
      return true;
    } catch (thrown) {
      return this.#failed(EdgeError.from(thrown, 'internal.fault', 'submit', type));
    }
  }

  /** Whether that is final. A denial is; a policy that gave no answer in time, or a log that refuses, is not. */
  #failed(error: EdgeError): boolean {
    const { type, report } = this.#parts;
    const { code, message: reason } = error;
    const isFirst = this.#view === undefined;
    const say = (words: string) => report('error', `runs.auto_start: ${words}`, { type, code });
    const view = (state: AutoStartView['state']) => {
      this.#view = { state, intent: type, tries: this.#unanswered.failed, reason };
      return state === 'ended';
    };
    if (!isUndecided(error)) {
      say(reason);
      return view('ended');
    }
    if (!isUnanswered(error)) {
      this.#pauseMs = RETRY_MS;
      if (isFirst) say(`${reason}; it is tried again`);
      return view('waiting');
    }
    this.#pauseMs = this.#unanswered.fail();
    const { failed: tries } = this.#unanswered;
    if (this.#unanswered.isOver) {
      say(`${reason}; no policy answered in ${tries} tries; it is not tried again`);
      return view('ended');
    }
    say(`${reason}; try ${tries} of ${UNANSWERED_TRIES_MAX}, the next in ${this.#pauseMs / 1_000} s`);
    return view('waiting');
  }
}
