import { readFileSync } from 'node:fs';
import { type CellContext, EdgeError } from '../../contract/core.ts';
import { readUrdf, type UrdfModel } from '../../formats/urdf/index.ts';
import type { Config } from '../config.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import type { Asker, DoorPath } from '../execution/door/index.ts';
import { gateSpec, type JointGateSpec } from '../execution/safety/index.ts';
import { SafetyDesk, type SafetyOptions } from '../execution/safety/safety-desk.ts';
import { ExecutedActions, type ExecutedActionsParts } from '../execution/story/index.ts';
import type { Settings } from '../settings.ts';
import { named, stopTopic } from './robot-io.ts';
import type { RobotIo } from './robot-parts.ts';

/** Topics, and actions of the arm and of Nav2, that the robot of this configuration obeys. */
export function obeyedNames(config: Config, io: Pick<RobotIo, 'command' | 'obeys'>): string[] {
  const { arm, gate, controllers, ros, robot } = config;
  const absolute = (name: string) => (name.startsWith('/') ? name : named(ros.namespace, `/${name}`));
  const controller = absolute(arm.controller);
  return [
    io.command.topic,
    ...(io.obeys ?? []),
    ...(gate.commands === '' ? [] : [gate.commands]),
    ...controllers.map(({ output }) => output),
    ...ros.topics.filter(({ direction }) => direction === 'out').map(({ topic }) => topic),
    // The action of a joint_trajectory_controller, and the topic beside it that moves the same joints.
    ...(arm.enabled ? [controller, controller.replace(/[^/]+$/, 'joint_trajectory')] : []),
    ...(arm.enabled && arm.gripper !== '' ? [absolute(arm.gripper)] : []),
    ...(robot.navigator === 'nav2' ? NAV2_NAMES.map(absolute) : []),
  ];
}

/** Goals and poses by which Nav2 is driven, in the namespace of the robot. */
const NAV2_NAMES = [
  'goal_pose',
  'navigate_to_pose',
  'navigate_through_poses',
  'spin',
  'backup',
  'drive_on_heading',
];

/** What keeps the robot of this configuration from moving, and the door that everything to it goes through. */
export function makeSafety(
  { config }: Settings,
  context: CellContext,
  io: RobotIo,
  bus: SampleBus,
  motion: ExecutedActionsParts['motion'] = () => undefined,
): { readonly safety: SafetyDesk; path(asker: Asker): DoorPath | undefined } {
  const { estop, lease, zenoh, daemon } = config;
  const base = zenoh.prefix === '' ? daemon.name : zenoh.prefix;
  const spec = specOf(config);
  const jog = spec && jogOf(config, spec, bus);
  const executed = new ExecutedActions({
    publish: (sample) => bus.publish(sample),
    motion,
    joints: (topic) => (topic === jog?.commands ? jog.spec.joints.map(({ name }) => name) : []),
  });
  // The graph may answer before the desk is made.
  let desk: SafetyDesk | undefined;
  const safety = new SafetyDesk(context, {
    times: { ttlMs: lease.ttl, ttlMsMax: Math.max(lease.ttl, lease.ttl_max) },
    topic: stopTopic(config),
    key: zenoh.enabled && estop.zenoh ? `${base}/estop` : '',
    commands: obeyedNames(config, io),
    base: [
      io.command.topic,
      ...config.controllers.filter(({ kind }) => kind === 'twist').map(({ output }) => output),
    ],
    speedsMax: { linearMax: config.robot.speed_max, angularMax: config.robot.turn_max },
    harmless: config.robot.harmless,
    graphTypes: typesInGraph(config, io, () => desk?.door.topics.forget()),
    jointStates: jointStates(config),
    speeds: config.controllers.filter(({ kind }) => kind === 'velocities').map(({ output }) => output),
    hasRobot: config.robot.source !== 'none',
    spec,
    executed: executed.note,
    ...(jog ? { jog } : {}),
  });
  desk = safety;
  const { sink } = io;
  if (sink) safety.guard(sink);
  return { safety, path: (asker) => sink && safety.door.path(sink, asker) };
}

/** Types of each topic as the ROS graph has them now; those who have no routes do not pay for the graph. */
function typesInGraph(
  { routes }: Config,
  { rosApi }: RobotIo,
  onChange: () => void,
): (topic: string) => readonly string[] {
  const types = new Map<string, readonly string[]>();
  if (routes.length > 0)
    rosApi?.graph.watch(({ topics }) => {
      types.clear();
      for (const { topic, types: found } of topics) types.set(topic, found);
      onChange();
    });
  return (topic) => types.get(topic) ?? [];
}

function jointStates({ arm, ros }: Config): string {
  return arm.joint_states.startsWith('/') ? arm.joint_states : named(ros.namespace, `/${arm.joint_states}`);
}

/**
 * Limits of these joints, in this order, from `[gate]`; undefined where it says nothing of them. Throws
 * `config.invalid`: a robot whose limits cannot be read is not moved without them.
 */
export function jointGateSpec({ gate }: Config, joints: readonly string[]): JointGateSpec | undefined {
  if (gate.urdf === '' && gate.limits.length === 0) return undefined;
  return gateSpec(gate.urdf === '' ? undefined : readModel(gate.urdf), {
    joints,
    ...{ base: gate.base, tool: gate.tool, mode: gate.mode, rateMax: gate.rate },
    ...{ gapSeconds: gate.gap / 1000, startTolerance: gate.start_tolerance },
    ...{ rows: gate.limits, boxes: gate.boxes },
  });
}

/** Of the joints of the arm, in the order in which they are commanded. */
function specOf(config: Config): JointGateSpec | undefined {
  const { gate, arm } = config;
  const joints = gate.joints.length > 0 ? gate.joints : arm.joints;
  return joints.length === 0 ? undefined : jointGateSpec(config, joints);
}

function jogOf(config: Config, spec: JointGateSpec, bus: SampleBus): SafetyOptions['jog'] {
  const { commands } = config.gate;
  if (commands === '') return undefined;
  return { spec, states: jointStates(config), commands, publish: (sample) => bus.publish(sample) };
}

/** Throws `config.invalid` for a file that is not there or is no URDF. */
export function readModel(path: string): UrdfModel {
  try {
    return readUrdf(readFileSync(path, 'utf8'));
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'config.invalid', 'read URDF', path);
    throw new EdgeError('config.invalid', {
      operation: 'read URDF',
      subject: path,
      message: `gate.urdf: ${error.message}`,
      hint: error.hint,
      cause: thrown,
    });
  }
}
