import {
  type ArmState,
  type Clock,
  EdgeError,
  type GoalResult,
  type JointTarget,
  LIMITS,
  type Manipulator,
  type MessageValue,
  type MotionResult,
  NOT_CONFIRMED,
  type RosActions,
  type RosGraph,
  type RosServices,
  type Sample,
  withDeadline,
} from '../../../contract/core.ts';
import { ActionGoals } from '../action-goal.ts';
import { Brake, type Rest, withRest } from '../brake.ts';
import { MotionEnds, type Outcome } from '../motion-ends.ts';
import {
  FOLLOW_TRAJECTORY,
  GRIPPER,
  gripperGoal,
  gripperOutcome,
  PARALLEL_GRIPPER,
  trajectoryGoal,
  trajectoryOutcome,
} from './arm-goals.ts';
import { JointTrack } from './joint-track.ts';

export type TrajectoryArmOptions = {
  /** Full names of the actions; '' where there is no gripper. */
  readonly controller: string;
  readonly gripper: string;
  /** Joint of the gripper, for ParallelGripperCommand; may be ''. */
  readonly gripperJoint: string;
  readonly joints: readonly string[];
  readonly jointStates: string;
};

export type TrajectoryArmParts = {
  readonly clock: Clock;
  readonly graph: RosGraph;
  readonly services: RosServices;
  readonly actions: RosActions;
};

/** Beyond the time of its last point a trajectory may take half of it again and this, milliseconds of robot time. */
const OVERTIME_MS = 5_000;
const OVERTIME_SHARE = 0.5;
/** A gripper is there by then, milliseconds of robot time. */
const GRIPPER_MS = 15_000;
const GRAPH_MS = 1_000;
const FORMER_MS = 1_500;
const CANCEL_ALL_MS = 400;

/**
 * An arm behind ros2_control: FollowJointTrajectory, and GripperCommand or ParallelGripperCommand, whichever the
 * graph shows. A cancelled controller holds its position; joint states show when the arm rests, before a motion
 * settles. `observe` has to be given the samples of the joint states.
 */
export class TrajectoryArm implements Manipulator {
  readonly #parts: TrajectoryArmParts;
  readonly #options: TrajectoryArmOptions;
  readonly #track: JointTrack;
  readonly #goals: ActionGoals;
  readonly #brake: Brake;
  #motion: ArmState['motion'] = 'idle';
  #running: MotionEnds | undefined;
  /** How often it was stopped: what waited for another motion to end meanwhile does not start. */
  #stops = 0;
  /** What a former life of this daemon asked of the arm is being ended. */
  #former: Promise<unknown> | undefined;

  constructor(parts: TrajectoryArmParts, options: TrajectoryArmOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#track = new JointTrack(options.jointStates, options.joints, parts.clock);
    this.#goals = new ActionGoals(parts, parts.clock);
    const connected = () => this.#track.connected;
    this.#brake = new Brake({ clock: parts.clock, rest: this.#track.rest, connected });
  }

