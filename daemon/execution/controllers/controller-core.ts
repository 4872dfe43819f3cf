import { LIMITS } from '../../../contract/core.ts';
import { ActionQueue, type PutResult } from './action-queue.ts';
import type { ControllerSpec } from './controller-spec.ts';
import { DelayWindow } from './delay-window.ts';
import type { Gated, Measured, StepGate } from './gate-port.ts';
import { paceOf } from './pacing.ts';
import { type LastApplied, starvedAction } from './starved-action.ts';

/** After a failed inference the next is asked for after this, doubled up to the second, milliseconds. */
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
/** An answer that is later than its deadline by this was lost, milliseconds. */
const LOST_MS = 1_000;

/** Reason of the steps on the way to rest. */
export const STOPPING = 'stopping';

export type Verdict = Gated['verdict'] | 'starved';

/** One control step. The same object and memory at every step. */
export type Step = {
  /** There was a step at all: not before the first chunk of a run, and not when no run is active. */
  done: boolean;
  /** `applied` goes to the robot. */
  send: boolean;
  verdict: Verdict;
  reason: string;
  chunk: number;
  readonly asked: Float64Array;
  readonly applied: Float64Array;
};

/** The next question to the policy. */
export type Question = {
  readonly id: number;
  /** What action 0 of the answer is for. */
  readonly anchorMs: number;
  /** [n, dimension]: what will be executed before the answer is there. */
  readonly prefix: Float32Array<ArrayBuffer>;
  /** Of the prefix: time between two of its rows, and the policy that made them. 0 and '' before the first chunk. */
  readonly stepMs: number;
  readonly policyHash: string;
};

export type Answer = {
  readonly id: number;
  readonly stepMs: number;
  readonly actions: Float32Array | Float64Array;
  /** [horizon, dimension] as the policy says. */
  readonly horizon: number;
  readonly dimension: number;
  readonly policyHash: string;
};

export type AnswerTaken = { readonly chunk: number; readonly result: PutResult; readonly delayMs: number };

/** Says which input is too old now: its index, behind the last of them the measured joints, or -1. */
export type StaleInput = (nowMs: number) => number;

/**
 * One controller without clock, thread or policy: the same calls give the same steps. Times are monotonic
 * milliseconds. `step` is called at every period; `question` after it, and whatever it asks is answered by `answer`
 * or `failed`, once, in any step later.
 */
export class ControllerCore {
  readonly #spec: ControllerSpec;
  readonly #gate: StepGate;
  readonly #stale: StaleInput;
  readonly #queue: ActionQueue;
  #delays = new DelayWindow();
  readonly #dimension: number;
  readonly #step: Step;
  readonly #values: Float64Array;
  readonly #rates: Float64Array;
  /**
   * Where starving leads from: what was applied at first, then what was asked for. A gate that smooths may not be asked
   * for what it let through itself: it would take its own motion for the goal's, and an arm that holds would creep.
   */
  readonly #starving: LastApplied;
  readonly #periodMs: number;
  #running = false;
  #braking = false;
  /** Something was applied in this run. */
  #acted = false;
  #lastMs: number | undefined;
  #starvedSince: number | undefined;
  #p99Ms: number | undefined;
  #horizon = 0;
  #chunks = 0;
  #questions = 0;
  #pending: { readonly id: number; readonly anchorMs: number; readonly askedMs: number } | undefined;
  #lastAnchor = -Infinity;
  #retryMs = RETRY_FIRST_MS;
  #notBefore = -Infinity;

