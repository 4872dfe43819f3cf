import {
  type ArmState,
  type Clock,
  EdgeError,
  type JointReading,
  type JointTarget,
  LIMITS,
  type Manipulator,
  type MotionResult,
  type Nanoseconds,
  NOT_CONFIRMED,
  type Sample,
  type SampleSink,
  type Timer,
} from '../../contract/core.ts';
import { decodeJointState, encodeFloat64MultiArray } from '../../formats/cdr/index.ts';
import { ALL_NAMES, GRIPPER } from './arm-model.ts';
import { ARM_COMMAND, ARM_TOPICS } from './arm-topics.ts';
import { BrakePath } from './brake-path.ts';
import { type JointPath, jointPath } from './joint-path.ts';

/** Joint states older than this mean that the arm is not there, milliseconds of the clock. */
const SILENT_MS = 1_000;
/** There, and at rest: radians and metres, and the same per second. */
const NEAR = 0.01;
const NEAR_GRIPPER = 0.002;
const STILL = 0.02;
const STILL_GRIPPER = 0.002;
/** Jaws that stand still for so long after they started hold something, milliseconds of robot time. */
const HOLDS_MS = 300;
/** Beyond the time of its last point a motion may take half of it again and this, milliseconds of robot time. */
const OVERTIME_MS = 5_000;
const OVERTIME_SHARE = 0.5;
/** It stands once its joints have been still for this long, milliseconds of robot time: it swings back a little. */
const STANDS_MS = 100;
/** Between two set points that the speed of a path is taken from, milliseconds. */
const SPEED_OVER_MS = 10;

type Outcome = Pick<MotionResult, 'outcome' | 'message'>;

/** The current motion: it gets every joint state, sends commands, and says when it is over. */
type Motion = {
  readonly begun: Nanoseconds;
  readonly path: JointPath;
  readonly kind: 'trajectory' | 'gripper';
  /** Why it has to end, and since when; it ends when the arm rests. */
  ending: { readonly outcome: Outcome; readonly since: Nanoseconds; readonly brake: BrakePath } | undefined;
  stillSince: Nanoseconds | undefined;
  settle(outcome: Outcome): void;
};

/**
 * The arm of the simulation as a Manipulator: our own interpolator, paced by the joint states, so that it keeps robot
 * time in lockstep and in realtime. A trajectory is on straight lines between its points; a gripper closes with the
 * force of its servo, whatever effort is asked for. The owner of the samples calls `observe`.
 */
export class SimArm implements Manipulator {
  readonly #clock: Clock;
  readonly #sink: Pick<SampleSink, 'offer'>;
  #time: Nanoseconds | undefined;
  #heardMs = -Infinity;
  #positions = new Float64Array(ALL_NAMES.length);
  #velocities = new Float64Array(ALL_NAMES.length);
  #efforts = new Float64Array(ALL_NAMES.length);
  #state: ArmState['motion'] = 'idle';
  #motion: Motion | undefined;
  #settled: Promise<unknown> = Promise.resolve();
  /** Count of stops: a motion that waited for another one during a stop does not start. */
  #stops = 0;
  /** Since when all joints have been still, by what is measured. */
  #stillSince: Nanoseconds | undefined;
  /** Whether it was seen to stand after the motion that ended last. */
  #isConfirmed = true;
  /** Callers that wait until it stands. */
  readonly #standing = new Set<() => void>();

  constructor(clock: Clock, sink: Pick<SampleSink, 'offer'>) {
    this.#clock = clock;
    this.#sink = sink;
  }

