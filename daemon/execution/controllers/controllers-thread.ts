import { LIMITS } from '../../../contract/core.ts';
import { EMERGENCY_STOP } from '../safety/safety-word.ts';
import { ControllerCore, type Step, type Verdict } from './controller-core.ts';
import type { ControllerSpec } from './controller-spec.ts';
import type { Measured, StepGate } from './gate-port.ts';
import type { FromThread, ToThread } from './messages.ts';
import type { SharedState } from './shared-state.ts';

/** The numbers of verdicts in records. */
export const VERDICTS: readonly Verdict[] = ['passed', 'limited', 'refused', 'starved'];
/** Different reasons that are distinguished; there are a few for each joint. Further reasons count as the last one. */
const REASONS_MAX = 1_024;
/** When idle it still looks for messages this often, milliseconds. */
const IDLE_MS = 1_000;
/** A step this near is due, milliseconds: to sleep for less is to be late. */
const DUE_MS = 0.02;
/**
 * After this time without a command that the robot took, the gate restarts: from the measured joints, and from
 * standing where a base's own watchdog has stopped it meanwhile. Milliseconds.
 */
const UNTAKEN_POSITIONS_MS = 100;
const UNTAKEN_SPEEDS_MS = 500;

export type ControllersThreadDeps = {
  readonly specs: readonly ControllerSpec[];
  readonly shared: SharedState;
  makeGate(spec: ControllerSpec): StepGate;
  /** The next message, without waiting; undefined: none. */
  receive(): ToThread | undefined;
  post(message: FromThread, transfer?: readonly ArrayBuffer[]): void;
  /** The time line that the cell's main thread has too, milliseconds. */
  nowMs(): number;
  /** How long this thread was ready and had no processor, in all, milliseconds. */
  waitedMs(): number;
  /** Why the holder of a lease may not move anything in this step; empty: nothing is in the way. */
  forbidden(lease: number): string;
};

type Seat = {
  readonly index: number;
  readonly spec: ControllerSpec;
  readonly core: ControllerCore;
  readonly measured: Measured;
  readonly periodMs: number;
  run: number;
  lease: number;
  dueMs: number;
  /** Of this run the first step that was to be sent; `Infinity`: none yet. */
  firstMs: number;
};

/**
 * All controllers of this daemon, in one thread with its own clock. Each is stepped at absolute times; a step that
 * was missed is not made up for. It never waits for anybody: answers of policies lie in its port when it looks.
 */
export class ControllersThread {
  readonly #deps: ControllersThreadDeps;
  readonly #seats: readonly Seat[];
  readonly #reasons = new Map<string, number>([['', 0]]);
  #waitedMs: number;
  #closed = false;
  #mail = -1;

  constructor(deps: ControllersThreadDeps) {
    this.#deps = deps;
    this.#seats = deps.specs.map((spec, index) => seatOf(spec, index, deps));
    this.#waitedMs = deps.waitedMs();
  }

  /** Returns after `close`. */
  run(): void {
    const { shared, nowMs } = this.#deps;
    while (!this.#closed) {
      const { mail } = shared;
      const dueMs = this.turn();
      const left = Math.min(IDLE_MS, dueMs - nowMs());
      if (left > DUE_MS) shared.sleep(mail, left, dueMs === Infinity);
    }
  }

  /** Reads its messages, does what is due, and returns the time of the next step. */
  turn(): number {
    this.#hear();
    const waited = this.#deps.waitedMs();
    const waitMs = waited - this.#waitedMs;
    this.#waitedMs = waited;
    let next = Infinity;
    for (const seat of this.#seats) {
      if (!seat.core.running) continue;
      const nowMs = this.#deps.nowMs();
      if (seat.dueMs - nowMs <= DUE_MS) this.#step(seat, nowMs, waitMs);
      next = Math.min(next, seat.dueMs);
    }
    return next;
  }

  #step(seat: Seat, nowMs: number, waitMs: number): void {
    const { core, measured, periodMs, index, spec } = seat;
    const lateMs = Math.max(0, nowMs - seat.dueMs);
    seat.dueMs += periodMs * (1 + Math.floor(lateMs / periodMs));
    this.#obey(seat, lateMs);
    if (!core.running) return;
    if (spec.state !== '') {
      measured.known = nowMs - this.#deps.shared.readJoints(index, measured) <= spec.stateAgeMaxMs;
    }
    if (!core.braking && this.#isUntaken(seat, nowMs)) core.anew();
    const step = core.step(nowMs, measured);
    if (step.send) seat.firstMs = Math.min(seat.firstMs, nowMs);
    if (step.done) this.#record(seat, step, nowMs, lateMs, waitMs);
    if (!core.running) this.#deps.post({ kind: 'rested', index, run: seat.run });
    const question = core.question(nowMs);
    if (!question) return;
    const { prefix } = question;
    this.#deps.post({ kind: 'question', index, run: seat.run, ...question }, [prefix.buffer]);
  }

