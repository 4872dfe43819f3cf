import {
  type ArmState,
  type CallAsk,
  type CallReply,
  type CancelRequest,
  type CellBus,
  type Clock,
  checkMotionResult,
  EdgeError,
  type ExecutionCall,
  type GoalOf,
  type IdSource,
  LIMITS,
  METHODS,
  type MotionCall,
  type MotionRequest,
  type MotionResult,
  motionDeadlineMs,
  motionTimeMs,
  type StopRequest,
  withDeadline,
} from '../../../contract/index.ts';
import { currentCall } from '../trace/trace-scope.ts';
import { askExecution, askMotion, whenFree } from './ask-execution.ts';

/**
 * The arm of the execution cell, over the cell bus. Aborting a motion cancels it there; one that does not settle
 * then gets the order to stop. Errors of the bus and of the arm (`robot.not_supported` without one) pass through.
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
    return this.#ask(METHODS.execution.armState, {}, LIMITS.CELL_REQUEST_MS);
  }

  follow(goal: GoalOf<'follow'>, signal: AbortSignal): Promise<MotionResult> {
    return this.#move('follow', METHODS.execution.armFollow, goal, signal);
  }

  gripper(goal: GoalOf<'gripper'>, signal: AbortSignal): Promise<MotionResult> {
    return this.#move('gripper', METHODS.execution.armGripper, goal, signal);
  }

  async #move<K extends 'follow' | 'gripper'>(
    kind: K,
    method: MotionCall<K>,
    goal: GoalOf<K>,
    signal: AbortSignal,
  ): Promise<MotionResult> {
    if (signal.aborted) throw new EdgeError('run.cancelled', { operation: method, subject: 'arm' });
    const { traceparent, runId: run } = currentCall() ?? {};
    const start = async (wantedAtMs: number) => {
      const motionId = this.#ids.next();
      const of = { ...(traceparent ? { traceparent } : {}), ...(run ? { run } : {}) };
      const body: MotionRequest<GoalOf<K>> = { motionId, goal, ...of };
      const port = { bus: this.#bus, clock: this.#clock };
      const timeoutMs = motionDeadlineMs(motionTimeMs(kind, goal));
      const motion = askMotion(port, method, body as CallAsk<MotionCall<K>>, timeoutMs, signal, wantedAtMs);
      const onAbort = () => void this.#cancel(motionId, motion, run).catch(() => undefined);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return await motion;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    };
    return checkMotionResult(await whenFree(this.#clock, start, signal), method);
  }

  async #cancel(motionId: string, motion: Promise<unknown>, run: string | undefined): Promise<void> {
    const body: CancelRequest = { motionId, reason: 'the run ended this motion' };
    this.#ask(METHODS.execution.robotCancel, body, LIMITS.MOTION_CANCEL_MS).catch(() => undefined);
    const settled = motion.then(
      () => true,
      () => true,
    );
    const stands = await withDeadline(this.#clock, LIMITS.MOTION_CANCEL_MS, settled, 'cancel', 'arm').catch(
      () => false,
    );
    const order: StopRequest = {
      reason: 'a cancelled motion did not settle',
      ...(run === undefined ? { role: 'agent' } : { run }),
    };
    if (!stands) await this.#ask(METHODS.execution.armStop, order, LIMITS.ROBOT_STOP_MS);
  }

  #ask<N extends ExecutionCall>(method: N, body: CallAsk<N>, timeoutMs: number): Promise<CallReply<N>> {
    return askExecution({ bus: this.#bus, clock: this.#clock }, method, body, timeoutMs);
  }
}
