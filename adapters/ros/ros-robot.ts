import {
  type Clock,
  EdgeError,
  type Maneuver,
  type MapSnapshot,
  type MotionResult,
  type NavigateGoal,
  type Pose2d,
  type Robot,
  type RobotState,
  type Sample,
  type SampleSink,
  SENSOR_QOS,
  type TopicSpec,
  type Twist2d,
} from '../../contract/core.ts';
import { TWIST } from '../../formats/cdr/index.ts';
import { decodePlanarOdometry, decodeSignal, encodeVelocity, type PlanarOdometry } from './messages.ts';
import { driveStep, type MotionStep, spinStep, turnBetween } from './motion.ts';

export type RosRobotOptions = {
  /** Default `/odom`, nav_msgs/msg/Odometry. */
  readonly odometryTopic?: string;
  /** Default `/cmd_vel`; geometry_msgs/msg/Twist or TwistStamped. */
  readonly velocity?: TopicSpec;
  /** True where odometry is as good as a localisation (simulations): its pose then is the pose in `map`. */
  readonly odometryIsMap?: boolean;
};

/** Odometry older than this means that the robot is not there, milliseconds. */
const ODOMETRY_SILENT_MS = 1_000;
const CONTROL_STEP_MS = 50;
/** A motion that gains less than PROGRESS_MIN (metres or radians) in this time is stuck, milliseconds. */
const STUCK_MS = 3_000;
const PROGRESS_MIN = 0.01;
const STILL: Twist2d = { linear: 0, angular: 0 };

/**
 * A robot that is driven by velocity commands and tells its odometry. It has no map and cannot navigate by
 * itself: that is Nav2's part. `observe` has to be given the samples of the odometry topic, and of the small
 * std_msgs topics that shall be its signals.
 */
export class RosRobot implements Robot {
  readonly #sink: SampleSink;
  readonly #clock: Clock;
  readonly #odometryTopic: string;
  readonly #velocity: TopicSpec;
  readonly #odometryIsMap: boolean;
  #odometry: PlanarOdometry | undefined;
  #observedAtMs = -Infinity;
  readonly #signals = new Map<string, boolean | number>();
  #distance = 0;
  #turned = 0;
  #motion: RobotState['motion'] = 'idle';
  #running: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined;

