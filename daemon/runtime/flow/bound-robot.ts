import type {
  Maneuver,
  MapSnapshot,
  MotionResult,
  NavigateGoal,
  Robot,
  RobotState,
} from '../../../contract/index.ts';

/**
 * A robot whose motions end with the signal of one state or call, whether that remembers to pass it or not. Each
 * waits for `ready` before it begins, where it is given, and `note` is told of each result.
 */
export class BoundRobot implements Robot {
  readonly #robot: Robot;
  readonly #signal: AbortSignal;
  readonly #ready: (() => Promise<void>) | undefined;
  readonly #note: (result: MotionResult) => void;

  constructor(
    robot: Robot,
    signal: AbortSignal,
    ready?: () => Promise<void>,
    note: (result: MotionResult) => void = () => {},
  ) {
    this.#robot = robot;
    this.#signal = signal;
    this.#ready = ready;
    this.#note = note;
  }

  state(): Promise<RobotState> {
    return this.#robot.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#robot.map();
  }

  async navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    await this.#ready?.();
    return this.#noted(await this.#robot.navigate(goal, this.#both(signal)));
  }

  async maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    await this.#ready?.();
    return this.#noted(await this.#robot.maneuver(step, this.#both(signal)));
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
