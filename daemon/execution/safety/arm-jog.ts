import {
  type Clock,
  EdgeError,
  LIMITS,
  type NewEvent,
  RestWatch,
  type Sample,
  type Timer,
} from '../../../contract/core.ts';
import {
  decodeJointState,
  encodeFloat64MultiArray,
  FLOAT64_MULTI_ARRAY,
  JOINT_STATE,
} from '../../../formats/cdr/index.ts';
import type { Mover } from '../actuation.ts';
import { GateReceipts } from './gate-receipts.ts';
import type { JointGateSpec, Measured } from './gate-spec.ts';
import { type JointGate, makeJointGate } from './joint-gate.ts';
import { knownJoints } from './joint-order.ts';

const STEP_MS = 20;
/** Joint states older than this say nothing about where the arm is, milliseconds. */
const MEASURED_MS_MAX = 500;
const RECEIPT_MS = 1_000;

export type ArmJogParts = {
  readonly clock: Clock;
  readonly spec: JointGateSpec;
  /** sensor_msgs/JointState that is measured, and std_msgs/Float64MultiArray that is commanded. */
  readonly states: string;
  readonly commands: string;
  /** To the robot, and to the recorder. */
  send(sample: Sample): boolean;
  mayMove(lease: number): boolean;
  note(event: NewEvent): void;
};

/**
 * The joints of an arm under a person's hand: positions through the joint gate to a forward controller, from where
 * the arm is and no faster than it may. When no commands come, it is brought to rest.
 */
export class ArmJog implements Mover {
  readonly #parts: ArmJogParts;
  readonly #gate: JointGate;
  readonly #receipts: GateReceipts;
  readonly #target: Float64Array;
  /** Until when the last command of each joint counts, monotonic milliseconds. */
  readonly #untilMs: Float64Array;
  /** 1 for each joint that is not commanded now. */
  readonly #free: Uint8Array;
  #newest: { readonly sample: Sample; readonly atMs: number } | undefined;
  #timer: Timer | undefined;
  #lease = 0;
  #lastMs = 0;
  /** After the last command, until the arm is measured to stand, or that was waited for long enough. */
  #settling: { readonly rest: RestWatch; readonly limit: Timer } | undefined;
  #waiting: ((confirmed: boolean) => void)[] = [];

  constructor(parts: ArmJogParts) {
    const { clock, spec, note } = parts;
    this.#parts = parts;
    this.#gate = makeJointGate(spec);
    this.#target = new Float64Array(spec.joints.length);
    this.#untilMs = new Float64Array(spec.joints.length).fill(-Infinity);
    this.#free = new Uint8Array(spec.joints.length);
    this.#receipts = new GateReceipts({ clock, source: 'teleoperation', periodMs: RECEIPT_MS, note });
  }

