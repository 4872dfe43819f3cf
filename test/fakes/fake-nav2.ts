import type {
  GoalResult,
  MessageValue,
  Pose2d,
  Sample,
  SampleSink,
  ServedGoal,
  TopicSpec,
  Twist2d,
} from '../../contract/index.ts';
import {
  decodeTwist,
  encodeOccupancyGrid,
  encodeOdometry,
  encodeTf,
  OCCUPANCY_GRID,
  ODOMETRY,
  quaternionOfYaw,
  TF_MESSAGE,
  yawOf,
} from '../../formats/cdr/index.ts';
import type { ManualClock } from './manual-clock.ts';
import type { MemoryRos } from './memory-ros.ts';

const STEP_MS = 50;
const SPEED = 0.4;
const TURN = 1;
const ARRIVED_M = 0.1;
const ARRIVED_RAD = 0.05;
const RESOLUTION = 0.1;
const SIDE_M = 8;
/** Odometry began where the robot was switched on: elsewhere than the origin of the map, and turned. */
export const MAP_TO_ODOM: Pose2d = { x: 1, y: 2, yaw: 0.5 };
const STILL: Twist2d = { linear: 0, angular: 0 };
const WANTED: Record<string, (goal: MessageValue) => Drive> = {
  navigate_to_pose: (goal) => ({ kind: 'to', poses: [poseOf(goal['pose'])] }),
  navigate_through_poses: (goal) => ({ kind: 'to', poses: (goal['poses'] as unknown[]).map(poseOf) }),
  spin: (goal) => ({ kind: 'spin', left: Number(goal['target_yaw']) }),
  backup: (goal) => ({ kind: 'drive', left: -(goal['target'] as { x: number }).x }),
  drive_on_heading: (goal) => ({ kind: 'drive', left: (goal['target'] as { x: number }).x }),
};
type Drive =
  | { kind: 'to'; poses: Pose2d[] }
  | { kind: 'spin'; left: number }
  | { kind: 'drive'; left: number };
type Job = { readonly served: ServedGoal; readonly drive: Drive; settle(end: GoalResult): void };

/**
 * A base with a Nav2 in an empty square room with one closed box, by its own time of 50 ms a step. It drives
 * straight; a goal in the box or outside has no path. Whoever sends a velocity moves or stops the base as well:
 * the last one who spoke counts, as on a real topic.
 */
export class FakeNav2 implements SampleSink {
  readonly ros: MemoryRos;
  readonly clock: ManualClock;
  /** In `map`. */
  pose: Pose2d = { x: 2, y: 2, yaw: 0 };
  twist: Twist2d = STILL;
  readonly commands: Twist2d[] = [];
  /** Every goal that was accepted, by action. */
  readonly accepted: { action: string; goal: MessageValue }[] = [];
  refuses = false;
  silent = false;
  blocked = false;
  /** Tells one measurement again and again, as a driver that hangs does. */
  repeats = false;
  /** Drives on whatever anybody says. */
  runaway = false;
  /** How fast it loses its speed, metres per second squared. */
  deceleration = Infinity;
  #measured: Twist2d = STILL;
  #lastOdometry: Uint8Array | undefined;
  /** Fails the next goals with this code of nav2_msgs. */
  fails: number | undefined;
  emit: (sample: Sample) => void = () => {};
  #jobs: Job[] = [];
  #open = true;

  constructor(
    ros: MemoryRos,
    clock: ManualClock,
    prefix = '',
    actions: readonly string[] = Object.keys(WANTED),
  ) {
    this.ros = ros;
    this.clock = clock;
    for (const action of actions) {
      void ros.actions.serve(`${prefix}/${action}`, 'nav2_msgs/action/Any', {
        accept: (goal) => {
          if (!this.refuses) this.accepted.push({ action, goal });
          return !this.refuses;
        },
        execute: (served) => this.#execute(served, WANTED[action]!(served.goal)),
      });
    }
  }

  async advertise(_topic: TopicSpec): Promise<void> {}
  async close(): Promise<void> {
    this.#open = false;
  }

  offer(sample: Sample): boolean {
    const { linear, angular } = decodeTwist(sample.bytes);
    this.twist = { linear: linear.x, angular: angular.z };
    this.commands.push(this.twist);
    return true;
  }

  /** Lets time pass as fast as it goes, until closed. */
  async live(): Promise<void> {
    while (this.#open) {
      await this.run(STEP_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += STEP_MS) {
      this.#step(STEP_MS / 1_000);
      if (!this.silent) this.#tell();
      await this.clock.advance(STEP_MS);
    }
  }

  /** Free floor with one closed box in the middle. */
  tellMap(): void {
    const side = Math.round(SIDE_M / RESOLUTION);
    const data = new Int8Array(side * side);
    for (let i = 0; i < data.length; i++) {
      const [x, y] = [((i % side) + 0.5) * RESOLUTION, (Math.floor(i / side) + 0.5) * RESOLUTION];
      if (occupied({ x, y, yaw: 0 })) data[i] = 100;
    }
    const origin = { position: { x: 0, y: 0, z: 0 }, orientation: quaternionOfYaw(0) };
    const info = { map_load_time: 0n, resolution: RESOLUTION, width: side, height: side, origin };
    const header = { stamp: this.clock.now(), frame_id: 'map' };
    this.#say('/map', OCCUPANCY_GRID, encodeOccupancyGrid({ header, info, data }));
  }

  #execute(served: ServedGoal, drive: Drive): Promise<GoalResult> {
    const code = this.fails;
    if (code !== undefined) return Promise.resolve(aborted(code, 'as the test wants'));
    const blocked = drive.kind === 'to' && drive.poses.some(occupied);
    if (blocked) return Promise.resolve(aborted(206, 'goal occupied'));
    return new Promise((resolve) => {
      const job: Job = {
        served,
        drive,
        settle: (end) => {
          this.#jobs = this.#jobs.filter((other) => other !== job);
          this.twist = STILL;
          resolve(end);
        },
      };
      this.#jobs.push(job);
      served.canceled.addEventListener('abort', () => job.settle({ status: 'canceled', result: {} }), {
        once: true,
      });
    });
  }

