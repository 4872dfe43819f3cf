import {
  type Clock,
  EdgeError,
  LIMITS,
  type Maneuver,
  type MapSnapshot,
  type MotionResult,
  type NavigateGoal,
  type Policy,
  type Pose2d,
  type RobotState,
  type Sample,
  type Twist2d,
} from '../../../contract/core.ts';
import { decodeBool, decodeLaserScan, decodeOdometry, decodeTf, yawOf } from '../../../formats/cdr/index.ts';
import { between, clamp, IDENTITY } from '../navigation/geometry.ts';
import type { MotionInput } from '../navigation/motion.ts';
import { Navigator } from '../navigation/navigator.ts';
import { PathPlanner } from '../navigation/path-planner.ts';
import { type RangeScan, sees } from '../navigation/scan-points.ts';
import { Slam } from '../navigation/slam.ts';
import type { SafetyWatch } from '../safety/safety-word.ts';
import {
  CONTROL_DEFAULTS,
  type ControlCounts,
  ControlLoop,
  type ControlOptions,
  type Receipt,
} from './control-loop.ts';
import { DRIVE_LIMITS, type DriveLimits } from './drive-limits.ts';
import { LocalObstacles } from './local-obstacles.ts';
import { ROBOT_TOPICS, type RobotTopics, roleOf } from './robot-topics.ts';
import { Signals } from './signals.ts';
import { Steering } from './steering.ts';
import type { DriveOrigin } from './step-origin.ts';

export type CoreOptions = {
  readonly control: ControlOptions;
  readonly limits: DriveLimits;
  readonly topics: RobotTopics;
};

export const CORE_DEFAULTS: CoreOptions = {
  control: CONTROL_DEFAULTS,
  limits: DRIVE_LIMITS,
  topics: ROBOT_TOPICS,
};

/** Zero commands still sent after the robot came to rest: one may get lost. */
const IDLE_COMMANDS = 10;
/** Stamps further back than this are no reordering, and scans further ahead of odometry are from no time. */
const TIME_BACK_NS = 1_000_000_000n;

export type TickResult = {
  readonly time: bigint;
  /** Undefined once the robot has stood idle for a while: then any other process may drive the base. */
  readonly command: Twist2d | undefined;
  /** True while nothing moves and nothing is asked: a simulation may stand still until a motion starts. */
  readonly hold: boolean;
  readonly receipts: readonly Receipt[];
  /** Why the base stands though it may be asked to move. */
  readonly standing?: string;
  /** Where the command comes from. */
  readonly origin?: DriveOrigin;
};

export type CoreCounts = ControlCounts & {
  scans: number;
  rejected: number;
  searches: number;
  malformed: number;
};

/**
 * Everything behind the `Robot` port, without threads or sockets: samples and ticks in, commands and motion
 * results out. Ticks come in order, one at a time. The same inputs give bit-identical outputs.
 */
export class ControlCore {
  readonly #options: CoreOptions;
  #slam = new Slam();
  #navigator: Navigator;
  readonly #loop: ControlLoop;
  readonly #obstacles = new LocalObstacles();
  readonly #motions = new Map<string, (result: MotionResult) => void>();
  #pendingScan: RangeScan | undefined;
  #laserFrame = '';
  readonly #mounts = new Map<string, Pose2d>();
  readonly #signals = new Signals();
  readonly #watch: SafetyWatch | undefined;
  readonly #steering: Steering;
  /** The lease under which the motion continues. */
  #lease = 0;
  #bumped = false;
  #lives = 0;
  #bumps = 0;
  #malformed = 0;
  #now = 0n;
  #stoppedLast = false;
  /** What kept the motion of now from being carried out in its last step; empty when nothing did. */
  #kept = '';
  #idleSteps = 0;

  /** Without a `watch` it moves whatever lease there is: for tests of the rest. */
  constructor(policy: Policy, clock: Clock, options: CoreOptions = CORE_DEFAULTS, watch?: SafetyWatch) {
    this.#options = options;
    this.#watch = watch;
    this.#navigator = this.#makeNavigator();
    this.#loop = new ControlLoop(policy, clock, options.limits, options.control);
    this.#steering = new Steering(options.control.lockstep ? undefined : () => clock.monotonicMs());
  }

