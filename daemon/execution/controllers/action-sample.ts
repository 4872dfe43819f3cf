import {
  type AppliedAction,
  type ControllerOrder,
  DEFAULT_QOS,
  type Sample,
  type TopicSpec,
  toWireTime,
} from '../../../contract/core.ts';
import {
  CdrWriter,
  encodeFloat64MultiArray,
  encodeTwist,
  encodeTwistStamped,
  FLOAT64_MULTI_ARRAY,
  TWIST,
  TWIST_STAMPED,
} from '../../../formats/cdr/index.ts';
import type { Origin } from './chunk-origins.ts';
import type { ControllerSpec } from './controller-spec.ts';
import type { StepRecord } from './shared-state.ts';

const STRING = 'std_msgs/msg/String';

/** Topic of the applied steps of a controller, one std_msgs/String with an `AppliedAction` as JSON each. */
export function actionTopic(controller: string): string {
  return `/auraison/actions/${controller}`;
}

export function actionSample(action: AppliedAction): Sample {
  const stamp = BigInt(action.time_ns);
  const text = JSON.stringify(action);
  const writer = new CdrWriter(text.length + 16);
  writer.string(text);
  const topic = actionTopic(action.controller);
  return { topic, type: STRING, stamp, received: stamp, bytes: writer.finish() };
}

/** Type of the messages that a controller sends. */
function commandType({ kind, stamped }: ControllerSpec['output']): string {
  if (kind !== 'twist') return FLOAT64_MULTI_ARRAY;
  return stamped ? TWIST_STAMPED : TWIST;
}

/** Where a controller sends them. */
export function commandTopic(output: ControllerSpec['output']): TopicSpec {
  const { topic, kind, names } = output;
  const spec: TopicSpec = { topic, type: commandType(output), qos: DEFAULT_QOS };
  return kind === 'velocities' ? { ...spec, speeds: names.length } : spec;
}

/** One step as it is recorded. */
export function appliedAction(
  { name, output, policy }: ControllerSpec,
  step: StepRecord,
  made: {
    readonly verdict: AppliedAction['verdict'];
    readonly reason: string;
    /** Of the robot, nanoseconds. */
    readonly time: bigint;
    readonly origin: Origin | undefined;
    readonly hash: string;
    readonly order: ControllerOrder | undefined;
    readonly lease: number;
  },
): AppliedAction {
  const { verdict, reason, time, origin, hash, order, lease } = made;
  return {
    controller: name,
    time_ns: toWireTime(time),
    kind: output.kind,
    names: output.names,
    asked: [...step.asked],
    applied: [...step.applied],
    verdict,
    reason,
    chunk: step.chunk,
    observation_ns: toWireTime(origin?.observationNs ?? 0n),
    policy,
    policy_hash: origin?.policyHash ?? hash,
    plan_step: order?.plan_step ?? '',
    motion_id: order?.motionId ?? '',
    lease,
  };
}

/** What goes to the robot; of a twist the numbers are metres per second forward, radians per second to the left. */
export function commandSample(
  { output }: Pick<ControllerSpec, 'output'>,
  values: Float64Array,
  time: bigint,
): Sample {
  const { topic } = output;
  const type = commandType(output);
  const sample = (bytes: Uint8Array): Sample => ({ topic, type, stamp: time, received: time, bytes });
  if (type === FLOAT64_MULTI_ARRAY) return sample(encodeFloat64MultiArray(values));
  const twist = {
    linear: { x: values[0]!, y: 0, z: 0 },
    angular: { x: 0, y: 0, z: values[1]! },
  };
  const header = { stamp: time, frame_id: 'base_link' };
  return sample(type === TWIST_STAMPED ? encodeTwistStamped({ header, twist }) : encodeTwist(twist));
}
