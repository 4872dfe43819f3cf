import {
  type Clock,
  EdgeError,
  type NewEvent,
  pause,
  type RunOutcome,
  toWireTime,
  type UnwrittenRun,
} from '../../../contract/index.ts';

/** An end that the log refused is tried again after this, milliseconds; doubles up to the longest while it refuses. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** The principal that asked for the end, and whether the robot was measured to stand. */
export type EndNote = { readonly by?: string; readonly stop_confirmed?: false };

export type HeldEndParts = {
  readonly runId: string;
  readonly clock: Clock;
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * The end of one run on its way into the log. Where the log refuses it (a full disk) it is kept and tried again until
 * the log takes it: what was done is not done again, and a cancelled run does not continue.
 */
export class HeldEnd {
  readonly #parts: HeldEndParts;
  readonly #gaveUp = new AbortController();
  readonly #refused = Promise.withResolvers<never>();
  /** Ends of calls that go into the log with the end of the run. */
  readonly #owed: NewEvent[] = [];
  #holds = false;
  #waiting: UnwrittenRun | undefined;

  constructor(parts: HeldEndParts) {
    this.#parts = parts;
    // Possibly no caller waits for it.
    this.#refused.promise.catch(() => {});
  }

  /** What waits, while the log refuses it. */
  get waiting(): UnwrittenRun | undefined {
    return this.#waiting;
  }

  /** Rejects when the log refuses the end for the first time: a waiting caller gets this, and need not wait on. */
  get refused(): Promise<never> {
    return this.#refused.promise;
  }

  /** From here on what calls come to is written with the end of the run. */
  hold(): void {
    this.#holds = true;
  }

  /** What calls come to. An end that the log refuses is not lost: the end of the run brings it along. */
  async note(
    events: readonly NewEvent[],
    append: (events: readonly NewEvent[]) => Promise<void>,
  ): Promise<void> {
    if (this.#holds) return void this.#owed.push(...events);
    try {
      await append(events);
    } catch (thrown) {
      const ends = endsOf(events);
      this.#owed.push(...(isMisfit(thrown) ? ends.map((end) => plainEnd(end, thrown)) : ends));
      throw thrown;
    }
  }

  /**
   * Writes the end with what goes before it, in one go. Settles when it is durable; rejects when it was abandoned.
   */
  async write(
    before: readonly NewEvent[],
    outcome: RunOutcome,
    error: EdgeError | undefined,
    more: EndNote = {},
  ): Promise<void> {
    const { runId } = this.#parts;
    const { status, reason } = outcome;
    this.hold();
    const first = [...before, ...this.#owed];
    try {
      return await this.#write([...first, finishedEvent(runId, outcome, error, more)], status);
    } catch (thrown) {
      if (!isMisfit(thrown)) throw thrown;
      // No log will ever take what it sums up: with that the run would be done again and again.
      const told = `${reason.slice(0, 256)} (what it sums up was left out: ${thrown.message})`;
      const plain = finishedEvent(runId, { status, reason: told, summary: {} }, error, more);
      try {
        return await this.#write([...first, plain], status);
      } catch (again) {
        if (!isMisfit(again)) throw again;
        // Then it is something that goes before the end. This much fits every log.
        const ends = endsOf(this.#owed).map((end) => plainEnd(end, again));
        await this.#write([...ends, plain], status);
      }
    }
  }

  /** The daemon stops: it is tried once more, at once. */
  giveUp(): void {
    this.#gaveUp.abort();
  }

  async #write(events: readonly NewEvent[], end: RunOutcome['status']): Promise<void> {
    const { clock, append, runId } = this.#parts;
    const since_ts = toWireTime(clock.now());
    for (let tries = 1, waitMs = RETRY_FIRST_MS; ; tries++, waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        await append(events);
        this.#waiting = undefined;
        return;
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'log.failed', 'finish', runId);
        if (error.code === 'schema.invalid' || this.#gaveUp.signal.aborted) throw error;
        this.#waiting = { run_id: runId, end, since_ts, tries, reason: error.message };
        if (tries === 1) this.#tell(error, end);
      }
      await pause(clock, waitMs, this.#gaveUp.signal);
    }
  }

  #tell(error: EdgeError, end: string): void {
    const { report, runId } = this.#parts;
    report('the end of a run is not in the log yet', { run_id: runId, end, error: error.toBody() });
    this.#refused.reject(
      new EdgeError(error.code, {
        operation: 'finish',
        subject: runId,
        message: `the run is over (${end}), but its end is not in the log yet and is tried again: ${error.message}`,
        hint: error.hint,
        retryable: true,
        cause: error,
      }),
    );
  }
}

/** No log will ever take what it was handed: another try is as futile as the first. */
export function isMisfit(thrown: unknown): thrown is EdgeError {
  return thrown instanceof EdgeError && thrown.code === 'schema.invalid';
}

type CallEnd = Extract<NewEvent, { kind: 'tool.returned' }>;

/** The ends of calls that the log has heard of: a call that was refused together with its end needs none. */
function endsOf(events: readonly NewEvent[]): CallEnd[] {
  const unheard = new Set(
    events.flatMap((event) => (event.kind === 'tool.called' ? [event.payload.call_id] : [])),
  );
  return events.filter(
    (event): event is CallEnd => event.kind === 'tool.returned' && !unheard.has(event.payload.call_id),
  );
}

/** The end of a call whose result fits no log: the call is over, and that is said without what it gave. */
function plainEnd({ run_id, payload }: CallEnd, thrown: EdgeError): NewEvent {
  const { call_id, tool, duration_ms, ok, error } = payload;
  const fault = new EdgeError(thrown.code, {
    operation: 'log result',
    subject: tool,
    message: `what it gave does not fit into the log: ${ok || !error ? thrown.message : error.message}`,
  });
  return {
    kind: 'tool.returned',
    ...(run_id === undefined ? {} : { run_id }),
    payload: { call_id, tool, ok: false, error: fault.toBody(), duration_ms },
  };
}

/** The event of an end. */
function finishedEvent(
  runId: string,
  { status, reason, score, summary }: RunOutcome,
  error: EdgeError | undefined,
  more: EndNote,
): NewEvent {
  return {
    kind: 'run.finished',
    run_id: runId,
    payload: {
      status,
      reason: reason.slice(0, 512),
      ...(score === undefined ? {} : { score: Math.min(1, Math.max(0, score)) }),
      summary: { ...summary },
      ...(error ? { error: error.toBody() } : {}),
      ...more,
    },
  };
}