  #step(dt: number): void {
    const job = this.#jobs.at(-1);
    if (job && this.#drive(job, dt)) job.settle({ status: 'succeeded', result: { error_code: 0 } });
    if (this.runaway) this.twist = { linear: SPEED, angular: 0 };
    const slowest = Math.abs(this.#measured.linear) - this.deceleration * dt;
    const speed = Math.max(Math.abs(this.twist.linear), slowest);
    this.#measured = {
      linear: speed * Math.sign(this.twist.linear || this.#measured.linear),
      angular: this.twist.angular,
    };
    if (this.blocked) return;
    const { linear, angular } = this.#measured;
    const yaw = this.pose.yaw + angular * dt;
    const next = {
      x: this.pose.x + linear * dt * Math.cos(yaw),
      y: this.pose.y + linear * dt * Math.sin(yaw),
      yaw,
    };
    this.pose = next;
  }

  /** True when it is there. */
  #drive({ drive, served }: Job, dt: number): boolean {
    if (drive.kind === 'to') return this.#driveTo(drive, served);
    const speed = drive.kind === 'spin' ? TURN : SPEED;
    const part = Math.sign(drive.left) * Math.min(speed * dt, Math.abs(drive.left));
    drive.left -= part;
    this.twist =
      drive.kind === 'spin' ? { linear: 0, angular: part / dt } : { linear: part / dt, angular: 0 };
    return part === 0;
  }

  #driveTo(drive: { poses: Pose2d[] }, served: ServedGoal): boolean {
    const next = drive.poses[0]!;
    const [dx, dy] = [next.x - this.pose.x, next.y - this.pose.y];
    const away = Math.hypot(dx, dy);
    const last = drive.poses.length === 1;
    served.feedback({ distance_remaining: away, number_of_recoveries: 0 });
    if (away > ARRIVED_M) {
      this.pose = { ...this.pose, yaw: Math.atan2(dy, dx) };
      this.twist = { linear: SPEED, angular: 0 };
      return false;
    }
    if (!last) {
      drive.poses.shift();
      return false;
    }
    const turn = wrap(next.yaw - this.pose.yaw);
    this.twist = { linear: 0, angular: Math.sign(turn) * Math.min(TURN, Math.abs(turn) * 10) };
    return Math.abs(turn) < ARRIVED_RAD;
  }

  #tell(): void {
    const header = { stamp: this.clock.now(), frame_id: 'odom' };
    const seen = seenFrom(MAP_TO_ODOM, this.pose);
    const zeros = new Float64Array(36);
    const { linear, angular } = this.blocked ? STILL : this.#measured;
    const odometry = encodeOdometry({
      header,
      child_frame_id: 'base_link',
      pose: {
        pose: { position: { x: seen.x, y: seen.y, z: 0 }, orientation: quaternionOfYaw(seen.yaw) },
        covariance: zeros,
      },
      twist: {
        twist: { linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } },
        covariance: zeros,
      },
    });
    if (!this.repeats) this.#lastOdometry = odometry;
    this.#say('/odom', ODOMETRY, this.#lastOdometry ?? odometry);
    const transform = {
      translation: { x: MAP_TO_ODOM.x, y: MAP_TO_ODOM.y, z: 0 },
      rotation: quaternionOfYaw(MAP_TO_ODOM.yaw),
    };
    const stamped = { header: { stamp: header.stamp, frame_id: 'map' }, child_frame_id: 'odom', transform };
    this.#say('/tf', TF_MESSAGE, encodeTf([stamped]));
  }

  #say(topic: string, type: string, bytes: Uint8Array): void {
    const now = this.clock.now();
    this.emit({ topic, type, stamp: now, received: now, bytes });
  }
}

function occupied({ x, y }: Pose2d): boolean {
  const outside = x < 0 || y < 0 || x > SIDE_M || y > SIDE_M;
  return outside || (x > 5 && x < 6 && y > 5 && y < 6);
}

function aborted(error_code: number, error_msg: string): GoalResult {
  return { status: 'aborted', result: { error_code, error_msg } };
}

function poseOf(stamped: unknown): Pose2d {
  const { pose } = stamped as { pose: { position: Pose2d; orientation: Parameters<typeof yawOf>[0] } };
  return { x: pose.position.x, y: pose.position.y, yaw: yawOf(pose.orientation) };
}

function seenFrom(frame: Pose2d, pose: Pose2d): Pose2d {
  const [dx, dy] = [pose.x - frame.x, pose.y - frame.y];
  const [cos, sin] = [Math.cos(frame.yaw), Math.sin(frame.yaw)];
  return { x: cos * dx + sin * dy, y: -sin * dx + cos * dy, yaw: wrap(pose.yaw - frame.yaw) };
}

function wrap(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
