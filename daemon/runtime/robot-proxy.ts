import {
  type CancelRequest,
  type CellBus,
  type Clock,
  checkMotionResult,
  EdgeError,
  type IdSource,
  LIMITS,
  type Maneuver,
  type MapSnapshot,
  METHODS,
  type MotionRequest,
  type MotionResult,
  maneuverTimeMs,
  motionDeadlineMs,
  type Nanoseconds,
  type NavigateGoal,
  type OpenCallName,
  type Robot,
  type RobotState,
  type StopRequest,
  withDeadline,
} from '../../contract/index.ts';
import { askExecution, askMotion } from './ask-execution.ts';
import { currentTraceparent } from './trace-scope.ts';

/**
 * The robot of the execution cell, over the cell bus. Aborting a motion sends `robot.cancel` and waits for
 * the motion to settle; where that stays without an answer the robot is told to stop altogether. Errors of
 * the bus (`cell.unavailable`, `cell.restarted`, `deadline.exceeded`) pass through as they are.
 */
export class RobotProxy implements Robot {
  readonly #bus: CellBus;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  #lastTime: Nanoseconds | undefined;

  constructor(bus: CellBus, clock: Clock, ids: IdSource) {
    this.#bus = bus;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Robot time of the newest answer; undefined before the first. */
  lastTime(): Nanoseconds | undefined {
    return this.#lastTime;
  }

  async state(): Promise<RobotState> {
    const state = await this.#ask<RobotState>(METHODS.execution.robotState, {}, LIMITS.CELL_REQUEST_MS);
    this.#lastTime = state.time;
    return state;
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#ask<MapSnapshot | undefined>(METHODS.execution.robotMap, {}, LIMITS.CELL_REQUEST_MS);
  }

  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move(METHODS.execution.robotNavigate, goal, goal.timeoutMs, signal);
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move(METHODS.execution.robotManeuver, step, maneuverTimeMs(step), signal);
  }

  async stop(reason: string): Promise<void> {
    const body: StopRequest = { reason };
    await this.#ask<unknown>(METHODS.execution.robotStop, body, LIMITS.ROBOT_STOP_MS);
  }

  async #move(
    method: OpenCallName,
    goal: unknown,
    robotTimeMs: number,
    signal?: AbortSignal,
  ): Promise<MotionResult> {
    if (signal?.aborted) return notBegun(this.#lastTime ?? 0n);
    const motionId = this.#ids.next();
    const traceparent = currentTraceparent();
    const body: MotionRequest<unknown> = { motionId, goal, ...(traceparent ? { traceparent } : {}) };
    const port = { bus: this.#bus, clock: this.#clock };
    const motion = askMotion<unknown>(port, method, body, motionDeadlineMs(robotTimeMs), signal);
    const settled = signal ? this.#abortable(motion, motionId, method, signal) : motion;
    const result = checkMotionResult(await settled, method);
    this.#lastTime = result.time;
    return result;
  }

  #abortable(
    motion: Promise<unknown>,
    motionId: string,
    method: OpenCallName,
    signal: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#cancel(motion, motionId, method).then(resolve, reject);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const forget = () => signal.removeEventListener('abort', onAbort);
      motion.then(resolve, reject);
      motion.then(forget, forget);
    });
  }

  async #cancel(motion: Promise<unknown>, motionId: string, method: OpenCallName): Promise<unknown> {
    const body: CancelRequest = { motionId, reason: 'the run ended this motion' };
    // A refused cancel is answered by the stop below; the motion itself says how it ended.
    this.#ask<unknown>(METHODS.execution.robotCancel, body, LIMITS.ROBOT_STOP_MS).catch(() => undefined);
    try {
      return await withDeadline(this.#clock, LIMITS.ROBOT_STOP_MS, motion, method, 'robot');
    } catch (thrown) {
      if (!(thrown instanceof EdgeError) || thrown.code !== 'deadline.exceeded') throw thrown;
      await this.stop('a cancelled motion did not settle');
      return notBegun(
        this.#lastTime ?? 0n,
        'cancelled; the robot was stopped without an answer of the motion',
      );
    }
  }

  #ask<T>(method: OpenCallName, body: unknown, timeoutMs: number): Promise<T> {
    return askExecution<T>({ bus: this.#bus, clock: this.#clock }, method, body, timeoutMs);
  }
}

function notBegun(time: Nanoseconds, message = 'the motion was cancelled before it began'): MotionResult {
  return { outcome: 'stopped', pose: undefined, distance: 0, durationMs: 0, time, message };
}
