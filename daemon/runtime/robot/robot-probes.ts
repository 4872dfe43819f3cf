import {
  type ArmState,
  type Clock,
  EdgeError,
  type MotionResult,
  type NavigateGoal,
  pause,
  type Robot,
  type RobotState,
} from '../../../contract/index.ts';

/** How often a world that cannot be asked yet is asked again, milliseconds. */
const ASK_AGAIN_MS = 250;
/** Heading that counts as reached, as `NavigateGoal.alignYaw` says, radians. */
const YAW_TOLERANCE = 0.2;
/** A joint this near to its target is there: radians, or metres for one that slides. */
const JOINT_TOLERANCE = 0.02;

/**
 * Whether an interrupted drive has arrived: the robot is asked once it stands and knows where it is. Resolves
 * with `undefined` where it stands elsewhere. Rejects with `robot.unreachable` when `signal` aborts before the
 * robot could say: cells that restart get until then.
 */
export async function arrivedAt(
  robot: Pick<Robot, 'state'>,
  goal: NavigateGoal,
  clock: Clock,
  signal: AbortSignal,
): Promise<MotionResult | undefined> {
  const known = (state: RobotState) =>
    state.connected && state.motion !== 'moving' && state.pose !== undefined;
  const { pose, time } = await settled(() => robot.state(), known, 'robot.navigate', clock, signal);
  if (Math.hypot(pose!.x - goal.pose.x, pose!.y - goal.pose.y) > goal.tolerance) return undefined;
  if (goal.alignYaw && Math.abs(turn(pose!.yaw - goal.pose.yaw)) > YAW_TOLERANCE) return undefined;
  return { outcome: 'reached', pose, distance: 0, durationMs: 0, time, message: 'was there after the cut' };
}

/** The same for an arm: whether every joint stands at its target, radians or metres. */
export async function jointsAt(
  state: () => Promise<ArmState>,
  targets: Readonly<Record<string, number>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<MotionResult | undefined> {
  const known = (arm: ArmState) =>
    arm.connected &&
    arm.motion !== 'moving' &&
    Object.keys(targets).every((joint) => arm.joints[joint] !== undefined);
  const { joints, time = 0n } = await settled(state, known, 'arm.move', clock, signal);
  const away = Object.entries(targets).some(
    ([joint, target]) => Math.abs(joints[joint]!.position - target) > JOINT_TOLERANCE,
  );
  if (away) return undefined;
  const message = 'was there after the cut';
  return { outcome: 'reached', pose: undefined, distance: 0, durationMs: 0, time, message };
}

async function settled<S>(
  ask: () => Promise<S>,
  known: (state: S) => boolean,
  operation: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<S> {
  let why = 'it does not know where it is';
  while (!signal.aborted) {
    try {
      const state = await ask();
      if (known(state)) return state;
    } catch (thrown) {
      why = thrown instanceof Error ? thrown.message : String(thrown);
    }
    await pause(clock, ASK_AGAIN_MS, signal);
  }
  throw new EdgeError('robot.unreachable', {
    operation: `probe ${operation}`,
    subject: 'robot',
    message: why,
  });
}

/** An angle as the shortest turn, -pi to pi. */
function turn(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
