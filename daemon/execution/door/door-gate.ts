import { type ArmState, EdgeError, type Sample } from '../../../contract/core.ts';
import {
  decodeFloat64MultiArray,
  decodeJointTrajectory,
  decodeTwist,
  decodeTwistStamped,
  encodeTwist,
  encodeTwistStamped,
  FLOAT64_MULTI_ARRAY,
  JOINT_TRAJECTORY,
  type JointTrajectory,
  TWIST,
  TWIST_STAMPED,
  type Twist,
} from '../../../formats/cdr/index.ts';
import type { JointGateSpec } from '../safety/gate-spec.ts';
import { checkTrajectory } from '../safety/trajectory-check.ts';

export type DoorGateParts = {
  /** Fastest velocity of the base in any axis, m/s and rad/s. */
  readonly speeds: { readonly linearMax: number; readonly angularMax: number };
  /** Topics of the base. */
  readonly base?: readonly string[] | undefined;
  /** Limits of the joints. Undefined: none are configured, and no trajectory of other clients passes. */
  readonly joints?: JointGateSpec | undefined;
  /** Measured positions of the joints. Joints without a recent measurement are left out. */
  measured?(): ArmState['joints'];
};

export type GateAnswer =
  | { readonly verdict: 'passed' }
  | {
      readonly verdict: 'limited';
      readonly sample: Sample;
      readonly reason: string;
      readonly asked: readonly number[];
      readonly applied: readonly number[];
    }
  | { readonly verdict: 'refused'; readonly reason: string; readonly hint?: string };

const PASSED: GateAnswer = { verdict: 'passed' };
/** A difference up to this is rounding and not a change of a velocity, m/s or rad/s. */
const ROUNDING = 1e-9;

/**
 * The numeric gate of the door: every command that passes is finite and within limits. A velocity that is too fast is
 * reduced. A trajectory that leaves the limits of a joint is refused as a whole. The gate does not know obstacles: the
 * loops of this daemon check those before.
 */
export class DoorGate {
  readonly #parts: DoorGateParts;
  readonly #watched: ReadonlySet<string>;
  /** The last velocity that went out on each topic of the base. */
  readonly #last = new Map<string, readonly number[]>();

  constructor(parts: DoorGateParts) {
    this.#parts = parts;
    this.#watched = new Set(parts.base);
  }

  /**
   * Whether commands of this type from other clients can be judged. A trajectory cannot: its controller executes it by
   * itself, perhaps later (its stamp), and perhaps for longer than its lease lasts.
   */
  judges(type: string): boolean {
    return type === TWIST || type === TWIST_STAMPED;
  }

  /** `ours`: a loop of this daemon sent it, whose joint gate is stricter. Here it only has to be finite. */
  judge(sample: Sample, ours: boolean): GateAnswer {
    try {
      if (sample.type === TWIST || sample.type === TWIST_STAMPED) return this.#velocity(sample);
      if (!ours) return { verdict: 'refused', reason: `no gate can check ${sample.type}` };
      if (sample.type === FLOAT64_MULTI_ARRAY)
        return decodeFloat64MultiArray(sample.bytes).every(Number.isFinite) ? PASSED : notFinite();
      if (sample.type === JOINT_TRAJECTORY) this.#trajectory(sample);
      return PASSED;
    } catch (thrown) {
      const { message, hint } = EdgeError.from(thrown, 'sample.malformed', 'judge', sample.topic);
      return { verdict: 'refused', reason: message, hint };
    }
  }

  /** Whether a velocity only slows the base: in no axis is it faster than the last one, or reversed. */
  slows(sample: Sample): boolean {
    if (sample.type !== TWIST && sample.type !== TWIST_STAMPED) return false;
    const before = this.#last.get(sample.topic) ?? [0, 0, 0, 0, 0, 0];
    try {
      const now = numbersOf(twistOf(sample));
      return now.every((value, i) => value * before[i]! >= 0 && Math.abs(value) <= Math.abs(before[i]!));
    } catch {
      return false;
    }
  }

  /** Notes that this sample was sent. */
  sent(sample: Sample): void {
    if (!this.#watched.has(sample.topic)) return;
    try {
      this.#last.set(sample.topic, numbersOf(twistOf(sample)));
    } catch {
      // The sample is no velocity, so the robot cannot read it either.
    }
  }

  /**
   * Throws `command.refused` for a trajectory of another client that leaves the limits of the joints, starting from their
   * measured positions, or that names a joint without limits.
   */
  checkTrajectory({ joints, points, velocities }: Omit<JointTrajectory, 'allFinite'>): void {
    const { joints: spec } = this.#parts;
    const hint = 'set the limits of its joints with gate.urdf or [[gate.limits]]; see docs/safety.md';
    if (!spec) throw refusal('no joint limits are configured for this robot', hint);
    const limits = joints.map((name) => spec.joints.find((joint) => joint.name === name));
    const stranger = limits.indexOf(undefined);
    if (stranger >= 0) throw refusal(`no limits are configured for joint ${joints[stranger]}`, hint);
    for (const [i, speeds] of velocities.entries()) {
      const fast = [...speeds].findIndex((speed, j) => Math.abs(speed) > (limits[j]?.velocity ?? 0));
      if (fast >= 0)
        throw refusal(`point ${i + 1}: velocity of ${joints[fast]} is above ${limits[fast]?.velocity}`);
    }
    checkTrajectory(spec, points, this.#parts.measured?.() ?? {});
  }

  get speeds(): DoorGateParts['speeds'] {
    return this.#parts.speeds;
  }

  #velocity(sample: Sample): GateAnswer {
    const { linearMax, angularMax } = this.#parts.speeds;
    const asked = numbersOf(twistOf(sample));
    if (!asked.every(Number.isFinite)) return notFinite();
    const applied = asked.map((value, i) => {
      const most = i < 3 ? linearMax : angularMax;
      return Math.abs(value) <= most + ROUNDING ? value : Math.sign(value) * most;
    });
    if (applied.every((value, i) => value === asked[i])) return PASSED;
    const [x = 0, y = 0, z = 0, roll = 0, pitch = 0, yaw = 0] = applied;
    const twist = { linear: { x, y, z }, angular: { x: roll, y: pitch, z: yaw } };
    const bytes =
      sample.type === TWIST
        ? encodeTwist(twist)
        : encodeTwistStamped({ header: decodeTwistStamped(sample.bytes).header, twist });
    return { verdict: 'limited', sample: { ...sample, bytes }, reason: 'speed', asked, applied };
  }

  #trajectory({ bytes }: Sample): void {
    const { allFinite, ...trajectory } = decodeJointTrajectory(bytes);
    if (!allFinite) throw refusal('it contains a number that is not finite');
    this.checkTrajectory(trajectory);
  }
}

function twistOf({ type, bytes }: Sample): Twist {
  return type === TWIST ? decodeTwist(bytes) : decodeTwistStamped(bytes).twist;
}

function numbersOf({ linear, angular }: Twist): number[] {
  return [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z];
}

function notFinite(): GateAnswer {
  return { verdict: 'refused', reason: 'it contains a number that is not finite' };
}

function refusal(message: string, hint = ''): EdgeError {
  return new EdgeError('command.refused', { operation: 'gate', subject: 'robot', message, hint });
}
