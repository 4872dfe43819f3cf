import { ToolPoint } from '../../../formats/urdf/index.ts';
import type { JointGateSpec, JointVerdict, Measured } from './gate-spec.ts';
import { JointAxis } from './joint-axis.ts';
import { WorkspaceGuard } from './workspace.ts';

type Kind = 'position' | 'velocity' | 'acceleration' | 'jerk' | 'effort' | 'not a number';

/** Reported again and again for a broken policy: made once, so that a control step allocates nothing. */
const KINDS: readonly Kind[] = ['position', 'velocity', 'acceleration', 'jerk', 'effort', 'not a number'];
/** A command is looked at this much earlier than the rate allows: steps are not exactly equal. */
const EARLY = 0.5;
/** Steps longer than this open no limits further: what it takes beyond it is lost to lateness, seconds. */
const STEP_SECONDS_MAX = 0.1;
/** A limit counts as the one that bit from this share of it on. */
const BITES = 0.999;
/** What a joint that turns without end may be asked for, radians to each side: a hundred turns. */
const ENDLESS_RANGE = 200 * Math.PI;
const NOTHING = new Float64Array(0);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The numeric gate before the joints of an arm: whatever is asked, what comes out is finite, within the limits of
 * position, velocity, acceleration and jerk of each joint, keeps the tool point in its workspace, and can be brought
 * to rest within all of them. One gate per controlled set of joints: it remembers what it let through. The same calls
 * give bit-equal answers; the answer is one object that the next call fills again.
 */
export class JointGate {
  readonly spec: JointGateSpec;
  readonly #axes: readonly JointAxis[];
  readonly #guard: WorkspaceGuard | undefined;
  readonly #applied: Float64Array;
  readonly #answer: Mutable<JointVerdict>;
  readonly #reasons: ReadonlyMap<Kind, readonly string[]>;
  #begun = false;
  /** It was brought to rest on purpose: the robot may have sagged or been moved since. */
  #held = false;
  #owed = 0;

  /** Throws `TypeError` for invalid limits: it is made from checked ones (`gateSpec`). */
  constructor(spec: JointGateSpec) {
    check(spec);
    this.spec = spec;
    this.#axes = spec.joints.map((limits) => new JointAxis(limits));
    this.#applied = new Float64Array(spec.joints.length);
    this.#answer = { applied: NOTHING, verdict: 'refused', reason: '', joint: -1 };
    this.#reasons = new Map(KINDS.map((kind) => [kind, spec.joints.map(({ name }) => `${kind} of ${name}`)]));
    const { workspace } = spec;
    this.#guard = workspace && new WorkspaceGuard(workspace, new ToolPoint(workspace.chain), this.#axes);
  }

  /** It knows where the robot is. Until then every answer is `refused` and `applied` is empty. */
  get begun(): boolean {
    return this.#begun;
  }

