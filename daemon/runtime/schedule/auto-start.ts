import { type Clock, EdgeError, type RuntimeApi, type Timer } from '../../../contract/core.ts';
import { StartRecord, type StartRecordParts } from './start-record.ts';
import { UNDECIDED, unfinishedRuns } from './unfinished-runs.ts';

export type AutoStartParts = StartRecordParts & {
  /** The name of this start. */
  readonly start: string;
  readonly clock: Clock;
  readonly runtime: Pick<RuntimeApi, 'submit' | 'runs'>;
  report(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** Between two looks at a run that may stand for the one of this start, and between two tries, milliseconds. */
const AGAIN_MS = 3_000;

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
  #told = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AutoStartParts) {
    this.#parts = parts;
    this.#record = new StartRecord(parts);
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

  #wake(): void {
    this.#looking = this.#look();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#stopped || (await this.#settled()) || this.#stopped) return;
    this.#timer = this.#parts.clock.after(AGAIN_MS, () => this.#wake());
  }

  /** Whether this start has its run, or will have none. Never rejects. */
  async #settled(): Promise<boolean> {
    const { type, robot, start, runtime, report } = this.#parts;
    try {
      // Before the log is read: it shows what is over by now.
      if (unfinishedRuns(runtime, robot).some(({ intent }) => intent.type === type)) return false;
      if ((await this.#record.isSettled(() => this.#stopped)) || this.#stopped) return true;
      await runtime.submit(
        { type, idempotency_key: `start ${start}` },
        { tenant: 'local', principal: robot, roles: ['operator'], origin: 'schedule' },
      );
      return true;
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'submit', type);
      const isFinal = !UNDECIDED.has(code);
      if (isFinal) report('error', `runs.auto_start: ${message}`, { type, code });
      else if (!this.#told) report('error', `runs.auto_start: ${message}; it is tried again`, { type, code });
      this.#told = true;
      return isFinal;
    }
  }
}
