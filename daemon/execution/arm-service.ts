import {
  type ArmState,
  type CellContext,
  type CellName,
  EdgeError,
  type JointTarget,
  type Manipulator,
  METHODS,
  type MotionRequest,
  type MotionResult,
  type TrajectoryGoal,
} from '../../contract/core.ts';
import type { Actuation, MotionTold } from './actuation.ts';
import { parseStop, reasonWith, withMotion } from './robot-requests.ts';

/**
 * The arm as the other cells know it: the methods of `METHODS.execution.arm*`, each motion under the actuation
 * lease of the whole robot. Without an arm they answer `robot.not_supported`.
 */
export class ArmService {
  readonly #context: CellContext;
  readonly #arm: Manipulator | undefined;
  readonly #actuation: Actuation;
  readonly #check: (points: readonly JointTarget[], joints: ArmState['joints']) => void;
  /** Until the next stop of the arm: a motion that waits for the lease then does not start behind it. */
  #untilStop = new AbortController();

  /** `check` throws `command.refused` for a trajectory that from there leaves the limits of the joints. */
  constructor(
    context: CellContext,
    arm: Manipulator | undefined,
    actuation: Actuation,
    check: (points: readonly JointTarget[], joints: ArmState['joints']) => void = () => {},
  ) {
    this.#context = context;
    this.#check = check;
    this.#arm = arm;
    this.#actuation = actuation;
  }

  register(): void {
    const { bus, clock } = this.#context;
    const methods = METHODS.execution;
    bus.handle(methods.armState, () => this.#required('state').state());
    bus.handle(methods.armFollow, async (body, from, madeAtMs, wantedAtMs) => {
      const arm = this.#required('follow trajectory');
      return withMotion('follow', body, { madeAtMs, clock }, (request) =>
        this.#follow(arm, request, from, wantedAtMs),
      );
    });
    bus.handle(methods.armGripper, async (body, from, madeAtMs, wantedAtMs) => {
      const arm = this.#required('gripper');
      return withMotion('gripper', body, { madeAtMs, clock }, ({ motionId, goal, traceparent, run, by }) => {
        const told = { motion: 'gripper', traceparent, run, by, wantedAtMs } as const;
        const { signal: stopped } = this.#untilStop;
        return this.#actuation.move(
          motionId,
          from,
          (signal) => arm.gripper(goal.opening, goal.effort, AbortSignal.any([signal, stopped])),
          told,
        );
      });
    });
    bus.handle(methods.armStop, async (body) => {
      const { reason: asked, run, role, by } = parseStop(body);
      if (run !== undefined)
        return await this.#actuation.stopRun(run, `arm: ${asked}`, { by, isOf: isOfArm });
      this.#actuation.noteStop(`arm: ${asked}`, by);
      const reason = reasonWith(asked, by);
      // Controllers and hands move the same joints, also of an arm that takes no trajectories.
      const movers = this.#actuation.stopMovers(reason, role);
      movers.catch(() => {});
      const rests = this.#arm?.stop(reason);
      this.#untilStop.abort(reason);
      this.#untilStop = new AbortController();
      await rests;
      if (!(await movers)) this.#required('stop');
    });
  }

  #follow(
    arm: Manipulator,
    { motionId, goal, traceparent, run, by }: MotionRequest<TrajectoryGoal>,
    from: CellName,
    wantedAtMs: number,
  ): Promise<MotionResult> {
    const { signal: stopped } = this.#untilStop;
    const check = (joints: ArmState['joints']) => this.#check(goal.points, joints);
    // What is refused from where the arm is now ends nothing that moves. A running motion is ended next, and
    // the arm comes to rest further on: what is refused from there does not start, and what it replaces is over.
    const before = async () => {
      const { joints, connected } = await arm.state();
      if (connected) check(arm.measured?.() ?? joints);
    };
    const told = { motion: 'follow', traceparent, run, by, before, wantedAtMs } as const;
    return this.#actuation.move(
      motionId,
      from,
      (signal) => arm.followTrajectory(goal.points, AbortSignal.any([signal, stopped]), check),
      told,
    );
  }

  /** Undefined where this robot has no arm. */
  async state(): Promise<ArmState | undefined> {
    return this.#arm?.state();
  }

  #required(operation: string): Manipulator {
    if (this.#arm) return this.#arm;
    throw new EdgeError('robot.not_supported', {
      operation,
      subject: 'arm',
      message: 'this robot has no arm',
      hint: 'arm.enabled = true, with the names of its joints and of its controller',
    });
  }
}

function isOfArm({ motion }: MotionTold): boolean {
  return motion === 'follow' || motion === 'gripper';
}
