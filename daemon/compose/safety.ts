import { readFileSync } from 'node:fs';
import { type CellContext, EdgeError } from '../../contract/core.ts';
import { readUrdf, type UrdfModel } from '../../formats/urdf/index.ts';
import type { Config } from '../config.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import { gateSpec, type JointGateSpec } from '../execution/safety/index.ts';
import { SafetyDesk, type SafetyOptions } from '../execution/safety/safety-desk.ts';
import type { Settings } from '../settings.ts';
import { named, type RobotIo, stopTopic } from './robot-io.ts';

/** What keeps the robot of this configuration from moving, and its sink behind it. */
export function makeSafety(
  { config }: Settings,
  context: CellContext,
  io: RobotIo,
  bus: SampleBus,
): { readonly safety: SafetyDesk; readonly io: RobotIo } {
  const { estop, lease, zenoh, daemon } = config;
  const base = zenoh.prefix === '' ? daemon.name : zenoh.prefix;
  const spec = specOf(config);
  const jog = spec && jogOf(config, spec, bus);
  const safety = new SafetyDesk(context, {
    times: { ttlMs: lease.ttl, ttlMsMax: Math.max(lease.ttl, lease.ttl_max) },
    topic: stopTopic(config),
    key: zenoh.enabled && estop.zenoh ? `${base}/estop` : '',
    commands: [
      io.command.topic,
      ...(jog ? [jog.commands] : []),
      ...config.controllers.map(({ output }) => output),
    ],
    speeds: config.controllers.filter(({ kind }) => kind === 'velocities').map(({ output }) => output),
    hasRobot: config.robot.source !== 'none',
    spec,
    ...(jog ? { jog } : {}),
  });
  return { safety, io: io.sink ? { ...io, sink: safety.guard(io.sink) } : io };
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

function jogOf({ gate, arm, ros }: Config, spec: JointGateSpec, bus: SampleBus): SafetyOptions['jog'] {
  if (gate.commands === '') return undefined;
  const states = arm.joint_states.startsWith('/')
    ? arm.joint_states
    : named(ros.namespace, `/${arm.joint_states}`);
  return { spec, states, commands: gate.commands, publish: (sample) => bus.publish(sample) };
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
