import {
  LIMITS,
  type Maneuver,
  type MotionResult,
  type NavigateGoal,
  NOT_CONFIRMED,
} from '../../../contract/core.ts';
import { ManeuverMotion } from './maneuver-motion.ts';
import { type Drive, elapsedMs, HALT, type Motion, type MotionEnd, type MotionInput } from './motion.ts';
import { MOTION_TABLE, type MotionEffect, type MotionEvent, type MotionState } from './motion-table.ts';
import { NavigateMotion } from './navigate-motion.ts';
import type { PathPlanner } from './path-planner.ts';
import type { Slam } from './slam.ts';

export type MotionOrder =
  | { readonly id: string; readonly kind: 'navigate'; readonly goal: NavigateGoal }
  | { readonly id: string; readonly kind: 'maneuver'; readonly step: Maneuver };

/** Standing still: measured twist below these in this many measurements in a row. */
const STILL_M_S = 0.01;
const STILL_RAD_S = 0.04;
const STILL_STEPS = 2;

type Running = { order: MotionOrder; motion: Motion; startedAt: bigint; distanceAt: number };
type Ended = { running: Running; end: MotionEnd };

/**
 * One motion at a time. Whatever ends a motion, the drive is `halt` until the robot stands, and only then is
 * anybody answered; a newer motion waits for that. Pure: time and measurements come in with `step`.
 */
export class Navigator {
  readonly #slam: Slam;
  readonly #planner: PathPlanner;
  readonly #settled: (id: string, result: MotionResult) => void;
  #state: MotionState = 'idle';
  #running: Running | undefined;
  #ended: Ended | undefined;
  #queued: MotionOrder | undefined;
  #stops: ((confirmed: boolean) => void)[] = [];
  #stoppingSince: bigint | undefined;
  #stillSteps = 0;
  #stillAt: bigint | undefined;
  #isConfirmed = true;
  #input: MotionInput | undefined;

  constructor(slam: Slam, planner: PathPlanner, settled: (id: string, result: MotionResult) => void) {
    this.#slam = slam;
    this.#planner = planner;
    this.#settled = settled;
  }

  get state(): MotionState {
    return this.#state;
  }

  /** The motion that runs, is ending or waits. */
  get activeId(): string | undefined {
    return this.#running?.order.id ?? this.#ended?.running.order.id ?? this.#queued?.id;
  }

  request(order: MotionOrder): void {
    this.#dispatch('request', { end: { outcome: 'preempted', message: `by motion ${order.id}` }, order });
  }

  /** Ends the named motion; unknown ids are those already settled and change nothing. */
  cancel(id: string, reason: string): void {
    if (this.#queued?.id === id) {
      this.#unqueue(reason);
    } else if (this.#running?.order.id === id) {
      this.#dispatch('cancel', { end: { outcome: 'stopped', message: reason } });
    }
  }

  /** `standing` is called once the robot stands still, or with false where that could not be seen in time. */
  stop(reason: string, standing: (confirmed: boolean) => void): void {
    this.#stops.push(standing);
    this.#dispatch('stop', { end: { outcome: 'stopped', message: reason } });
  }

  /** Answers everything at once: the robot that was to be moved is gone. This navigator is not used again. */
  abandon(message: string): void {
    this.#unqueue(message);
    if (this.#running) this.#ended = { running: this.#running, end: { outcome: 'stopped', message } };
    this.#running = undefined;
    this.#state = 'idle';
    this.#settle();
  }

  /** Once per control step: what to do now. */
  step(input: MotionInput): Drive {
    this.#input = input;
    if (this.#state === 'stopping') this.#watchStill(input);
    if (this.#state !== 'moving') return HALT;
    const running = this.#running!;
    if (running.startedAt < 0n) {
      running.startedAt = input.now;
      running.distanceAt = input.distance;
    }
    const step = running.motion.step(input);
    if (step.end) this.#dispatch('finish', { end: step.end });
    return step.end ? HALT : step.drive;
  }

  #dispatch(event: MotionEvent, with_: { end?: MotionEnd; order?: MotionOrder } = {}): void {
    const { next, effects } = MOTION_TABLE[this.#state][event];
    const entersStopping = next === 'stopping' && this.#state !== 'stopping';
    this.#state = next;
    if (entersStopping) {
      this.#stoppingSince = this.#input?.now;
      this.#stillSteps = 0;
    }
    for (const effect of effects) this.#carryOut(effect, with_.end, with_.order);
    if (event === 'still' && this.#queued) {
      const order = this.#queued;
      this.#queued = undefined;
      this.#dispatch('request', { order });
    }
  }

  #carryOut(effect: MotionEffect, end: MotionEnd | undefined, order: MotionOrder | undefined): void {
    switch (effect) {
      case 'begin':
        this.#running = { order: order!, motion: this.#make(order!), startedAt: -1n, distanceAt: 0 };
        break;
      case 'queue':
        if (this.#queued)
          this.#answer(this.#queued.id, { outcome: 'preempted', message: `by motion ${order!.id}` });
        this.#queued = order;
        break;
      case 'end':
        this.#ended = { running: this.#running!, end: end! };
        this.#running = undefined;
        break;
      case 'unqueue':
        this.#unqueue(end!.message);
        break;
      case 'settle':
        this.#settle();
        break;
    }
  }

  #make(order: MotionOrder): Motion {
    if (order.kind === 'maneuver') return new ManeuverMotion(order.step);
    return new NavigateMotion(order.goal, this.#slam, this.#planner);
  }

  #unqueue(reason: string): void {
    const queued = this.#queued;
    this.#queued = undefined;
    if (queued) this.#answer(queued.id, { outcome: 'stopped', message: reason });
  }

  #settle(): void {
    const ended = this.#ended;
    const stops = this.#stops;
    this.#ended = undefined;
    this.#stops = [];
    if (ended) this.#answer(ended.running.order.id, ended.end, ended.running);
    for (const standing of stops) standing(this.#isConfirmed);
  }

  #answer(id: string, end: MotionEnd, running?: Running): void {
    const now = this.#input;
    const moved = running !== undefined && running.startedAt >= 0n && now !== undefined;
    this.#settled(id, {
      outcome: end.outcome,
      message: end.message,
      time: now?.now ?? 0n,
      pose: now?.pose,
      distance: moved ? now.distance - running.distanceAt : 0,
      durationMs: moved ? elapsedMs(running.startedAt, now.now) : 0,
    });
  }

  #watchStill(input: MotionInput): void {
    this.#stoppingSince ??= input.now;
    const { twist, measuredAt = input.now, isHalted = true } = input;
    const still = isHalted && Math.abs(twist.linear) < STILL_M_S && Math.abs(twist.angular) < STILL_RAD_S;
    // One measurement that is looked at twice says nothing new.
    if (!still) this.#stillSteps = 0;
    else if (measuredAt !== this.#stillAt) this.#stillSteps++;
    this.#stillAt = measuredAt;
    this.#isConfirmed = this.#stillSteps >= STILL_STEPS;
    if (this.#isConfirmed) {
      this.#dispatch('still');
    } else if (elapsedMs(this.#stoppingSince, input.now) > LIMITS.STILL_WAIT_MS) {
      if (this.#ended) {
        const { running, end } = this.#ended;
        this.#ended = {
          running,
          end: { ...end, message: `${end.message}; ${NOT_CONFIRMED}` },
        };
      }
      this.#dispatch('still');
    }
  }
}