  /** Robot or cell have not taken a command for a while: where the last ones would have led, nothing is. */
  #isUntaken({ index, spec, firstMs, periodMs }: Seat, nowMs: number): boolean {
    const most = spec.output.kind === 'positions' ? UNTAKEN_POSITIONS_MS : UNTAKEN_SPEEDS_MS;
    const sinceMs = nowMs - Math.max(firstMs, this.#deps.shared.takenAt(index));
    return sinceMs > Math.max(most, 3 * periodMs);
  }

  /**
   * A controller that may no longer move comes to rest; by the emergency stop nothing more of it is sent. What was
   * asked for before this thread was frozen is void.
   */
  #obey(seat: Seat, lateMs: number): void {
    const { core, index, run, lease } = seat;
    const frozen = lateMs > LIMITS.FROZEN_MS ? `its thread was suspended for ${Math.round(lateMs)} ms` : '';
    const why = core.braking ? this.#deps.forbidden(lease) : this.#forbidden(seat) || frozen;
    if (why === '' || (core.braking && why !== EMERGENCY_STOP)) return;
    if (!core.braking) this.#deps.post({ kind: 'ended', index, run, reason: why });
    this.#end(seat, why !== EMERGENCY_STOP);
  }

  #end({ core, index, run }: Seat, brakes: boolean): void {
    if (brakes) core.brake();
    else core.end();
    if (!core.running) this.#deps.post({ kind: 'rested', index, run });
  }

  #forbidden({ index, run, lease }: Seat): string {
    if (this.#deps.shared.allowed(index) !== run) return 'stopped';
    return this.#deps.forbidden(lease);
  }

  #record(seat: Seat, step: Step, nowMs: number, lateMs: number, waitMs: number): void {
    this.#deps.shared.write({
      index: seat.index,
      run: seat.run,
      timeMs: nowMs,
      sent: step.send,
      verdict: VERDICTS.indexOf(step.verdict),
      reason: this.#reason(step.reason),
      chunk: step.chunk,
      lateMs,
      lateNetMs: Math.max(0, lateMs - waitMs),
      asked: step.asked,
      applied: step.applied,
    });
  }

  #hear(): void {
    const { mail } = this.#deps.shared;
    if (mail === this.#mail) return;
    this.#mail = mail;
    for (let message = this.#deps.receive(); message; message = this.#deps.receive()) {
      if (message.kind === 'close') {
        this.#closed = true;
        continue;
      }
      const seat = this.#seats[message.index];
      if (!seat) continue;
      if (message.kind === 'begin') this.#begin(seat, message.run, message.lease);
      else if (message.run === seat.run) this.#tell(seat, message);
    }
  }

  #begin(seat: Seat, run: number, lease: number): void {
    seat.run = run;
    seat.lease = lease;
    seat.dueMs = this.#deps.nowMs();
    seat.firstMs = Infinity;
    seat.core.begin();
  }

  #tell(seat: Seat, message: Exclude<ToThread, { kind: 'close' | 'begin' }>): void {
    const { core, index, run } = seat;
    const nowMs = this.#deps.nowMs();
    if (message.kind === 'end' && core.running) this.#end(seat, message.brakes);
    if (message.kind === 'failed') core.failed(message.id, nowMs);
    const taken = message.kind === 'answer' ? core.answer(message, nowMs) : undefined;
    if (!taken || message.kind !== 'answer') return;
    const { policyHash, horizon: rows } = message;
    const anchorMs = nowMs - taken.delayMs;
    this.#deps.post({ kind: 'chunk', index, run, ...taken, rows, policyHash, anchorMs });
  }

  #reason(text: string): number {
    const known = this.#reasons.get(text);
    if (known !== undefined) return known;
    const id = Math.min(this.#reasons.size, REASONS_MAX);
    if (id < REASONS_MAX) this.#reasons.set(text, id);
    this.#deps.post({ kind: 'reason', id, text: id < REASONS_MAX ? text : 'another reason' });
    return id;
  }
}

function seatOf(spec: ControllerSpec, index: number, { shared, makeGate }: ControllersThreadDeps): Seat {
  const { length } = spec.output.names;
  const measured = { positions: new Float64Array(length), efforts: new Float64Array(length), known: false };
  const stale = (nowMs: number) => {
    for (let i = 0; i < spec.inputs.length; i++) {
      if (!(nowMs - shared.measuredAt(index, i) <= spec.inputs[i]!.ageMaxMs)) return i;
    }
    return spec.state === '' || measured.known ? -1 : spec.inputs.length;
  };
  const core = new ControllerCore(spec, makeGate(spec), stale);
  const periodMs = 1000 / spec.rateHz;
  return { index, spec, core, measured, periodMs, run: 0, lease: 0, dueMs: Infinity, firstMs: Infinity };
}
