import {
  type CellBus,
  type Clock,
  EdgeError,
  type EStopState,
  isFinished,
  LIMITS,
  METHODS,
  type RuntimeStatus,
  type Timer,
  TOPICS,
  withDeadline,
} from '../../../contract/core.ts';

export type StopWatchParts = {
  readonly bus: Pick<CellBus, 'request' | 'onBroadcast'>;
  readonly clock: Clock;
  readonly runtime: { status(): RuntimeStatus; cancel(runId: string, reason: string): Promise<unknown> };
  report(level: 'warn', message: string, facts?: Readonly<Record<string, unknown>>): void;
};

/** Until the execution cell has said once how it stands, milliseconds. */
const ASK_MS = 500;

/**
 * No run outlives an emergency stop: a release starts nothing. Runs are cancelled when it is engaged, and
 * those that are there at the start while it is.
 */
export class StopWatch {
  readonly #parts: StopWatchParts;
  #timer: Timer | undefined;

  constructor(parts: StopWatchParts) {
    this.#parts = parts;
    parts.bus.onBroadcast(TOPICS.stopEngaged, (body) => this.#take(body as EStopState));
  }

  start(): void {
    const { bus, clock } = this.#parts;
    let asking = false;
    this.#timer = clock.every(ASK_MS, () => {
      if (asking) return;
      asking = true;
      bus.request('execution', METHODS.execution.estopState, {}, ASK_MS).then(
        (state) => {
          this.#timer?.cancel();
          this.#take(state);
        },
        () => {
          asking = false;
        },
      );
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #take({ engaged, by, source, reason }: EStopState): void {
    if (!engaged) return;
    const { runtime, clock, report } = this.#parts;
    const why = `emergency stop by ${by} (${source})${reason === '' ? '' : `: ${reason}`}`.slice(0, 256);
    // Waiting ones first: none may take the place of another.
    const open = [...runtime.status().runs]
      .filter(({ status }) => !isFinished(status))
      .sort((a, b) => Number(b.status === 'queued') - Number(a.status === 'queued'));
    const ended = Promise.all(open.map(({ run_id }) => runtime.cancel(run_id, why)));
    withDeadline(clock, LIMITS.CELL_REQUEST_MS, ended, 'cancel', 'runs').catch((thrown: unknown) => {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'cancel', 'runs');
      report('warn', `runs were not cancelled by the emergency stop: ${message}`, { code });
    });
  }
}