  get counts(): CoreCounts {
    const { scans, rejected, searches } = this.#slam.counts;
    return { ...this.#loop.counts, scans, rejected, searches, malformed: this.#malformed };
  }

  /** Takes what concerns it; a message that cannot be read is counted and otherwise as if never sent. */
  onSample(sample: Sample): void {
    const role = roleOf(this.#options.topics, sample.topic, sample.type);
    try {
      if (!role) this.#signals.add(sample);
      else if (role === 'odometry') this.#onOdometry(sample.bytes);
      else if (role === 'scan') this.#onScan(sample.bytes);
      else if (role === 'bumper') this.#onBumper(decodeBool(sample.bytes));
      else this.#onTransforms(sample.bytes);
    } catch {
      this.#malformed++;
    }
  }

  /**
   * One control step at robot time `now`, nanoseconds, which is `lateMs` behind that of the robot itself: so late do
   * its samples come, all the while where `isOffset`. Never rejects.
   */
  async tick(now: bigint, lateMs = 0, isOffset = false): Promise<TickResult> {
    this.#now = now;
    this.#placeScan();
    const forbidden = this.#obey();
    const drive = this.#navigator.step(this.#input(now));
    const steered = this.#steered(now);
    const applied = await this.#loop.step(now, steered ? { kind: 'direct', twist: steered } : drive, {
      obstacles: this.#look(now + BigInt(Math.round(lateMs * 1e6))),
      scanAgeMs: ageMs(now, this.#slam.scanStamp) + lateMs,
      odometryAgeMs: ageMs(now, this.#slam.odometry.newest?.stamp) + lateMs,
      lateMs,
      isOffset,
      twist: this.#twist(),
      bumped: this.#bumped,
    });
    const hold = this.holding;
    this.#idleSteps = hold ? this.#idleSteps + 1 : 0;
    const command = this.#idleSteps > IDLE_COMMANDS ? undefined : applied.command;
    const receipts: Receipt[] = [...forbidden, ...applied.receipts];
    const { standing } = this.#loop;
    if (drive.kind !== 'halt') this.#kept = standing;
    const by = steered ? ('teleoperation' as const) : ('drive' as const);
    const lease = steered ? this.#steering.lease : this.#lease;
    return {
      ...{ time: now, command, hold, receipts },
      ...(command ? { origin: { ...applied.origin, by, lease } } : {}),
      ...(standing === '' ? {} : { standing }),
    };
  }

  /** No motion is active, the robot stands and knows where it is. */
  get holding(): boolean {
    const { linear, angular } = this.#loop.applied;
    const rests = this.#navigator.state === 'idle' && !this.#steering.isActive;
    return rests && linear === 0 && angular === 0 && this.#slam.localised;
  }

  navigate(id: string, goal: NavigateGoal, lease = 0): Promise<MotionResult> {
    return this.#begin(id, lease, () => this.#navigator.request({ id, kind: 'navigate', goal }));
  }

  maneuver(id: string, step: Maneuver, lease = 0): Promise<MotionResult> {
    return this.#begin(id, lease, () => this.#navigator.request({ id, kind: 'maneuver', step }));
  }

  /** Somebody steers by hand: m/s and rad/s, through the same gate as everything else. */
  steer(twist: Twist2d, lease: number, madeAtMs: number): void {
    this.#steering.put(twist, lease, this.#now, madeAtMs);
  }

  cancel(id: string, reason: string): void {
    this.#navigator.cancel(id, reason);
    this.#loop.abandon();
  }

  /** Resolves once the robot stands still; rejects with `robot.unreachable` where that could not be seen in time. */
  stop(reason: string): Promise<void> {
    this.#steering.clear();
    this.#loop.abandon();
    return new Promise((resolve, reject) =>
      this.#navigator.stop(reason, (confirmed) => (confirmed ? resolve() : reject(unconfirmed()))),
    );
  }

  state(): RobotState {
    const newest = this.#slam.odometry.newest;
    const idle = this.#navigator.state === 'idle' && !this.#steering.isActive;
    return {
      time: this.#now,
      pose: this.#pose(this.#now),
      twist: this.#twist(),
      battery: undefined,
      distance: this.#slam.odometry.distance,
      bumps: this.#bumps,
      motion: !idle ? 'moving' : this.#stoppedLast ? 'stopped' : 'idle',
      connected: newest !== undefined,
      signals: this.#signals.snapshot(),
    };
  }

  map(): MapSnapshot | undefined {
    return this.#slam.counts.inserted === 0
      ? undefined
      : this.#slam.grid.snapshot(this.#slam.scanStamp ?? 0n);
  }

  #makeNavigator(): Navigator {
    const planner = new PathPlanner(this.#slam.grid, this.#slam.field);
    return new Navigator(this.#slam, planner, (id, result) => this.#settle(id, result));
  }

  /** Starts of the robot: what was asked for before one is over. */
  get lives(): number {
    return this.#lives;
  }

  /** Another robot, or the same one after its start: its time and odometry restarted, so the map restarts too. */
  #startAnew(): void {
    this.#lives += 1;
    const former = this.#navigator;
    const mount = this.#slam.mount;
    this.#slam = new Slam();
    this.#slam.setMount(mount);
    this.#navigator = this.#makeNavigator();
    this.#pendingScan = undefined;
    this.#bumped = false;
    former.abandon('the robot restarted');
  }

  /** In each step: whether what moves still may. The main thread says so too, later, if it still can. */
  #obey(): readonly Receipt[] {
    if (!this.#watch || this.#navigator.state !== 'moving') return [];
    const reason = this.#watch.why(this.#lease);
    if (reason === '') return [];
    this.#navigator.stop(reason, () => {});
    return [{ kind: 'safety.stopped', reason, source: 'control' }];
  }

  /** A motion ends before a person steers. */
  #steered(now: bigint): Twist2d | undefined {
    const twist = this.#steering.at(now, (lease) => this.#watch?.mayMove(lease) ?? true);
    return this.#navigator.state === 'idle' ? twist : undefined;
  }

  #begin(id: string, lease: number, ask: () => void): Promise<MotionResult> {
    this.#lease = lease;
    this.#kept = '';
    return new Promise((resolve) => {
      this.#motions.set(id, resolve);
      ask();
    });
  }

