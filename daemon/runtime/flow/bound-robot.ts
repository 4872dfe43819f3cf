import type {
  Maneuver,
  MapSnapshot,
  MotionResult,
  NavigateGoal,
  Robot,
  RobotState,
} from '../../../contract/index.ts';

/** A robot whose motions end with the signal of one state, whether the state remembers to pass it or not. */
export class BoundRobot implements Robot {
  readonly #robot: Robot;
  readonly #signal: AbortSignal;

  constructor(robot: Robot, signal: AbortSignal) {
    this.#robot = robot;
    this.#signal = signal;
  }

  state(): Promise<RobotState> {
    return this.#robot.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#robot.map();
  }

  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    return this.#robot.navigate(goal, this.#both(signal));
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    return this.#robot.maneuver(step, this.#both(signal));
  }

  stop(reason: string): Promise<void> {
    return this.#robot.stop(reason);
  }

  #both(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
  }
}
