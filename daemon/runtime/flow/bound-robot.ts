import {
  checkGoal,
  type GoalOf,
  type Maneuver,
  type MapSnapshot,
  type MotionKind,
  type MotionResult,
  type NavigateGoal,
  type Robot,
  type RobotState,
} from '../../../contract/index.ts';

export type MotionCheck = <K extends MotionKind>(kind: K, goal: GoalOf<K>) => Promise<void>;

/**
 * A robot whose motions end with the signal of one state or call, whether that remembers to pass it or not. Each
 * waits for `allow` before it starts, where it is given, and does not start where that rejects. The robot gets a copy of
 * the goal that was judged. `note` hears each result.
 */
export class BoundRobot implements Robot {
  readonly #robot: Robot;
  readonly #signal: AbortSignal;
  readonly #allow: MotionCheck;
  readonly #note: (result: MotionResult) => void;

  constructor(
    robot: Robot,
    signal: AbortSignal,
    allow: MotionCheck = async () => {},
    note: (result: MotionResult) => void = () => {},
  ) {
    this.#robot = robot;
    this.#signal = signal;
    this.#allow = allow;
    this.#note = note;
  }

  state(): Promise<RobotState> {
    return this.#robot.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#robot.map();
  }

  async navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    const own = checkGoal('navigate', goal);
    await this.#allow('navigate', own);
    return this.#noted(await this.#robot.navigate(own, this.#both(signal)));
  }

  async maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    const own = checkGoal('maneuver', step);
    await this.#allow('maneuver', own);
    return this.#noted(await this.#robot.maneuver(own, this.#both(signal)));
  }

  stop(reason: string): Promise<void> {
    return this.#robot.stop(reason);
  }

  #noted(result: MotionResult): MotionResult {
    this.#note(result);
    return result;
  }

  #both(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
  }
}