  #settle(id: string, result: MotionResult): void {
    this.#stoppedLast = result.outcome === 'stopped';
    const resolve = this.#motions.get(id);
    this.#motions.delete(id);
    // The cause, where a motion only sees that it gets nowhere.
    const gotNowhere = this.#kept !== '' && (result.outcome === 'stuck' || result.outcome === 'timeout');
    resolve?.(gotNowhere ? { ...result, message: `${result.message}: ${this.#kept}` } : result);
  }

  #input(now: bigint): MotionInput {
    return {
      now,
      pose: this.#pose(now),
      odometry: this.#slam.odometry.at(now),
      twist: this.#twist(),
      measuredAt: this.#slam.odometry.newest?.stamp,
      isHalted: this.#loop.applied.linear === 0 && this.#loop.applied.angular === 0,
      distance: this.#slam.odometry.distance,
      bumped: this.#bumped,
      starvedMs: this.#loop.starvedMs(now),
    };
  }

  #pose(now: bigint): Pose2d | undefined {
    return this.#slam.localised ? this.#slam.poseAt(now) : undefined;
  }

  #twist(): Twist2d {
    return this.#slam.odometry.newest?.twist ?? { linear: 0, angular: 0 };
  }

  /** What was seen, from where the base is at the robot's own time `now`. */
  #look(now: bigint): LocalObstacles | undefined {
    const { scanStamp, odometry, points } = this.#slam;
    if (scanStamp === undefined) return undefined;
    const { limits, control } = this.#options;
    const then = odometry.at(scanStamp);
    const going = fastest(this.#loop.applied, this.#twist(), limits);
    const here = odometry.carriedOn(now, going, control.scanStaleMs / 1000);
    if (!then || !here) return undefined;
    return this.#obstacles.fill(points, between(then, here));
  }

  #onOdometry(bytes: Uint8Array): void {
    const message = decodeOdometry(bytes);
    const { position, orientation } = message.pose.pose;
    const pose = { x: position.x, y: position.y, yaw: yawOf(orientation) };
    const twist = { linear: message.twist.twist.linear.x, angular: message.twist.twist.angular.z };
    const sum = pose.x + pose.y + pose.yaw + twist.linear + twist.angular;
    if (!Number.isFinite(sum)) throw new Error('odometry is not finite');
    const last = this.#slam.odometry.newest;
    if (last && message.header.stamp < last.stamp - TIME_BACK_NS) this.#startAnew();
    this.#slam.addOdometry({ stamp: message.header.stamp, pose, twist });
    const waiting = this.#pendingScan;
    if (waiting && message.header.stamp >= waiting.stamp) this.#placeScan();
  }

  #onScan(bytes: Uint8Array): void {
    this.#placeScan();
    const message = decodeLaserScan(bytes);
    if (message.header.frame_id !== this.#laserFrame) {
      this.#laserFrame = message.header.frame_id;
      this.#slam.setMount(this.#mounts.get(this.#laserFrame) ?? IDENTITY);
    }
    const scan = {
      stamp: message.header.stamp,
      angleMin: message.angle_min,
      angleIncrement: message.angle_increment,
      rangeMin: message.range_min,
      rangeMax: message.range_max,
      ranges: message.ranges,
    };
    // A blind lidar sees nothing in the way: it must look like a silent one, and that stops the base.
    if (!sees(scan)) throw new Error('the scan has no valid range');
    this.#pendingScan = scan;
    const newest = this.#slam.odometry.newest;
    if (newest && newest.stamp >= message.header.stamp) this.#placeScan();
  }

  /** A scan waits for the odometry of its moment, at most until the next tick. */
  #placeScan(): void {
    const scan = this.#pendingScan;
    if (!scan) return;
    this.#pendingScan = undefined;
    const newest = this.#slam.odometry.newest;
    // It would be the newest for ever: every real one after it is older.
    if (newest && scan.stamp > newest.stamp + TIME_BACK_NS) this.#malformed++;
    else this.#slam.addScan(scan);
  }

  #onBumper(pressed: boolean): void {
    if (pressed && !this.#bumped) this.#bumps++;
    this.#bumped = pressed;
  }

  /** The lidar's place on the base, where it is given directly in `base_link`. */
  #onTransforms(bytes: Uint8Array): void {
    for (const { header, child_frame_id, transform } of decodeTf(bytes)) {
      if (header.frame_id !== 'base_link') continue;
      const mount = {
        x: transform.translation.x,
        y: transform.translation.y,
        yaw: yawOf(transform.rotation),
      };
      if (!Number.isFinite(mount.x + mount.y + mount.yaw)) throw new Error('a transform is not finite');
      this.#mounts.set(child_frame_id, mount);
    }
    if (this.#laserFrame !== '') this.#slam.setMount(this.#mounts.get(this.#laserFrame) ?? IDENTITY);
  }
}

/**
 * How fast a base may be going that was measured a while ago and has gained speed since: no obstacle is nearer than it
 * looks from there. Measured speeds that it cannot have are not believed.
 */
function fastest(applied: Twist2d, measured: Twist2d, { linearMax, angularMax }: DriveLimits): Twist2d {
  const was = clamp(measured.linear, -linearMax, linearMax);
  const { linear } = applied;
  const faster = linear > 0 ? Math.max(linear, was) : linear < 0 ? Math.min(linear, was) : was;
  return { linear: faster, angular: clamp(measured.angular, -angularMax, angularMax) };
}

function unconfirmed(): EdgeError {
  const message = `standing still was not confirmed within ${LIMITS.STILL_WAIT_MS} ms`;
  const hint = 'check the robot itself; its odometry must report zero speed';
  return new EdgeError('robot.unreachable', { operation: 'stop', subject: 'base', message, hint });
}

/** Either way: what is from the future is not from now. */
function ageMs(now: bigint, stamp: bigint | undefined): number {
  return stamp === undefined ? Infinity : Math.abs(Number(now - stamp)) / 1e6;
}