  observe(sample: Sample): void {
    if (sample.topic !== ARM_TOPICS.joints.topic || sample.type !== ARM_TOPICS.joints.type) return;
    // This cell was frozen, and reads what waited for it: no motion continues from that.
    if (this.#motion && !this.#connected) this.#fellSilent(this.#motion);
    const told = decodeJointState(sample.bytes);
    const order = ALL_NAMES.map((name) => told.name.indexOf(name));
    if (order.includes(-1)) return;
    const inOrder = (values: Float64Array) => Float64Array.from(order, (i) => values[i] ?? 0);
    this.#positions = inOrder(told.position);
    this.#velocities = inOrder(told.velocity);
    this.#efforts = inOrder(told.effort);
    this.#time = sample.stamp;
    this.#heardMs = this.#clock.monotonicMs();
    this.#stillSince = this.#isStill() ? (this.#stillSince ?? sample.stamp) : undefined;
    if (this.#motion) this.#advance(this.#motion, sample.stamp);
    if (this.#stands) for (const stands of [...this.#standing]) stands();
  }

  async state(): Promise<ArmState> {
    return { time: this.#time, joints: this.#joints(), motion: this.#state, connected: this.#connected };
  }

  async followTrajectory(
    points: readonly JointTarget[],
    signal?: AbortSignal,
    check?: (joints: ArmState['joints']) => void,
  ): Promise<MotionResult> {
    // A motion that is refused pre-empts nothing.
    jointPath(points, this.#positions);
    const begin = (from: Float64Array) => {
      check?.(this.#joints());
      return jointPath(points, from);
    };
    return this.#move('trajectory', begin, signal);
  }

  async gripper(opening: number, _effort: number, signal?: AbortSignal): Promise<MotionResult> {
    const { openingMax, speedMax } = GRIPPER;
    const at = Math.min(openingMax, Math.max(0, opening));
    const timeFromStartMs = (1_000 * openingMax) / speedMax;
    if (!Number.isFinite(opening)) {
      const message = `an opening in metres expected, found ${opening}`;
      throw new EdgeError('schema.invalid', { operation: 'gripper', subject: 'opening', message });
    }
    const points = [{ positions: { gripper: at }, timeFromStartMs }];
    return this.#move('gripper', (from) => jointPath(points, from), signal);
  }

  /** Rejects with `robot.unreachable` where it was not seen to stand within `LIMITS.STILL_WAIT_MS`. */
  async stop(reason: string): Promise<void> {
    this.#stops++;
    const moved = this.#motion !== undefined;
    if (this.#motion) this.#end({ outcome: 'stopped', message: reason });
    await this.#settled;
    this.#state = 'stopped';
    // A motion of another mover is stopped by that mover; the answer still waits for it.
    const confirmed = moved ? this.#isConfirmed : await this.#untilItStands();
    if (!confirmed) throw unconfirmed();
  }

  async close(): Promise<void> {
    this.#stops++;
    if (this.#motion) this.#end({ outcome: 'stopped', message: 'the daemon stops' });
    await this.#settled;
  }

  #joints(): ArmState['joints'] {
    const joints: Record<string, JointReading> = {};
    if (this.#time === undefined) return joints;
    for (const [i, name] of ALL_NAMES.entries()) {
      const [position, velocity] = [this.#positions[i]!, this.#velocities[i]!];
      joints[name] = { position, velocity, effort: this.#efforts[i]! };
    }
    return joints;
  }

  get #connected(): boolean {
    return this.#time !== undefined && this.#clock.monotonicMs() - this.#heardMs < SILENT_MS;
  }

  async #move(
    kind: Motion['kind'],
    pathFrom: (from: Float64Array) => JointPath,
    signal: AbortSignal | undefined,
  ): Promise<MotionResult> {
    const stops = this.#stops;
    while (this.#motion) {
      this.#end({ outcome: 'preempted', message: 'another motion took over' });
      await this.#settled;
    }
    const begun = this.#time;
    if (begun === undefined || !this.#connected) throw unreachable(kind);
    if (signal?.aborted || this.#stops !== stops)
      return this.#result(begun, { outcome: 'stopped', message: 'ended before it started' });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const motion: Motion = {
      begun,
      kind,
      path: pathFrom(this.#positions),
      ending: undefined,
      stillSince: undefined,
      settle: resolve,
    };
    this.#motion = motion;
    this.#settled = promise;
    this.#state = 'moving';
    const onAbort = () => this.#end({ outcome: 'stopped', message: String(signal?.reason ?? 'ended') });
    signal?.addEventListener('abort', onAbort, { once: true });
    const watch = this.#watch(motion);
    const outcome = await promise;
    watch.cancel();
    signal?.removeEventListener('abort', onAbort);
    return this.#result(begun, outcome);
  }

  /** Without joint states nothing advances: then the state is unknown, and the wait ends. */
  #watch(motion: Motion): Timer {
    return this.#clock.every(SILENT_MS / 4, () => {
      if (this.#motion === motion && !this.#connected) this.#fellSilent(motion);
    });
  }

  #fellSilent(motion: Motion): void {
    const silent = { outcome: 'starved', message: 'joint states stopped arriving' } as const;
    this.#finish(motion, motion.ending?.outcome ?? silent, motion.ending === undefined);
  }

  #advance(motion: Motion, now: Nanoseconds): void {
    const { ending, path, begun } = motion;
    if (ending) {
      const sinceMs = Number(now - ending.since) / 1e6;
      this.#hold(ending.brake.at(sinceMs));
      if (this.#stands) this.#finish(motion, ending.outcome);
      else if (sinceMs >= LIMITS.STILL_WAIT_MS) this.#finish(motion, ending.outcome, false);
      return;
    }
    const elapsedMs = Number(now - begun) / 1e6;
    this.#command(path.at(elapsedMs), now);
    if (this.#arrived(motion, elapsedMs, now)) {
      this.#finish(motion, { outcome: 'reached', message: '' });
    } else if (elapsedMs > path.lengthMs * (1 + OVERTIME_SHARE) + OVERTIME_MS) {
      this.#end({ outcome: 'timeout', message: 'the arm did not arrive' });
    }
  }

  #arrived(motion: Motion, elapsedMs: number, now: Nanoseconds): boolean {
    const { path, kind } = motion;
    const gripper = ALL_NAMES.length - 1;
    const jawsStill = Math.abs(this.#velocities[gripper]!) < STILL_GRIPPER;
    const open = Math.abs(this.#positions[gripper]! - path.end[gripper]!) < NEAR_GRIPPER;
    if (kind === 'gripper') {
      motion.stillSince = jawsStill ? (motion.stillSince ?? now) : undefined;
      const stillMs = motion.stillSince === undefined ? 0 : Number(now - motion.stillSince) / 1e6;
      // A gripper with an object keeps squeezing until its set point is reached.
      return jawsStill && (open || (stillMs > HOLDS_MS && elapsedMs > path.lengthMs));
    }
    if (elapsedMs < path.lengthMs) return false;
    return (
      this.#isStill() &&
      this.#positions.every((value, i) => i === gripper || Math.abs(value - path.end[i]!) < NEAR)
    );
  }

  get #stands(): boolean {
    const since = this.#stillSince;
    return since !== undefined && Number(this.#time! - since) / 1e6 >= STANDS_MS;
  }

  /** Whether it was measured to stand. An arm that is not connected needs no stop. */
  #untilItStands(): Promise<boolean> {
    if (this.#stands || !this.#connected) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (confirmed: boolean) => {
        this.#standing.delete(stands);
        limit.cancel();
        resolve(confirmed);
      };
      const stands = () => settle(true);
      const limit = this.#clock.after(LIMITS.STILL_WAIT_MS, () => settle(false));
      this.#standing.add(stands);
    });
  }

  #isStill(): boolean {
    return this.#velocities.every(
      (value, i) => Math.abs(value) < (i === ALL_NAMES.length - 1 ? STILL_GRIPPER : STILL),
    );
  }

  /** Ends the motion: the arm brakes along its path, and the motion settles when it stands. */
  #end(outcome: Outcome): void {
    const motion = this.#motion;
    if (!motion || motion.ending) return;
    const { path, begun } = motion;
    const ms = Number(this.#time! - begun) / 1e6;
    const setPoints = path.at(ms);
    const before = path.at(ms - SPEED_OVER_MS);
    const speeds = setPoints.map((at, i) => ((at - before[i]!) * 1_000) / SPEED_OVER_MS);
    this.#stillSince = undefined;
    motion.ending = {
      outcome,
      since: this.#time!,
      brake: new BrakePath(setPoints, speeds, this.#positions),
    };
    if (!this.#connected) this.#finish(motion, outcome, false);
    else this.#hold(setPoints);
  }

  /** The jaws keep holding an object. */
  #hold(goal: Float64Array): void {
    const gripper = ALL_NAMES.length - 1;
    const squeezes = Math.abs(this.#efforts[gripper]!) > 1;
    if (squeezes) goal[gripper] = Math.max(0, this.#positions[gripper]! - GRIPPER.openingMax / 2);
    this.#command(goal, this.#time!);
  }

  #command(positions: Float64Array, now: Nanoseconds): void {
    const { topic, type } = ARM_COMMAND;
    const bytes = encodeFloat64MultiArray(positions);
    // The simulation runs by the clock: a set point that was delayed is not obeyed later.
    const expiresAtMs = this.#clock.monotonicMs() + LIMITS.COMMAND_EXPIRY_MS;
    this.#sink.offer({ topic, type, stamp: now, received: now, expiresAtMs, bytes });
  }

  #finish(motion: Motion, ended: Outcome, confirmed = true): void {
    if (this.#motion !== motion) return;
    const outcome = confirmed ? ended : { ...ended, message: `${ended.message}; ${NOT_CONFIRMED}` };
    this.#isConfirmed = confirmed;
    this.#motion = undefined;
    this.#state = outcome.outcome === 'reached' ? 'idle' : 'stopped';
    motion.settle(outcome);
  }

  #result(begun: Nanoseconds, { outcome, message }: Outcome): MotionResult {
    const time = this.#time ?? begun;
    const durationMs = Math.max(0, Number(time - begun) / 1e6);
    return { outcome, message, pose: undefined, distance: 0, durationMs, time };
  }
}

function unconfirmed(): EdgeError {
  return new EdgeError('robot.unreachable', {
    operation: 'stop',
    subject: 'arm',
    message: `${NOT_CONFIRMED} within ${LIMITS.STILL_WAIT_MS} ms`,
    hint: 'look at the robot itself',
  });
}

function unreachable(operation: string): EdgeError {
  return new EdgeError('robot.unreachable', {
    operation,
    subject: ARM_TOPICS.joints.topic,
    message: 'no joint states arrive from the simulated arm',
    hint: 'sim.world = "arm", and the simulation running',
  });
}