  constructor(sink: SampleSink, clock: Clock, options: RosRobotOptions = {}) {
    this.#sink = sink;
    this.#clock = clock;
    this.#odometryTopic = options.odometryTopic ?? '/odom';
    this.#velocity = options.velocity ?? {
      topic: '/cmd_vel',
      type: TWIST,
      qos: { ...SENSOR_QOS, reliability: 'reliable' },
    };
    this.#odometryIsMap = options.odometryIsMap ?? false;
  }

  /** Advertises the velocity topic; throws as `SampleSink.advertise`. */
  async start(): Promise<void> {
    await this.#sink.advertise(this.#velocity);
  }

  /** Takes what concerns it, ignores the rest; malformed odometry is ignored as if it were silent. */
  observe(sample: Sample): void {
    try {
      if (sample.topic === this.#odometryTopic) this.#follow(decodePlanarOdometry(sample.bytes));
      const signal = decodeSignal(sample.type, sample.bytes);
      if (signal !== undefined) this.#signals.set(sample.topic, signal);
    } catch {
      // Counted by nobody on purpose: the recorder keeps the bytes, and silence shows in `connected`.
    }
  }

  #follow(now: PlanarOdometry): void {
    const before = this.#odometry;
    if (before) {
      this.#distance += Math.hypot(now.x - before.x, now.y - before.y);
      this.#turned += turnBetween(before.yaw, now.yaw);
    }
    this.#odometry = now;
    this.#observedAtMs = this.#clock.monotonicMs();
  }

  async state(): Promise<RobotState> {
    return {
      time: this.#odometry?.stamp ?? this.#clock.now(),
      pose: this.#pose(),
      twist: this.#odometry ? { linear: this.#odometry.linear, angular: this.#odometry.angular } : STILL,
      battery: undefined,
      distance: this.#distance,
      bumps: 0,
      motion: this.#motion,
      connected: this.#connected(),
      signals: Object.fromEntries(this.#signals),
    };
  }

  async map(): Promise<MapSnapshot | undefined> {
    return undefined;
  }

  navigate(_goal: NavigateGoal): Promise<MotionResult> {
    return Promise.reject(
      new EdgeError('robot.not_supported', {
        operation: 'navigate',
        subject: this.#velocity.topic,
        message: 'this robot takes velocity commands only',
        hint: 'plan the path in the application and drive by maneuvers, or connect a robot with Nav2',
      }),
    );
  }

  async maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    await this.#preempt();
    const stop = new AbortController();
    const done = this.#perform(step, signal ? AbortSignal.any([signal, stop.signal]) : stop.signal, stop);
    this.#running = { stop, done: done.catch(() => {}) };
    return done;
  }

  async stop(reason: string): Promise<void> {
    this.#command(STILL);
    this.#motion = 'stopped';
    this.#running?.stop.abort(reason);
    await this.#running?.done;
  }

  async #preempt(): Promise<void> {
    this.#running?.stop.abort('preempted');
    await this.#running?.done;
  }

  async #perform(step: Maneuver, signal: AbortSignal, own: AbortController): Promise<MotionResult> {
    const start = this.#odometry;
    if (!start || !this.#connected()) {
      throw new EdgeError('robot.unreachable', {
        operation: step.kind,
        subject: this.#odometryTopic,
        message: 'no odometry arrives',
        hint: 'check that the robot base is running and the topic is configured',
      });
    }
    const [beganMs, distance, turned] = [this.#clock.monotonicMs(), this.#distance, this.#turned];
    const advance = (): MotionStep => {
      if (step.kind === 'drive') return driveStep(start, this.#odometry ?? start, step.distance);
      if (step.kind === 'spin') return spinStep(this.#turned - turned, step.angle);
      const waited = this.#clock.monotonicMs() - beganMs;
      return { done: waited >= step.durationMs, command: STILL, progress: waited };
    };
    this.#motion = 'moving';
    const { outcome, message } = await this.#steer(advance, signal, own);
    this.#command(STILL);
    this.#motion = outcome === 'reached' ? 'idle' : 'stopped';
    return {
      outcome,
      message,
      pose: this.#pose(),
      distance: this.#distance - distance,
      durationMs: this.#clock.monotonicMs() - beganMs,
      time: this.#odometry?.stamp ?? this.#clock.now(),
    };
  }

  /** Sends a command per control step until the motion ends; the caller stops the robot before it answers. */
  #steer(
    advance: () => MotionStep,
    signal: AbortSignal,
    own: AbortController,
  ): Promise<{ outcome: MotionResult['outcome']; message: string }> {
    const { promise, resolve } = Promise.withResolvers<{
      outcome: MotionResult['outcome'];
      message: string;
    }>();
    let gained = 0;
    let gainedAtMs = this.#clock.monotonicMs();
    const look = () => {
      if (signal.aborted) {
        const preempted = own.signal.aborted && own.signal.reason === 'preempted';
        return resolve({
          outcome: preempted ? 'preempted' : 'stopped',
          message: String(signal.reason ?? ''),
        });
      }
      if (!this.#connected()) return resolve({ outcome: 'stuck', message: 'odometry fell silent' });
      const { done, command, progress } = advance();
      if (done) return resolve({ outcome: 'reached', message: '' });
      if (progress > gained + PROGRESS_MIN) {
        gained = progress;
        gainedAtMs = this.#clock.monotonicMs();
      } else if (this.#clock.monotonicMs() - gainedAtMs > STUCK_MS) {
        return resolve({ outcome: 'stuck', message: 'no progress by odometry' });
      }
      this.#command(command);
    };
    const timer = this.#clock.every(CONTROL_STEP_MS, look);
    signal.addEventListener('abort', look, { once: true });
    look();
    return promise.finally(() => {
      timer.cancel();
      signal.removeEventListener('abort', look);
    });
  }

  /** False from the sink needs no handling here: the host stops the robot when commands stay away. */
  #command(twist: Twist2d): void {
    const now = this.#clock.now();
    const bytes = encodeVelocity(this.#velocity.type, twist, now);
    this.#sink.offer({
      topic: this.#velocity.topic,
      type: this.#velocity.type,
      stamp: now,
      received: now,
      bytes,
    });
  }

  #pose(): Pose2d | undefined {
    if (!this.#odometryIsMap || !this.#odometry) return undefined;
    const { x, y, yaw } = this.#odometry;
    return { x, y, yaw };
  }

  #connected(): boolean {
    return this.#clock.monotonicMs() - this.#observedAtMs < ODOMETRY_SILENT_MS;
  }
}
