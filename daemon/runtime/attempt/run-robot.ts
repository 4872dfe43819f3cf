import {
  type Clock,
  checkGoal,
  EdgeError,
  type Maneuver,
  type MapSnapshot,
  type MotionResult,
  maneuverArgs,
  maneuverTimeMs,
  motionDeadlineMs,
  type NavigateGoal,
  navigateArgs,
  type Robot,
  type RobotState,
  resultFromLog,
  resultToLog,
} from '../../../contract/index.ts';
import type { Effect, ToolGate } from '../gate/tool-gate.ts';
import { arrivedAt } from '../robot/robot-probes.ts';

type Motion = Effect<Readonly<Record<string, unknown>>>;

/**
 * The robot as a run uses it. Every motion is a tool call that is gated and logged. Reading the state or the map is no
 * call: it changes nothing and happens often, and what was read is logged with the next event. A stop passes
 * at once, also when the run is over.
 */
export class RunRobot implements Robot {
  readonly #gate: ToolGate;
  readonly #robot: Robot;
  readonly #reads: Pick<Robot, 'state' | 'map'>;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;

  /** `reads`: the robot as the run reads it, where that is recorded. */
  constructor(
    gate: ToolGate,
    robot: Robot,
    reads: Pick<Robot, 'state' | 'map'>,
    signal: AbortSignal,
    clock: Clock,
  ) {
    this.#gate = gate;
    this.#robot = robot;
    this.#reads = reads;
    this.#signal = signal;
    this.#clock = clock;
  }

  state(): Promise<RobotState> {
    return this.#reads.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#reads.map();
  }

  async navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    const checked = checkGoal('navigate', goal);
    return await this.#motion(signal, {
      tool: 'robot.navigate',
      args: navigateArgs(checked),
      effect: 'actuate',
      // A goal may be sent twice, and the robot can be asked whether it is there already.
      replay: 'probe',
      deadlineMs: motionDeadlineMs(checked.timeoutMs),
      work: async (ends) => resultToLog(await this.#robot.navigate(checked, both(ends, signal))),
      probe: async (ends) => {
        const arrived = await arrivedAt(this.#robot, checked, this.#clock, ends);
        return arrived === undefined ? undefined : resultToLog(arrived);
      },
    });
  }

  async maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    const checked = checkGoal('maneuver', step);
    return await this.#motion(signal, {
      tool: 'robot.maneuver',
      args: maneuverArgs(checked),
      effect: 'actuate',
      // A relative motion that may have happened cannot be distinguished from one that did not.
      replay: checked.kind === 'wait' ? 'safe' : 'never',
      deadlineMs: motionDeadlineMs(maneuverTimeMs(checked)),
      work: async (ends) => resultToLog(await this.#robot.maneuver(checked, both(ends, signal))),
    });
  }

  async stop(reason: string): Promise<void> {
    await this.#robot.stop(reason);
    await this.#gate.note('robot.stop', { reason: reason.slice(0, 256) }, 'actuate');
  }

  /** A motion that was aborted before it started is an outcome, not an error. */
  async #motion(signal: AbortSignal | undefined, effect: Motion): Promise<MotionResult> {
    if (this.#signal.aborted || signal?.aborted) return NOT_BEGUN;
    try {
      return resultFromLog(await this.#gate.call({ ...effect, signal }));
    } catch (thrown) {
      if (thrown instanceof EdgeError && thrown.code === 'run.cancelled') return NOT_BEGUN;
      throw thrown;
    }
  }
}

const NOT_BEGUN: MotionResult = {
  outcome: 'stopped',
  pose: undefined,
  distance: 0,
  durationMs: 0,
  time: 0n,
  message: 'the motion was cancelled before it started',
};

function both(ends: AbortSignal, signal: AbortSignal | undefined): AbortSignal {
  return signal ? AbortSignal.any([ends, signal]) : ends;
}
