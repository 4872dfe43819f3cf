import type {
  GoalOf,
  Maneuver,
  MapSnapshot,
  MotionKind,
  MotionResult,
  NavigateGoal,
  Robot,
  RobotState,
} from '../../../contract/index.ts';

export type MotionCheck = <K extends MotionKind>(kind: K, goal: GoalOf<K>) => Promise<void>;

/**
 * A robot whose motions end with the signal of one state or call, whether that remembers to pass it or not. Each
 * waits for `allow` before it starts, and does not start where that rejects.
 */
export class BoundRobot implements Robot {
  readonly #robot: Robot;
  readonly #signal: AbortSignal;
  readonly #allow: MotionCheck;

  constructor(robot: Robot, signal: AbortSignal, allow: MotionCheck = async () => {}) {
    this.#robot = robot;
    this.#signal = signal;
    this.#allow = allow;
  }

  state(): Promise<RobotState> {
    return this.#robot.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#robot.map();
  }

  async navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    await this.#allow('navigate', goal);
    return this.#robot.navigate(goal, this.#both(signal));
  }

  async maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    await this.#allow('maneuver', step);
    return this.#robot.maneuver(step, this.#both(signal));
  }

  stop(reason: string): Promise<void> {
    return this.#robot.stop(reason);
  }

  #both(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
  }
}
