import { TrajectoryArm } from '../../adapters/ros/arm/trajectory-arm.ts';
import { NavRobot } from '../../adapters/ros/nav2/nav-robot.ts';
import type { CellContext, Sample } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import type { Actuation } from '../execution/actuation.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import type { DoorPath } from '../execution/door/index.ts';
import type { Drive } from '../execution/drive.ts';
import { type ExecutedGoals, type GoalOrigin, newestMotion } from '../execution/story/index.ts';
import { named } from './robot-io.ts';
import type { RobotIo } from './robot-parts.ts';

/** The robot whose goals are recorded with the motion that they are sent for. */
export function recordedApi(
  io: RobotIo,
  goals: ExecutedGoals,
  actuation: () => Pick<Actuation, 'motions' | 'lease'>,
  mover: 'base' | 'arm',
): RobotIo {
  const { rosApi } = io;
  if (!rosApi) return io;
  const origin = (): GoalOrigin => {
    const { motions, lease } = actuation();
    const motion = newestMotion(motions, mover);
    const { id = '', run, by = '' } = motion ?? {};
    return { by, lease: lease.current?.id ?? 0, motionId: id, run };
  };
  return { ...io, rosApi: { ...rosApi, actions: goals.over(rosApi.actions, origin) } };
}

/**
 * A robot that navigates by Nav2, as the execution cell drives it; undefined where the configuration wants the
 * daemon's own navigation.
 */
export function makeNav2Drive(
  config: Config,
  io: RobotIo,
  { clock }: CellContext,
  bus: SampleBus,
  path: DoorPath | undefined,
): Drive | undefined {
  const { rosApi, command, robotTopics } = io;
  if (config.robot.navigator !== 'nav2' || !rosApi || !path) return undefined;
  const namespace = named(config.ros.namespace, '');
  // What was sent is recorded, once: a command topic that is bridged in comes back from the robot's side.
  const isHeard = io.topics.some(({ topic }) => topic === command.topic);
  const offer = (sample: Sample) => {
    const receipt = path.send(sample);
    const sent = 'sample' in receipt ? receipt.sample : undefined;
    if (sent && !isHeard) bus.publish(sent);
    return sent !== undefined;
  };
  const robot = new NavRobot(
    { clock, sink: { offer }, ...rosApi },
    {
      namespace,
      topics: {
        odometry: robotTopics.odometry,
        tf: '/tf',
        map: `${namespace}/map`,
        pose: `${namespace}/amcl_pose`,
      },
      mapFrame: 'map',
      velocity: command,
    },
  );
  return {
    get status() {
      return { hz: 0, ticks: robot.observed, starved: 0, refused: 0, policy: 'nav2' };
    },
    start: () => {},
    offer: (sample) => robot.observe(sample),
    // Motions may take as long as the robot needs; nothing else is owed.
    work: () => ({ name: 'control', done: robot.observed, waiting: 0 }),
    close: () => robot.close(),
    state: () => robot.state(),
    map: () => robot.map(),
    navigate: (goal, signal) => robot.navigate(goal, signal),
    maneuver: (step, signal) => robot.maneuver(step, signal),
    stop: (reason) => robot.stop(reason),
  };
}

/** The arm of the configuration; undefined where it has no arm. */
export function makeArm(
  config: Config,
  { rosApi }: RobotIo,
  { clock }: CellContext,
): TrajectoryArm | undefined {
  const { arm, ros } = config;
  if (!arm.enabled || !rosApi) return undefined;
  const absolute = (name: string) =>
    name === '' || name.startsWith('/') ? name : named(ros.namespace, `/${name}`);
  return new TrajectoryArm(
    { clock, ...rosApi },
    {
      controller: absolute(arm.controller),
      gripper: absolute(arm.gripper),
      gripperJoint: arm.gripper_joint,
      joints: arm.joints,
      jointStates: absolute(arm.joint_states),
    },
  );
}