  constructor(spec: ControllerSpec, gate: StepGate, stale: StaleInput) {
    this.#spec = spec;
    this.#gate = gate;
    this.#stale = stale;
    this.#periodMs = 1000 / spec.rateHz;
    const dimension = spec.output.names.length;
    this.#dimension = dimension;
    const { aggregation, ensembleCoefficient, blend, interpolate } = spec;
    this.#queue = new ActionQueue({
      dimension,
      aggregation,
      ensembleCoefficient,
      blend,
      // A speed is what it is until the next one; only positions have something between them.
      interpolate: interpolate && spec.output.kind === 'positions',
    });
    const memory = () => new Float64Array(dimension);
    this.#values = memory();
    this.#rates = memory();
    this.#starving = { values: memory(), rates: this.#rates };
    this.#step = {
      done: false,
      send: false,
      verdict: 'starved',
      reason: '',
      chunk: 0,
      asked: memory(),
      applied: memory(),
    };
  }

  get running(): boolean {
    return this.#running;
  }

  /** On its way to rest. */
  get braking(): boolean {
    return this.#braking;
  }

  begin(): void {
    this.#running = true;
    this.#braking = false;
    this.#forget();
    this.#acted = false;
    this.#starvedSince = undefined;
    this.#lastMs = undefined;
    this.#chunks = 0;
    // Another run may have another policy on another path: what the last one took says nothing of this one.
    this.#delays = new DelayWindow();
    this.#p99Ms = undefined;
    this.#horizon = 0;
    this.#retryMs = RETRY_FIRST_MS;
    this.#notBefore = -Infinity;
    this.#gate.reset();
  }

  /** What was let through did not arrive: the next step starts as the first one does. */
  anew(): void {
    this.#gate.reset();
  }

  end(): void {
    this.#running = false;
    this.#braking = false;
    this.#forget();
  }

  /** The next steps are on the way to rest, and the last of them ends it. Where nothing moves it is over now. */
  brake(): void {
    if (!this.#running || this.#braking) return;
    this.#forget();
    this.#braking = this.#acted && this.#gate.halt !== undefined;
    if (!this.#braking) this.end();
  }

  step(nowMs: number, measured: Measured): Step {
    const step = this.#step;
    step.done = false;
    step.send = false;
    if (!this.#running) return step;
    const sinceLast = this.#lastMs === undefined ? this.#periodMs : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    // A gap does not open the limits of the gate: it counts as two periods at most.
    const periodMs = Math.min(Math.max(sinceLast, 0), 2 * this.#periodMs);
    if (this.#braking) {
      // It was not commanded meanwhile, so it stands: the speed of before would move it.
      if (sinceLast > LIMITS.COMMAND_EXPIRY_MS) this.#gate.reset();
      return this.#brakeStep(periodMs);
    }
    const stale = this.#stale(nowMs);
    if (stale >= 0) this.#forget();
    step.chunk = this.#queue.at(nowMs, step.asked);
    if (step.chunk === 0) {
      step.reason = stale >= 0 ? `input ${this.#nameOf(stale)} is too old` : 'no action';
      if (!this.#acted) return step;
      if (this.#starvedSince === undefined) {
        this.#starvedSince = nowMs - periodMs;
        this.#starving.values.set(this.#values);
      }
      starvedAction(this.#spec, this.#starving, nowMs - this.#starvedSince, periodMs, step.asked);
      this.#starving.values.set(step.asked);
    }
    const gated = this.#gate.apply(step.asked, periodMs / 1000, measured);
    step.send = gated.applied.length === this.#dimension;
    if (step.send) this.#applied(gated.applied, periodMs, step.chunk !== 0);
    if (step.chunk !== 0) this.#starvedSince = undefined;
    step.verdict = step.chunk === 0 ? 'starved' : gated.verdict;
    if (step.chunk !== 0) step.reason = gated.reason;
    step.done = true;
    this.#acted ||= step.send;
    return step;
  }

  #brakeStep(periodMs: number): Step {
    const step = this.#step;
    const gated = this.#gate.halt!(periodMs / 1000);
    step.send = gated.applied.length === this.#dimension;
    step.done = step.send;
    step.chunk = 0;
    step.verdict = 'limited';
    step.reason = STOPPING;
    if (step.send) this.#applied(gated.applied, periodMs, false);
    step.asked.set(step.applied);
    if (!step.send || this.#gate.atRest !== false) this.end();
    return step;
  }

  /** What was applied by the last step, and how fast that changes, per second. */
  get values(): Float64Array {
    return this.#values;
  }
  get rates(): Float64Array {
    return this.#rates;
  }

  /** Asked after each step; undefined while there is nothing to ask. */
  question(nowMs: number): Question | undefined {
    if (!this.#running || this.#braking || nowMs < this.#notBefore) return undefined;
    const pending = this.#pending;
    if (pending && nowMs - pending.askedMs < this.#spec.inferTimeoutMs + LOST_MS) return undefined;
    if (this.#stale(nowMs) >= 0) return undefined;
    const anchorMs = this.#queue.anchor(nowMs);
    if (anchorMs <= this.#lastAnchor) return undefined;
    const pace = this.#pace();
    const always = this.#spec.aggregation === 'temporal_ensemble';
    if (pace && !always && this.#queue.leftMs(nowMs) > pace.refillMs) return undefined;
    const id = ++this.#questions;
    this.#lastAnchor = anchorMs;
    this.#pending = { id, anchorMs, askedMs: nowMs };
    const { stepMs, policyHash } = this.#queue;
    return { id, anchorMs, prefix: this.#queue.ahead(nowMs, pace?.prefix ?? 0), stepMs, policyHash };
  }

  /** Undefined: it was not requested, or no longer. */
  answer(
    { id, stepMs, actions, horizon, dimension, policyHash }: Answer,
    nowMs: number,
  ): AnswerTaken | undefined {
    const pending = this.#pending;
    if (!pending || pending.id !== id) return undefined;
    this.#pending = undefined;
    const { anchorMs } = pending;
    const delayMs = nowMs - anchorMs;
    this.#delays.add(delayMs, nowMs);
    this.#p99Ms = this.#delays.quantile(0.99, nowMs);
    this.#horizon = horizon;
    const shaped = dimension === this.#dimension && actions.length === horizon * dimension;
    const paced = paceOf(this.#path(stepMs), this.#spec);
    // An answer that took longer than expected is used as far as it goes.
    const rows = Math.min(paced.most, Math.max(paced.horizon, Math.ceil(delayMs / stepMs) + 1));
    const chunk = this.#chunks + 1;
    const result = !shaped
      ? 'misshapen'
      : this.#isFarOutside(actions, rows)
        ? 'far_outside'
        : this.#queue.put({ id: chunk, anchorMs, stepMs, actions, rows, policyHash, delayMs }, nowMs);
    if (result === 'taken') {
      this.#chunks = chunk;
      this.#retryMs = RETRY_FIRST_MS;
    } else if (result !== 'late') {
      this.#backOff(nowMs);
    }
    return { chunk: result === 'taken' ? chunk : 0, result, delayMs };
  }

  /** The policy did not answer question `id`: it is asked again, with growing pauses. */
  failed(id: number, nowMs: number): void {
    if (this.#pending?.id !== id) return;
    this.#pending = undefined;
    this.#backOff(nowMs);
  }

  #isFarOutside(actions: ArrayLike<number>, rows: number): boolean {
    const { outsideMax } = this.#spec;
    for (let row = 0; row < rows; row++)
      if ((this.#gate.farOutside?.(actions, row * this.#dimension, outsideMax) ?? -1) >= 0) return true;
    return false;
  }

  #backOff(nowMs: number): void {
    this.#notBefore = nowMs + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
    // The slot that it was asked for may be asked for again.
    this.#lastAnchor = -Infinity;
  }

  #pace() {
    const { stepMs } = this.#queue;
    return stepMs === 0 ? undefined : paceOf(this.#path(stepMs), this.#spec);
  }

  #path(stepMs: number) {
    return { p99Ms: this.#p99Ms, periodMs: this.#periodMs, stepMs, horizon: this.#horizon };
  }

  #forget(): void {
    this.#queue.clear();
    this.#pending = undefined;
    this.#lastAnchor = -Infinity;
  }

  #applied(applied: Float64Array, periodMs: number, hasAction: boolean): void {
    const out = this.#step.applied;
    const positions = this.#spec.output.kind === 'positions';
    for (let j = 0; j < this.#dimension; j++) {
      const value = applied[j]!;
      // Of steps with an action only: what the robot was doing when it started to starve.
      if (hasAction) this.#rates[j] = positions ? this.#rateOf(value, j, periodMs) : value;
      this.#values[j] = value;
      out[j] = value;
    }
  }

  #rateOf(value: number, j: number, periodMs: number): number {
    if (!this.#acted || periodMs <= 0) return 0;
    const rate = ((value - this.#values[j]!) * 1000) / periodMs;
    // Smoothed over a step of the policy: between two of its actions a position may stand and then leap.
    return this.#rates[j]! + ((rate - this.#rates[j]!) * periodMs) / (this.#queue.stepMs + periodMs);
  }

  #nameOf(input: number): string {
    return this.#spec.inputs[input]?.name ?? 'joints';
  }
}
