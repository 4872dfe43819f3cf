import {
  type Clock,
  EdgeError,
  type LanguageModel,
  type ModelHealth,
  type ModelPatience,
  type ModelView,
} from '../../../contract/core.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { FairSlots } from './fair-slots.ts';
import { ModelFigures } from './model-figures.ts';
import type { ShedGate } from './shed-gate.ts';

export type ModelSpec = {
  readonly model: LanguageModel;
  readonly kind: string;
  /** Without anything secret. */
  readonly url: string;
  /** Calls at a time. */
  readonly places: number;
  /** A call waits this long for a place, then the next model is asked; milliseconds. */
  readonly queueMs: number;
  /** A sleeping engine is woken when a call meets it. */
  readonly wake: boolean;
  /** It works on this host: it gives way to the control loops. */
  readonly local?: boolean;
};

/** What a change of state says: into the log, and to people. */
export type StateChange = { readonly state: 'up' | 'failing' | 'down' | 'sleeping'; readonly reason: string };

/** Failures in a row after which a model that was up counts as down. Fewer: it is failing. */
const FAILURES_DOWN = 3;
/** Health checks in a row without an answer after which it counts as down. */
const SILENCES_DOWN = 2;
/** A model with bad answers whose server is healthy counts as up when no call has failed for this long, milliseconds. */
const QUIET_MS = 60_000;

/** One model with what is known of it: breaker, places, health, figures. */
export class ModelEntry {
  readonly spec: ModelSpec;
  readonly slots: FairSlots;
  readonly breaker: CircuitBreaker;
  readonly figures = new ModelFigures();
  readonly #clock: Clock;
  /** Failed calls since the last answer, and health checks in a row without an answer. */
  #failures = 0;
  #silences = 0;
  #failedMs = Number.NEGATIVE_INFINITY;
  #health: ModelHealth | undefined;
  #told: StateChange['state'] | 'unknown' = 'unknown';
  #reason = '';
  #waking: Promise<void> | undefined;
  /** Its server said nothing of use; its health may say that this is over. */
  #unreached = false;

  /** Where its calls pass; undefined: it never gives way. */
  readonly shed: ShedGate | undefined;

  constructor(spec: ModelSpec, clock: Clock, shed?: ShedGate) {
    this.spec = spec;
    this.#clock = clock;
    this.shed = spec.local === true ? shed : undefined;
    this.slots = new FairSlots(spec.model.info.name, spec.places, clock);
    this.breaker = new CircuitBreaker(clock);
  }

  get name(): string {
    return this.spec.model.info.name;
  }

  /** It answered. The change of state, if it is one. */
  answered(): StateChange | undefined {
    this.breaker.good();
    this.#unreached = false;
    this.#failures = 0;
    this.#silences = 0;
    return this.#tell('up', 'it answered');
  }

  /** Its last call did not reach it: its health says whether it is gone. */
  get inDoubt(): boolean {
    return this.#unreached && this.#told === 'failing';
  }

  /** A call of it failed. One failure alone marks no model as down. */
  failed(error: EdgeError): StateChange | undefined {
    this.figures.failed();
    this.#failures += 1;
    this.#failedMs = this.#clock.monotonicMs();
    const state = this.#failures >= FAILURES_DOWN || this.#told === 'down' ? 'down' : 'failing';
    if (error.code === 'model.failed') {
      this.breaker.bad(error.message);
      return this.#tell(state, error.message);
    }
    const { retryAfterMs = 0 } = (error.cause ?? {}) as Partial<ModelPatience>;
    this.breaker.gone(error.message, retryAfterMs);
    this.#unreached = retryAfterMs === 0;
    if (/sleeps/.test(error.message)) {
      if (this.spec.wake) this.wake().catch(() => {});
      return this.#tell('sleeping', error.message);
    }
    return this.#tell(state, error.message);
  }

  /** Its health was asked for at once, since a call did not reach it. A server that answers changes nothing. */
  confirmed(health: ModelHealth): StateChange | undefined {
    if (!health.ok && !health.sleeping && this.inDoubt) this.#silences = SILENCES_DOWN;
    if (!health.ok || health.sleeping) return this.seen(health);
    this.#health = health;
    return undefined;
  }

  /** Its health was asked for. */
  seen(health: ModelHealth): StateChange | undefined {
    this.#health = health;
    if (health.sleeping) {
      this.breaker.gone(health.reason);
      this.#unreached = true;
      return this.#tell('sleeping', health.reason);
    }
    if (!health.ok) {
      if (this.breaker.state === 'closed') this.breaker.gone(health.reason);
      this.#unreached = true;
      this.#silences += 1;
      // One that never answered is not failing: it is not there.
      const gone = this.#silences >= SILENCES_DOWN || ['unknown', 'down', 'sleeping'].includes(this.#told);
      return this.#tell(gone ? 'down' : 'failing', health.reason);
    }
    this.#silences = 0;
    const heals = this.#told === 'failing' || this.#told === 'down';
    const quiet = this.#clock.monotonicMs() - this.#failedMs >= QUIET_MS;
    if (!this.#unreached && this.#told !== 'unknown' && !(heals && quiet)) return undefined;
    this.#unreached = false;
    this.#failures = 0;
    this.breaker.seenAlive();
    return this.#tell('up', 'its server answers');
  }

  /** One wish to wake at a time. */
  wake(): Promise<void> {
    const { model } = this.spec;
    if (model.wake === undefined) {
      return Promise.reject(
        new EdgeError('model.unavailable', {
          operation: 'wake',
          subject: this.name,
          message: 'nothing of this model sleeps',
          retryable: false,
        }),
      );
    }
    this.#waking ??= model.wake().finally(() => {
      this.#waking = undefined;
    });
    return this.#waking;
  }

  view(): ModelView {
    const { model, kind, url, places } = this.spec;
    const { calls, failures, tokensIn, tokensOut, costUsd, firstTokenMs, tokensPerSecond } = this.figures;
    const resting = this.breaker.state === 'open' && this.#told === 'up';
    return {
      ...model.info,
      ...{ kind, url, places, calls, failures, tokensIn, tokensOut, costUsd, firstTokenMs, tokensPerSecond },
      state: resting ? 'resting' : this.#told,
      reason: resting ? this.breaker.reason : this.#reason,
      failuresInRow: this.#failures + this.#silences,
      health: this.#health,
      running: this.slots.taken,
      waiting: this.slots.waiting,
    };
  }

  #tell(state: StateChange['state'], reason: string): StateChange | undefined {
    this.#reason = state === 'up' ? '' : reason;
    if (this.#told === state) return undefined;
    this.#told = state;
    return { state, reason };
  }
}
