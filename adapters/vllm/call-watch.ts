import { type Clock, EdgeError, type ModelHealth, type Timer } from '../../contract/core.ts';

export type WatchTimes = {
  /** Without a token for this long the server's health is checked. Milliseconds, as all times here. */
  readonly silenceMs: number;
  /** From the request to the first token. */
  readonly firstTokenMs: number;
  /** Between two tokens. */
  readonly stallMs: number;
  /** An engine with work and no step for this long hangs, even if its HTTP server answers. */
  readonly hangMs: number;
  /** The whole call. */
  readonly deadlineMs: number;
};

export type WatchParts = {
  readonly clock: Clock;
  readonly times: WatchTimes;
  readonly subject: string;
  /** Settles soon and never rejects; undefined where the server cannot be asked. */
  readonly probe: () => Promise<ModelHealth | undefined>;
  /** A count that grows as the engine works; settles and never rejects as well. */
  readonly steps: () => Promise<number | undefined>;
  readonly fail: (error: EdgeError) => void;
};

const TICK_MS = 50;
/** Number of looks at the engine until it counts as hanging. */
const LOOKS = 6;
const LOOK_MS_MAX = 1_000;
/** A tick later than this means that our own event loop was blocked: no fault of the server. */
const TICK_MS_MAX = 150;

/**
 * Watches one call: first token, gaps between tokens, and the health of the server. A server
 * that sleeps or hangs does not refuse a request but stays silent; its health shows this sooner.
 */
export class CallWatch {
  readonly #parts: WatchParts;
  readonly #timers: readonly Timer[];
  #quietMs = 0;
  #begun = false;
  #probing = false;
  #looking = false;
  /** Silence at which the engine is looked at next. */
  #lookAtMs = 0;
  #over = false;
  #lastTick: number;
  /** Silence when the engine was last seen to have taken a step, and its count of steps then. */
  #stepped: { readonly quietMs: number; readonly steps: number } | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    const { clock, times } = parts;
    this.#lastTick = clock.monotonicMs();
    this.#timers = [
      clock.every(TICK_MS, () => this.#tick()),
      clock.after(times.deadlineMs, () =>
        this.#fail('deadline.exceeded', `no whole answer within ${Math.round(times.deadlineMs)} ms`),
      ),
    ];
  }

  /** A token came. */
  alive(): void {
    this.#begun = true;
    this.#quietMs = 0;
    this.#stepped = undefined;
    this.#lookAtMs = 0;
  }

  close(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
  }

  #tick(): void {
    const now = this.#parts.clock.monotonicMs();
    this.#quietMs += Math.min(TICK_MS_MAX, now - this.#lastTick);
    this.#lastTick = now;
    const { silenceMs, firstTokenMs, stallMs } = this.#parts.times;
    const limit = this.#begun ? stallMs : firstTokenMs;
    if (this.#quietMs >= limit) {
      const what = this.#begun ? 'the stream stalled: no token' : 'no first token';
      this.#fail('model.unavailable', `${what} within ${limit} ms`);
    } else if (this.#quietMs >= silenceMs && !this.#probing) {
      this.#probing = true;
      this.#probe().catch(() => {});
    }
    if (!this.#over && this.#quietMs >= Math.max(silenceMs, this.#lookAtMs) && !this.#looking) {
      this.#looking = true;
      this.#look().catch(() => {});
    }
  }

  async #probe(): Promise<void> {
    const health = await this.#parts.probe();
    // An answer that came in the meantime counts more than health.
    if (health && !health.ok && this.#quietMs >= this.#parts.times.silenceMs) {
      return this.#fail('model.unavailable', `the server is silent: ${health.reason}`);
    }
    this.#probing = false;
  }

  /**
   * Whether the engine works at all: its HTTP server may answer while it hangs. It has this call to work on, and where
   * it has others first its steps show that.
   */
  async #look(): Promise<void> {
    const steps = await this.#parts.steps();
    const { hangMs } = this.#parts.times;
    this.#looking = false;
    // A token that came in the meantime counts more.
    if (steps === undefined || this.#quietMs < this.#parts.times.silenceMs) return;
    this.#lookAtMs = this.#quietMs + Math.min(LOOK_MS_MAX, hangMs / LOOKS);
    if (this.#stepped?.steps !== steps) this.#stepped = { quietMs: this.#quietMs, steps };
    const stillMs = this.#quietMs - this.#stepped.quietMs;
    if (stillMs >= hangMs)
      this.#fail('model.unavailable', `the engine hangs: no step for ${Math.round(stillMs)} ms`);
  }

  #fail(code: 'model.unavailable' | 'deadline.exceeded', message: string): void {
    if (this.#over) return;
    this.close();
    this.#parts.fail(new EdgeError(code, { operation: 'complete', subject: this.#parts.subject, message }));
  }
}
