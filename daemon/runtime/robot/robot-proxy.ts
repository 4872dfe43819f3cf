import {
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
  type Maneuver,
  type MapSnapshot,
  METHODS,
  type MotionCall,
  type MotionRequest,
  type MotionResult,
  maneuverTimeMs,
  motionDeadlineMs,
  type Nanoseconds,
  type NavigateGoal,
  type Robot,
  type RobotState,
  type StopRequest,
  withDeadline,
} from '../../../contract/index.ts';
import { currentCall } from '../trace/trace-scope.ts';
import { askExecution, askMotion, whenFree } from './ask-execution.ts';

type Named = { readonly motionId: string; readonly method: MotionCall; readonly run: string | undefined };

/**
 * The robot of the execution cell, over the cell bus. Aborting a motion sends `robot.cancel` and waits for
 * the motion to settle; where that stays without an answer the robot is asked to stop. Motions are those of the run
 * whose tool call asks for them, and wait while somebody of a higher rank has the robot. Errors of the bus (`cell.unavailable`, `cell.restarted`, `deadline.exceeded`) pass through as they are.
 */
export class RobotProxy implements Robot {
  readonly #bus: CellBus;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #run: string | undefined;
  /** The run, where it is that of an agent: its order to stop refuses of other runs only what moves. */
  readonly agentOf: string | undefined;
  #lastTime: Nanoseconds | undefined;

  /** `run`: whose motions a stop ends; without it a stop is for everything that moves. */
  constructor(bus: CellBus, clock: Clock, ids: IdSource, run?: string, agentOf?: string) {
    this.#bus = bus;
    this.#clock = clock;
    this.#ids = ids;
    this.#run = run;
    this.agentOf = agentOf;
  }

  /** The same robot for one run. `isAgent`: an agent decides in it. */
  of(run: string, isAgent = false): RobotProxy {
    return new RobotProxy(this.#bus, this.#clock, this.#ids, run, isAgent ? run : undefined);
  }

  /** Robot time of the newest answer; undefined before the first. */
  lastTime(): Nanoseconds | undefined {
    return this.#lastTime;
  }

  async state(): Promise<RobotState> {
    const state = await this.#ask(METHODS.execution.robotState, {}, LIMITS.CELL_REQUEST_MS);
    this.#lastTime = state.time;
    return state;
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#ask(METHODS.execution.robotMap, {}, LIMITS.CELL_REQUEST_MS);
  }

  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move(METHODS.execution.robotNavigate, goal, goal.timeoutMs, signal);
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move(METHODS.execution.robotManeuver, step, maneuverTimeMs(step), signal);
  }

  async stop(reason: string): Promise<void> {
    if (this.#run === undefined) return await this.stopEverything(reason);
    await this.#stop({ reason, run: this.#run });
  }

  /** Everything that moves is to stand, whatever moves it. */
  async stopEverything(reason: string): Promise<void> {
    const agentOf = this.agentOf ?? currentCall()?.agentOf;
    await this.#stop({ reason, role: 'agent', ...(agentOf === undefined ? {} : { agentOf }) });
  }

  async #stop(body: StopRequest): Promise<void> {
    await this.#ask(METHODS.execution.robotStop, body, LIMITS.ROBOT_STOP_MS);
  }

  async #move<K extends 'navigate' | 'maneuver'>(
    method: MotionCall<K>,
    goal: GoalOf<K>,
    robotTimeMs: number,
    signal?: AbortSignal,
  ): Promise<MotionResult> {
    if (signal?.aborted) return notBegun(this.#lastTime ?? 0n);
    const { traceparent, runId: run } = currentCall() ?? {};
    const start = (wantedAtMs: number) => {
      const motionId = this.#ids.next();
      const of = { ...(traceparent ? { traceparent } : {}), ...(run ? { run } : {}) };
      const body: MotionRequest<GoalOf<K>> = { motionId, goal, ...of };
      const port = { bus: this.#bus, clock: this.#clock };
      const motion = askMotion(
        port,
        method,
        body as CallAsk<MotionCall<K>>,
        motionDeadlineMs(robotTimeMs),
        signal,
        wantedAtMs,
      );
      return signal ? this.#abortable(motion, { motionId, method, run }, signal) : motion;
    };
    const result = checkMotionResult(await whenFree(this.#clock, start, signal), method);
    this.#lastTime = result.time;
    return result;
  }

  #abortable(motion: Promise<unknown>, named: Named, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#cancel(motion, named).then(resolve, reject);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const forget = () => signal.removeEventListener('abort', onAbort);
      motion.then(resolve, reject);
      motion.then(forget, forget);
    });
  }

  async #cancel(motion: Promise<unknown>, { motionId, method, run }: Named): Promise<unknown> {
    const body: CancelRequest = { motionId, reason: 'the run ended this motion' };
    // A refused cancel is answered by the stop below; the motion itself says how it ended.
    this.#ask(METHODS.execution.robotCancel, body, LIMITS.MOTION_CANCEL_MS).catch(() => undefined);
    try {
      return await withDeadline(this.#clock, LIMITS.MOTION_CANCEL_MS, motion, method, 'robot');
    } catch (thrown) {
      if (!(thrown instanceof EdgeError) || thrown.code !== 'deadline.exceeded') throw thrown;
      const reason = 'a cancelled motion did not settle';
      await (run === undefined ? this.stop(reason) : this.#stop({ reason, run }));
      return notBegun(
        this.#lastTime ?? 0n,
        'cancelled; the robot was stopped without an answer of the motion',
      );
    }
  }

  #ask<N extends ExecutionCall>(method: N, body: CallAsk<N>, timeoutMs: number): Promise<CallReply<N>> {
    return askExecution({ bus: this.#bus, clock: this.#clock }, method, body, timeoutMs);
  }
}

function notBegun(time: Nanoseconds, message = 'the motion was cancelled before it started'): MotionResult {
  return { outcome: 'stopped', pose: undefined, distance: 0, durationMs: 0, time, message };
}