  observe(sample: Sample): void {
    this.#track.observe(sample);
    if (!this.#former && this.#track.connected)
      this.#former = this.#goals.cancelAll(this.#servers(), FORMER_MS);
  }

  async state(): Promise<ArmState> {
    const { told, joints, connected } = this.#track;
    return { time: told, joints, motion: this.#motion, connected };
  }

  measured(): ArmState['joints'] {
    return this.#track.measured;
  }

  async followTrajectory(
    points: readonly JointTarget[],
    signal?: AbortSignal,
    check?: (joints: ArmState['joints']) => void,
  ): Promise<MotionResult> {
    const { controller, joints } = this.#options;
    // What cannot be asked pre-empts nothing.
    if (this.#track.connected) trajectoryGoal(points, joints, (joint) => this.#track.position(joint));
    const lastMs = points.at(-1)?.timeFromStartMs ?? 0;
    const timeoutMs = lastMs * (1 + OVERTIME_SHARE) + OVERTIME_MS;
    return this.#move('follow trajectory', timeoutMs, signal, async (ends) => {
      // In the turn in which the goal takes the joints that it leaves out from the same place.
      check?.(this.#track.measured);
      const goal = trajectoryGoal(points, joints, (joint) => this.#track.position(joint));
      return this.#run(controller, FOLLOW_TRAJECTORY, goal, ends, trajectoryOutcome);
    });
  }

  async gripper(opening: number, effort: number, signal?: AbortSignal): Promise<MotionResult> {
    const { gripper, gripperJoint } = this.#options;
    if (gripper === '') {
      const details = { operation: 'gripper', subject: 'arm.gripper', message: 'this arm has no gripper' };
      throw new EdgeError('robot.not_supported', details);
    }
    return this.#move('gripper', GRIPPER_MS, signal, async (ends) => {
      const type = await this.#gripperType();
      const goal = gripperGoal(type, gripperJoint, opening, effort);
      return this.#run(gripper, type, goal, ends, gripperOutcome);
    });
  }

  /**
   * Ends every goal of the controllers, also those of other clients. Resolves when joint states show that the arm stands;
   * rejects with `robot.unreachable` where they do not within `LIMITS.STILL_WAIT_MS`.
   */
  async stop(reason: string): Promise<void> {
    this.#stops++;
    const running = this.#running;
    running?.end('stopped', reason);
    const braking = this.#brake.engage(this.#goals.cancelAll(this.#servers(), CANCEL_ALL_MS));
    const [rest] = await Promise.all([braking, running?.settled]);
    if (!this.#running) this.#motion = 'stopped';
    if (rest !== 'at_rest') throw notAtRest(rest, this.#options.jointStates);
  }

  async close(): Promise<void> {
    this.#stops++;
    this.#running?.end('stopped', 'the daemon stops');
    await this.#running?.settled;
    this.#goals.close();
  }

  async #move(
    operation: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    perform: (ends: MotionEnds) => Promise<Outcome | { readonly ended: true }>,
  ): Promise<MotionResult> {
    const stops = this.#stops;
    while (this.#running) {
      this.#running.end('preempted', 'another motion took over');
      await this.#running.settled;
    }
    if (!this.#track.connected) throw noJoints(operation, this.#options);
    const begun = this.#track.time;
    if (signal?.aborted || this.#stops !== stops)
      return this.#result(begun, { outcome: 'stopped', message: 'ended before it started' });
    const { clock } = this.#parts;
    const pulse = { clock, track: this.#track, silence: 'joint states stopped arriving' };
    const ends = new MotionEnds(pulse, timeoutMs, signal);
    const performed = Promise.withResolvers<void>();
    let braking: Promise<Rest> | undefined;
    const brake = () => {
      braking ??= this.#brake.engage(performed.promise);
      return braking;
    };
    ends.signal.addEventListener('abort', brake, { once: true });
    this.#running = ends;
    this.#motion = 'moving';
    let reached = false;
    try {
      await this.#former;
      // The looks of a stop that came meanwhile continue: they show it whether the arm stands.
      if (!ends.signal.aborted) this.#brake.release();
      const end = ends.signal.aborted ? { ended: true as const } : await perform(ends);
      const outcome = 'ended' in end ? ends.outcome : end;
      reached = outcome.outcome === 'reached';
      performed.resolve();
      return this.#result(begun, { ...outcome, message: withRest(outcome.message, await brake()) });
    } finally {
      // An error of the server says nothing about the arm.
      performed.resolve();
      await brake();
      this.#motion = reached ? 'idle' : 'stopped';
      this.#running = undefined;
      ends.settle();
    }
  }

  async #run(
    name: string,
    type: string,
    goal: MessageValue,
    ends: MotionEnds,
    outcomeOf: (result: GoalResult) => Outcome,
  ): Promise<Outcome | { readonly ended: true }> {
    const end = await this.#goals.run({ name, type, goal }, ends.signal);
    return 'ended' in end ? end : outcomeOf(end.result);
  }

  /** Which of the two actions the gripper of this robot serves. */
  async #gripperType(): Promise<string> {
    const snapshot = this.#parts.graph.snapshot();
    const { actions } = await withDeadline(this.#parts.clock, GRAPH_MS, snapshot, 'snapshot', 'ros graph');
    const types = actions.find(({ name }) => name === this.#options.gripper)?.types ?? [];
    return types.includes(PARALLEL_GRIPPER) ? PARALLEL_GRIPPER : GRIPPER;
  }

  #servers(): string[] {
    const { controller, gripper } = this.#options;
    return [controller, gripper].filter((name) => name !== '');
  }

  #result(begun: bigint, { outcome, message }: Outcome): MotionResult {
    const { time } = this.#track;
    const durationMs = Math.max(0, Number(time - begun) / 1e6);
    return { outcome, message, pose: undefined, distance: 0, durationMs, time };
  }
}

function noJoints(operation: string, { jointStates, joints }: TrajectoryArmOptions): EdgeError {
  return new EdgeError('robot.unreachable', {
    operation,
    subject: jointStates,
    message: `no joint states arrive of all of ${joints.join(', ')}`,
    hint: 'check that joint_state_broadcaster is active, and arm.joints in the configuration',
  });
}

function notAtRest(rest: Rest, topic: string): EdgeError {
  const [why, hint] =
    rest === 'silent'
      ? ['no joint states arrive of all joints', 'check that joint_state_broadcaster is active']
      : ['its joints still move', 'something else may be commanding it'];
  return new EdgeError('robot.unreachable', {
    operation: 'stop',
    subject: topic,
    message: `${NOT_CONFIRMED} within ${LIMITS.STILL_WAIT_MS} ms: ${why}`,
    hint,
  });
}
