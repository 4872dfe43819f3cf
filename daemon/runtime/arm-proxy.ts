import {
  type ArmState,
  type CancelRequest,
  type CellBus,
  type Clock,
  EdgeError,
  type IdSource,
  LIMITS,
  METHODS,
  type MotionRequest,
  type MotionResult,
  type OpenCallName,
  type TrajectoryGoal,
  withDeadline,
} from '../../contract/index.ts';
import { askExecution } from './ask-execution.ts';
import { checkMotionResult, motionDeadlineMs } from './robot-tools.ts';
import { currentTraceparent } from './trace-scope.ts';

/**
 * The arm of the execution cell, over the cell bus. Aborting a motion cancels it there; one that does not settle
 * then is told to stop. Errors of the bus and of the arm (`robot.not_supported` without one) pass through.
 */
export class ArmProxy {
  readonly #bus: Pick<CellBus, 'request'>;
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor(bus: Pick<CellBus, 'request'>, clock: Clock, ids: IdSource) {
    this.#bus = bus;
    this.#clock = clock;
    this.#ids = ids;
  }

  state(): Promise<ArmState> {
    return this.#ask<ArmState>(METHODS.execution.armState, {}, LIMITS.CELL_REQUEST_MS);
  }

  /** Positions in radians or metres by joint, to be reached after `durationMs` of robot time. */
  move(
    positions: Readonly<Record<string, number>>,
    durationMs: number,
    signal: AbortSignal,
  ): Promise<MotionResult> {
    const goal: TrajectoryGoal = { points: [{ positions, timeFromStartMs: durationMs }] };
    return this.#move(METHODS.execution.armFollow, goal, durationMs, signal);
  }

  /** Opening in metres, effort in newtons. */
  gripper(opening: number, effort: number, timeMs: number, signal: AbortSignal): Promise<MotionResult> {
    return this.#move(METHODS.execution.armGripper, { opening, effort }, timeMs, signal);
  }

  async #move(method: OpenCallName, goal: unknown, robotTimeMs: number, signal: AbortSignal) {
    if (signal.aborted) throw new EdgeError('run.cancelled', { operation: method, subject: 'arm' });
    const motionId = this.#ids.next();
    const traceparent = currentTraceparent();
    const body: MotionRequest<unknown> = {
      motionId,
      goal,
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    const motion = this.#ask<unknown>(method, body, motionDeadlineMs(robotTimeMs));
    const onAbort = () => void this.#cancel(motionId, motion).catch(() => undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return checkMotionResult(await motion, method);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #cancel(motionId: string, motion: Promise<unknown>): Promise<void> {
    const body: CancelRequest = { motionId, reason: 'the run ended this motion' };
    this.#ask(METHODS.execution.robotCancel, body, LIMITS.ROBOT_STOP_MS).catch(() => undefined);
    const settled = motion.then(
      () => true,
      () => true,
    );
    const stands = await withDeadline(this.#clock, LIMITS.ROBOT_STOP_MS, settled, 'cancel', 'arm').catch(
      () => false,
    );
    const reason = { reason: 'a cancelled motion did not settle' };
    if (!stands) await this.#ask(METHODS.execution.armStop, reason, LIMITS.ROBOT_STOP_MS);
  }

  #ask<T>(method: OpenCallName, body: unknown, timeoutMs: number): Promise<T> {
    return askExecution<T>({ bus: this.#bus, clock: this.#clock }, method, body, timeoutMs);
  }
}