  observe(sample: Sample): void {
    if (sample.topic !== this.#parts.states || sample.type !== JOINT_STATE) return;
    const atMs = this.#parts.clock.monotonicMs();
    this.#newest = { sample, atMs };
    if (!this.#settling) return;
    const measured = this.#measured();
    if (measured) this.#settling.rest.observe(measured.positions, atMs, measured.velocities);
    if (this.#settling.rest.rests) this.#settled(true);
  }

  /**
   * A joint counts as commanded for `LIMITS.COMMAND_EXPIRY_MS` from `madeAtMs` on; then it comes to rest, and those
   * that are not named stay. Throws `command.refused` for an unknown joint, and while it is being stopped.
   */
  readonly jog = (joints: Readonly<Record<string, number>>, lease: number, madeAtMs: number): void => {
    const { clock, spec } = this.#parts;
    if (this.#waiting.length > 0)
      throw new EdgeError('command.refused', {
        ...{ operation: 'teleoperate', subject: 'arm', message: 'the arm is being stopped' },
      });
    knownJoints(spec, Object.keys(joints));
    const begins = this.#timer === undefined;
    for (const [i, { name }] of spec.joints.entries()) {
      const asked = Object.hasOwn(joints, name) ? joints[name] : undefined;
      if (asked === undefined) continue;
      this.#target[i] = asked;
      this.#untilMs[i] = madeAtMs + LIMITS.COMMAND_EXPIRY_MS;
    }
    this.#lease = lease;
    if (!begins) return;
    this.#settling?.limit.cancel();
    this.#settling = undefined;
    this.#gate.reset();
    this.#lastMs = clock.monotonicMs() - STEP_MS;
    this.#timer = clock.every(STEP_MS, () => this.#step());
    this.#step();
  };

  isMoving(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * Settles when the commands are at rest and the joints are measured to stand. Rejects with `robot.unreachable` where that
   * was not confirmed within `LIMITS.STILL_WAIT_MS` of the last command.
   */
  readonly stop = async (): Promise<void> => {
    this.#untilMs.fill(-Infinity);
    if (!this.#timer && !this.#settling) return;
    const confirmed = await new Promise<boolean>((resolve) => this.#waiting.push(resolve));
    if (!confirmed) throw unconfirmed();
  };

  close(): void {
    this.#rest();
    this.#settled(true);
  }

  #step(): void {
    const { clock, mayMove } = this.#parts;
    const nowMs = clock.monotonicMs();
    const seconds = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    for (let i = 0; i < this.#free.length; i++) this.#free[i] = nowMs <= this.#untilMs[i]! ? 0 : 1;
    const measured = this.#measured();
    // The place of an arm that is not measured is unknown.
    const goesOn = this.#free.includes(0) && mayMove(this.#lease) && measured !== undefined;
    // It may not be moved now: then no joint continues to an old target when another one is named next.
    if (!goesOn) this.#untilMs.fill(-Infinity);
    // This cell was frozen, and the arm stands: the speed of before would move it.
    if (!goesOn && seconds * 1_000 > LIMITS.COMMAND_EXPIRY_MS) this.#gate.reset();
    const answer = goesOn
      ? this.#gate.apply(this.#target, seconds, measured, this.#free)
      : this.#gate.halt(seconds, 'no command');
    // What is written down as asked of a joint that is not commanded is where it is.
    for (let i = 0; i < this.#free.length; i++)
      if (this.#free[i] === 1) this.#target[i] = answer.applied[i] ?? Number.NaN;
    if (goesOn) this.#receipts.add(this.#target, answer);
    if (answer.applied.length > 0) this.#send(answer.applied);
    if (!goesOn && (this.#gate.atRest || answer.applied.length === 0)) this.#rest();
  }

  #rest(): void {
    if (!this.#timer) return;
    this.#timer.cancel();
    this.#timer = undefined;
    const limit = this.#parts.clock.after(LIMITS.STILL_WAIT_MS, () => this.#settled(false));
    this.#settling = { rest: new RestWatch(), limit };
    this.#untilMs.fill(-Infinity);
    this.#receipts.flush();
  }

  #settled(confirmed: boolean): void {
    this.#settling?.limit.cancel();
    this.#settling = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve(confirmed);
  }

  #send(applied: Float64Array): void {
    const { clock } = this.#parts;
    const now = clock.now();
    this.#parts.send({
      expiresAtMs: clock.monotonicMs() + LIMITS.COMMAND_EXPIRY_MS,
      ...{ topic: this.#parts.commands, type: FLOAT64_MULTI_ARRAY, stamp: now, received: now },
      bytes: encodeFloat64MultiArray(applied),
    });
  }

  /** Undefined: not every joint is measured, or not lately. */
  #measured(): (Measured & { readonly velocities: readonly number[] }) | undefined {
    const newest = this.#newest;
    if (!newest || this.#parts.clock.monotonicMs() - newest.atMs > MEASURED_MS_MAX) return undefined;
    try {
      const { name, position, velocity, effort } = decodeJointState(newest.sample.bytes);
      const places = this.#parts.spec.joints.map((joint) => name.indexOf(joint.name));
      if (places.includes(-1)) return undefined;
      return {
        positions: places.map((at) => position[at] ?? Number.NaN),
        velocities: places.map((at) => velocity[at] ?? Number.NaN),
        efforts: places.map((at) => effort[at] ?? Number.NaN),
      };
    } catch {
      return undefined;
    }
  }
}

function unconfirmed(): EdgeError {
  const message = `standing still was not confirmed within ${LIMITS.STILL_WAIT_MS} ms`;
  const hint = 'check the robot itself; its joint states must report zero speed';
  return new EdgeError('robot.unreachable', { operation: 'stop', subject: 'arm', message, hint });
}
