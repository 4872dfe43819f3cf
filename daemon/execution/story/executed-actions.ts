import { type ACTION_SOURCES, type AppliedAction, type Sample, toWireTime } from '../../../contract/core.ts';
import {
  decodeFloat64MultiArray,
  decodeJointTrajectory,
  decodeTwist,
  decodeTwistStamped,
  FLOAT64_MULTI_ARRAY,
  JOINT_TRAJECTORY,
  TWIST,
  TWIST_STAMPED,
} from '../../../formats/cdr/index.ts';
import type { Actuation } from '../actuation.ts';
import { actionSample } from '../controllers/action-sample.ts';
import type { AskerKind, Executed } from '../door/index.ts';

type Motion = {
  readonly id: string;
  readonly run: string | undefined;
  /** Principal of the request at the API. */
  readonly by?: string | undefined;
};

export type ExecutedActionsParts = {
  /** To the recorder; bounded there. */
  publish(sample: Sample): void;
  /** What moves base or arm now, and for which run. */
  motion(mover: 'base' | 'arm'): Motion | undefined;
  /** Joints of a topic of joint commands, in their order; empty where they are unknown. */
  joints(topic: string): readonly string[];
};

const AXES = ['linear', 'angular'];

type Values = Pick<AppliedAction, 'kind' | 'names' | 'asked' | 'applied' | 'reason'>;

/**
 * Each command that the door gave to the robot, as an applied action beside those of the controllers: asked and
 * applied values, chunk, observation, policy, lease and motion. Controllers record their own steps.
 */
export class ExecutedActions {
  readonly #parts: ExecutedActionsParts;
  /** Commands that could not be read: none of our own loops sends one. */
  unreadable = 0;

  constructor(parts: ExecutedActionsParts) {
    this.#parts = parts;
  }

  /** Never throws: it stands in the way of a command. */
  readonly note = (command: Executed): void => {
    if (command.asker.kind === 'controller') return;
    try {
      const values = this.#valuesOf(command);
      if (values) this.#parts.publish(actionSample(this.#action(command, values)));
    } catch {
      this.unreadable += 1;
    }
  };

  #action({ asker, sample, lease, origin, gated }: Executed, values: Values): AppliedAction {
    const source = origin?.by ?? SOURCES[asker.kind];
    const byHand = source === 'teleoperation';
    const mover: Mover = values.kind === 'twist' ? 'base' : 'arm';
    const limited = gated !== undefined;
    const motion = byHand ? undefined : this.#parts.motion(mover);
    return {
      ...{ controller: source, time_ns: toWireTime(sample.stamp) },
      ...values,
      verdict: limited ? 'limited' : (origin?.verdict ?? 'passed'),
      reason: limited ? gated.reason : (origin?.reason ?? values.reason),
      chunk: origin?.chunk ?? 0,
      observation_ns: toWireTime(origin?.observation ?? 0n),
      policy: origin?.policy ?? '',
      policy_hash: origin?.policyHash ?? '',
      plan_step: '',
      motion_id: motion?.id ?? '',
      ...(motion?.run === undefined ? {} : { run_id: motion.run }),
      lease: origin?.lease ?? lease ?? 0,
    };
  }

  #valuesOf({ sample, origin, gated }: Executed): Values | undefined {
    const { topic, type, bytes } = sample;
    if (type === TWIST || type === TWIST_STAMPED) {
      const applied = velocityOf(sample);
      const asked = origin ? [origin.asked.linear, origin.asked.angular] : (gated?.asked ?? applied);
      return { kind: 'twist', names: AXES, asked, applied, reason: '' };
    }
    if (type === FLOAT64_MULTI_ARRAY) {
      const applied = [...decodeFloat64MultiArray(bytes)];
      const known = this.#parts.joints(topic);
      const names = applied.map((_, i) => known[i] ?? `joint_${i}`);
      return { kind: 'positions', names, asked: gated?.asked ?? applied, applied, reason: '' };
    }
    if (type === JOINT_TRAJECTORY) {
      const { joints, points } = decodeJointTrajectory(bytes);
      const last = points.at(-1);
      const applied = joints.map((name) => last?.positions[name] ?? Number.NaN);
      const reason = `${points.length} points in ${Math.round(last?.timeFromStartMs ?? 0)} ms`;
      return { kind: 'positions', names: joints, asked: applied, applied, reason };
    }
    return undefined;
  }
}

const SOURCES: Readonly<Record<AskerKind, (typeof ACTION_SOURCES)[number]>> = {
  drive: 'drive',
  arm: 'trajectory',
  controller: 'drive',
  teleoperation: 'teleoperation',
  route: 'route',
  play: 'play',
};

/** Forward, m/s, and turning, rad/s. */
function velocityOf({ type, bytes }: Sample): readonly number[] {
  const { linear, angular } = type === TWIST ? decodeTwist(bytes) : decodeTwistStamped(bytes).twist;
  return [linear.x, angular.z];
}

/** What moves base or arm now, among the running motions. */
export function motionUnderWay(motions: Motions, mover: Mover): Motion | undefined {
  return motionsOf(motions, mover)[0];
}

/** The motion that was requested last: it ends those before it, and goals that are sent now are of it. */
export function newestMotion(motions: Motions, mover: Mover): Motion | undefined {
  return motionsOf(motions, mover).at(-1);
}

type Motions = Pick<Actuation, 'motions'>['motions'];
type Mover = 'base' | 'arm';

function motionsOf(motions: Motions, mover: Mover): Motion[] {
  return [...motions].flatMap(([id, { told, hasLease }]) => {
    if (!hasLease || told?.motion === undefined) return [];
    const isBase = told.motion === 'navigate' || told.motion === 'maneuver';
    return isBase === (mover === 'base') ? [{ id, run: told.run, by: told.by }] : [];
  });
}
