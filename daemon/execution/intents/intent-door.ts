import {
  type CallAsk,
  type CallReply,
  type CellBus,
  type CellReport,
  type Clock,
  EdgeError,
  type IntentSubmit,
  LIMITS,
  METHODS,
  type PolicyContext,
  pause,
  type RunBrief,
  type RunBriefsRequest,
  type RunCancel,
  type RuntimeCall,
  type Timer,
  TOPICS,
} from '../../../contract/core.ts';

/**
 * How often it is asked whether the runtime is there, milliseconds; an answer older than three of them does not
 * count.
 */
const PROBE_MS = 1_000;
const PROBES_MISSED_MAX = 3;
const AGAIN_MS = 250;
/** A cancellation stops the robot first, milliseconds. */
const CANCEL_MS = 10_000;
/** How long an intent whose answer was lost is looked for, milliseconds. */
const LOOK_FOR_MS = 30_000;
/** The runtime did not say anything about the intent: it may be asked again under the same key. */
const UNANSWERED: ReadonlySet<string> = new Set(['cell.unavailable', 'cell.restarted', 'deadline.exceeded']);

export type DoorParts = {
  readonly bus: Pick<CellBus, 'request' | 'onBroadcast'>;
  readonly clock: Clock;
  readonly report: (level: 'info' | 'warn', message: string) => void;
};

/** The runtime as this cell asks it: with deadlines, again where a key makes that safe, and whether it is there at all. */
export class IntentDoor {
  readonly #parts: DoorParts;
  #answeredMs = -Infinity;
  #probe: Timer | undefined;
  #probing = false;
  #told: CellReport['state'] | undefined;
  readonly #opened = Promise.withResolvers<void>();

  constructor(parts: DoorParts) {
    this.#parts = parts;
    parts.bus.onBroadcast(TOPICS.cellState, (body) => {
      const runtime = (body as readonly CellReport[]).find(({ name }) => name === 'runtime');
      if (!runtime || runtime.state === this.#told) return;
      this.#told = runtime.state;
      // A question that was put before it came up may wait in vain for two seconds: no other caller shall.
      if (runtime.state === 'up') this.#answered();
      else this.#answeredMs = -Infinity;
    });
  }

  start(): void {
    void this.#look();
    this.#probe ??= this.#parts.clock.every(PROBE_MS, () => void this.#look());
  }

  close(): void {
    this.#probe?.cancel();
  }

  /** The runtime has answered a moment ago, or has just come up. */
  get isOpen(): boolean {
    return this.#parts.clock.monotonicMs() - this.#answeredMs < PROBE_MS * PROBES_MISSED_MAX;
  }

  /** Settles when the runtime is there for the first time. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /**
   * Puts an intent; it is asked again within `withinMs` where the runtime did not answer and the intent has a key.
   * Rejects with what the runtime says, or with `cell.unavailable`, `cell.restarted`, `deadline.exceeded`.
   */
  async submit(request: unknown, context: PolicyContext, withinMs: number): Promise<RunBrief> {
    const { clock } = this.#parts;
    const wantedAtMs = clock.monotonicMs();
    const endMs = wantedAtMs + withinMs;
    const again = typeof (request as { idempotency_key?: unknown } | null)?.idempotency_key === 'string';
    for (;;) {
      const leftMs = Math.max(1, endMs - clock.monotonicMs());
      const body: IntentSubmit = { request, context };
      try {
        return await this.#ask(METHODS.runtime.intentSubmit, body, leftMs, wantedAtMs);
      } catch (error) {
        if (!again || !isUnanswered(error) || clock.monotonicMs() + AGAIN_MS >= endMs) throw error;
        await pause(clock, AGAIN_MS);
      }
    }
  }

  briefs(request: RunBriefsRequest, timeoutMs: number): Promise<readonly RunBrief[]> {
    return this.#ask(METHODS.runtime.runBriefs, request, timeoutMs);
  }

  /** Settles when the robot stands and the run has ended. */
  cancel(cancel: RunCancel): Promise<RunBrief> {
    return this.#ask(METHODS.runtime.runCancel, cancel, CANCEL_MS);
  }

  /** It is no longer wanted and its answer was lost: if it opened a run, the run is cancelled when it is found. */
  async disown(key: NonNullable<RunBriefsRequest['key']>, reason: string): Promise<void> {
    const { clock, report } = this.#parts;
    const endMs = clock.monotonicMs() + LOOK_FOR_MS;
    while (clock.monotonicMs() < endMs) {
      await pause(clock, PROBE_MS);
      try {
        const [run] = await this.briefs({ key }, LIMITS.CELL_REQUEST_MS);
        if (!run) continue;
        await this.cancel({ runId: run.run_id, reason });
        return report('warn', `run ${run.run_id} was cancelled: ${reason}`);
      } catch {
        // The runtime is not back yet.
      }
    }
  }

  async #ask<N extends RuntimeCall>(
    method: N,
    body: CallAsk<N>,
    timeoutMs: number,
    wantedAtMs?: number,
  ): Promise<CallReply<N>> {
    try {
      const answer = await this.#parts.bus.request<N>('runtime', method, body, timeoutMs, wantedAtMs);
      this.#answered();
      return answer;
    } catch (error) {
      if (!isUnanswered(error)) this.#answered();
      throw error;
    }
  }

  #answered(): void {
    this.#answeredMs = this.#parts.clock.monotonicMs();
    this.#opened.resolve();
  }

  async #look(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    await this.briefs({ runIds: [] }, PROBE_MS * 2).catch(() => {});
    this.#probing = false;
  }
}

export function isUnanswered(error: unknown): error is EdgeError {
  return error instanceof EdgeError && UNANSWERED.has(error.code);
}