  /** All joints stand, as far as commands go. */
  get atRest(): boolean {
    for (const axis of this.#axes) if (!axis.atRest) return false;
    return true;
  }

  /** The next command starts from the measured position. */
  reset(): void {
    this.#begun = false;
  }

  /**
   * `asked`: positions in the order of the joints. `dtSeconds` since the last call. `measured` is needed for the
   * first command, after a hold, a gap and a reset; without it then nothing is let through. `free`: other than 0 for a
   * joint that is not commanded, whatever is asked of it: it goes to rest on the quickest way, and stays there.
   */
  apply(
    asked: ArrayLike<number>,
    dtSeconds: number,
    measured: Measured | undefined,
    free?: ArrayLike<number>,
  ): JointVerdict {
    const dt = this.#time(dtSeconds, measured);
    if (dt === 0) return this.#say('limited', 'rate', -1);
    if (!this.#begun) return this.#say('refused', 'no measured position', -1);
    if (asked.length !== this.#axes.length) return this.#brake(dt, 'wrong number of joints', -1);
    const bad = this.#firstBad(asked, dt, free);
    if (bad !== undefined) return bad;
    const yields = this.#aim(asked, dt, measured, free);
    if (this.#guard && !this.#guard.allows()) {
      for (const axis of this.#axes) axis.brake(dt);
      this.#take();
      return this.#say(this.spec.mode === 'refuse' ? 'refused' : 'limited', 'workspace', -1);
    }
    this.#take();
    return yields >= 0 ? this.#bite('effort', yields) : this.#judge(asked, free);
  }

  /**
   * Which position of those that start at `at` is further outside of its limits than `share` times their range; -1:
   * none. A joint that turns without end has `ENDLESS_RANGE`.
   */
  farOutside(asked: ArrayLike<number>, at: number, share: number): number {
    return this.spec.joints.findIndex(({ lower, upper }, i) => {
      const range = Number.isFinite(upper - lower) ? upper - lower : ENDLESS_RANGE;
      const low = Number.isFinite(lower) ? lower : -ENDLESS_RANGE;
      const high = Number.isFinite(upper) ? upper : ENDLESS_RANGE;
      const position = asked[at + i]!;
      return position < low - share * range || position > high + share * range;
    });
  }

  /** No command, or none is permitted: on the quickest way to rest, and there. */
  halt(dtSeconds: number, reason = 'halt'): JointVerdict {
    if (!this.#begun || !(dtSeconds > 0)) return this.#say('refused', reason, -1);
    this.#brake(Math.min(STEP_SECONDS_MAX, dtSeconds), reason, -1);
    this.#answer.verdict = 'limited';
    this.#held ||= this.atRest;
    return this.#answer;
  }

  /** Seconds of this step; 0 where it came too soon. Restarts where that is due and can be. */
  #time(dtSeconds: number, measured: Measured | undefined): number {
    const { rateMax, gapSeconds } = this.spec;
    if (dtSeconds > 0) this.#owed += dtSeconds;
    const anew = !this.#begun || this.#held || this.#owed > gapSeconds;
    if (anew && measured) this.#begin(measured);
    else if (anew) this.#begun = false;
    if (!this.#begun) {
      this.#owed = 0;
      return STEP_SECONDS_MAX;
    }
    if (this.#owed * rateMax < EARLY) return 0;
    const dt = Math.min(this.#owed, STEP_SECONDS_MAX);
    this.#owed = 0;
    return dt;
  }

  #begin({ positions }: Measured): void {
    this.#begun = false;
    if (positions.length !== this.#axes.length) return;
    for (let i = 0; i < this.#axes.length; i++) if (!Number.isFinite(positions[i])) return;
    // A gap is no time in which it may have been moved by us.
    const nominal = 1 / this.spec.rateMax;
    this.#owed = Math.min(
      this.#owed > 0 ? this.#owed : nominal,
      Math.max(nominal, this.spec.gapSeconds / 10),
    );
    for (let i = 0; i < this.#axes.length; i++) {
      this.#axes[i]!.begin(positions[i]!);
      this.#applied[i] = positions[i]!;
    }
    this.#begun = true;
    this.#held = false;
  }

  /** Refuses what is no number, and in `refuse` mode what is out of limits; undefined: none of it. */
  #firstBad(asked: ArrayLike<number>, dt: number, free?: ArrayLike<number>): JointVerdict | undefined {
    for (let i = 0; i < this.#axes.length; i++) {
      if (free?.[i]) continue;
      if (!Number.isFinite(asked[i])) return this.#brake(dt, this.#reasons.get('not a number')![i]!, i);
    }
    if (this.spec.mode === 'clamp') return undefined;
    for (let i = 0; i < this.#axes.length; i++) {
      if (free?.[i]) continue;
      const axis = this.#axes[i]!;
      const q = asked[i]!;
      if (Math.abs(axis.clamped(q) - q) > axis.near)
        return this.#brake(dt, this.#reasons.get('position')![i]!, i);
      if (axis.leaps(q, dt)) return this.#brake(dt, this.#reasons.get('velocity')![i]!, i);
    }
    return undefined;
  }

  /** Thinks out the step of every joint. Answers the first joint that is pressed too hard, or -1. */
  #aim(
    asked: ArrayLike<number>,
    dt: number,
    measured: Measured | undefined,
    free?: ArrayLike<number>,
  ): number {
    let pressed = -1;
    for (let i = 0; i < this.#axes.length; i++) {
      const axis = this.#axes[i]!;
      const effort = measured?.efforts?.[i];
      const where = measured?.positions[i];
      // It yields to where it is: a command further on would press on.
      const yields = effort !== undefined && Math.abs(effort) > axis.limits.effort;
      if (yields && pressed < 0) pressed = i;
      if (yields && where !== undefined && Number.isFinite(where)) axis.aim(where, dt);
      else if (yields) axis.brake(dt);
      else if (free?.[i]) {
        axis.brake(dt);
        axis.forget();
      } else axis.aim(asked[i]!, dt);
    }
    return pressed;
  }

  #brake(dt: number, reason: string, joint: number): JointVerdict {
    for (const axis of this.#axes) {
      axis.brake(dt);
      axis.forget();
    }
    this.#take();
    return this.#say('refused', reason, joint);
  }

  #take(): void {
    for (let i = 0; i < this.#axes.length; i++) {
      const axis = this.#axes[i]!;
      axis.take();
      this.#applied[i] = axis.position;
    }
  }

  /** Which joint is furthest from what it was asked for, in its own measure, and by which limit. */
  #judge(asked: ArrayLike<number>, free?: ArrayLike<number>): JointVerdict {
    let worst = -1;
    let most = 1;
    for (let i = 0; i < this.#axes.length; i++) {
      if (free?.[i]) continue;
      const axis = this.#axes[i]!;
      const off = Math.abs(asked[i]! - axis.position) / axis.near;
      if (off > most) {
        most = off;
        worst = i;
      }
    }
    if (worst < 0) return this.#say('passed', '', -1);
    const axis = this.#axes[worst]!;
    const { velocity, acceleration } = axis.limits;
    if (axis.clamped(asked[worst]!) !== asked[worst]!) return this.#bite('position', worst);
    if (Math.abs(axis.velocity) > velocity * BITES) return this.#bite('velocity', worst);
    if (Math.abs(axis.acceleration) > acceleration * BITES) return this.#bite('acceleration', worst);
    return this.#bite('jerk', worst);
  }

  #bite(kind: Kind, joint: number): JointVerdict {
    return this.#say('limited', this.#reasons.get(kind)![joint]!, joint);
  }

  #say(verdict: JointVerdict['verdict'], reason: string, joint: number): JointVerdict {
    const answer = this.#answer;
    answer.applied = this.#begun ? this.#applied : NOTHING;
    answer.verdict = verdict;
    answer.reason = reason;
    answer.joint = joint;
    return answer;
  }
}

/** Whatever is asked of it, within limits: see `JointGate`. */
export function makeJointGate(spec: JointGateSpec): JointGate {
  return new JointGate(spec);
}

function check({ joints, rateMax, gapSeconds }: JointGateSpec): void {
  for (const { name, lower, upper, velocity, acceleration, jerk, effort } of joints) {
    const fits = lower <= upper && effort > 0;
    const finite = [velocity, acceleration, jerk].every((limit) => limit > 0 && Number.isFinite(limit));
    if (!fits || !finite) throw new TypeError(`the limits of ${name} are not a valid range`);
  }
  if (joints.length === 0 || !(rateMax > 0) || !(gapSeconds > 0))
    throw new TypeError('a gate without joints');
}
