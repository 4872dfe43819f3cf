import {
  type Clock,
  type MapSnapshot,
  type Nanoseconds,
  type Pose2d,
  RestWatch,
  type Sample,
  type Twist2d,
} from '../../../contract/core.ts';
import {
  decodeOccupancyGrid,
  decodeTf,
  OCCUPANCY_GRID,
  TF_MESSAGE,
  yawOf,
} from '../../../formats/cdr/index.ts';
import { decodeAny } from '../../../formats/ros2/index.ts';
import { decodePlanarOdometry, decodeSignal, type PlanarOdometry } from '../messages.ts';
import { turnBetween } from '../motion.ts';

export type NavTopics = {
  /** nav_msgs/msg/Odometry. */
  readonly odometry: string;
  /** tf2_msgs/msg/TFMessage, where the localisation sends `map` to `odom`. */
  readonly tf: string;
  /** nav_msgs/msg/OccupancyGrid. */
  readonly map: string;
  /** geometry_msgs/msg/PoseWithCovarianceStamped, for localisations that publish no transform. */
  readonly pose: string;
};

const POSE_STAMPED = 'geometry_msgs/msg/PoseWithCovarianceStamped';
/** Odometry older than this means that the robot is not there, milliseconds. */
const ODOMETRY_SILENT_MS = 1_000;
/** Scalar topics kept as signals; a graph has thousands only by mistake. */
const SIGNALS_MAX = 256;

/**
 * Where the robot is, from samples: odometry, the transform from `map` to `odom` (or a pose in `map`), the map.
 * Malformed messages are as if never sent: the recorder keeps the bytes, and silence shows in `connected`.
 */
export class NavTrack {
  readonly #topics: NavTopics;
  readonly #mapFrame: string;
  readonly #clock: Clock;
  #odometry: PlanarOdometry | undefined;
  #odometryFrame = 'odom';
  #observedAtMs = -Infinity;
  #mapToOdometry: Pose2d | undefined;
  /** A transform is the better source: a pose message is only used until one is seen. */
  #hasTransform = false;
  #map: MapSnapshot | undefined;
  #distance = 0;
  #turned = 0;
  readonly #signals = new Map<string, boolean | number>();
  /** Whether the base stands, by its odometry. */
  readonly rest = new RestWatch();

  constructor(topics: NavTopics, mapFrame: string, clock: Clock) {
    this.#topics = topics;
    this.#mapFrame = mapFrame;
    this.#clock = clock;
  }

  observe(sample: Sample): void {
    try {
      this.#take(sample);
    } catch {
      // See above.
    }
  }

  get odometry(): PlanarOdometry | undefined {
    return this.#odometry;
  }

  /** Time of the robot: that of its newest odometry, simulated where it is a simulation. */
  get time(): Nanoseconds {
    return this.#odometry?.stamp ?? this.#clock.now();
  }

  /** `base_link` in `map`; undefined until localised. */
  get pose(): Pose2d | undefined {
    if (!this.#odometry || !this.#mapToOdometry) return undefined;
    return compose(this.#mapToOdometry, this.#odometry);
  }

  get twist(): Twist2d {
    return { linear: this.#odometry?.linear ?? 0, angular: this.#odometry?.angular ?? 0 };
  }

  get map(): MapSnapshot | undefined {
    return this.#map;
  }

  /** Metres driven and radians turned (signed) since the start. */
  get distance(): number {
    return this.#distance;
  }
  get turned(): number {
    return this.#turned;
  }

  get signals(): Readonly<Record<string, boolean | number>> {
    return Object.fromEntries(this.#signals);
  }

  get connected(): boolean {
    return this.#clock.monotonicMs() - this.#observedAtMs < ODOMETRY_SILENT_MS;
  }

  #take(sample: Sample): void {
    const { topic, type, bytes } = sample;
    if (topic === this.#topics.odometry) this.#follow(bytes);
    else if (topic === this.#topics.tf && type === TF_MESSAGE) this.#onTransforms(bytes);
    else if (topic === this.#topics.map && type === OCCUPANCY_GRID) this.#onMap(bytes);
    else if (topic === this.#topics.pose && type === POSE_STAMPED) this.#onPose(bytes);
    else {
      const signal = decodeSignal(type, bytes);
      if (signal === undefined) return;
      if (this.#signals.size < SIGNALS_MAX || this.#signals.has(topic)) this.#signals.set(topic, signal);
    }
  }

  #follow(bytes: Uint8Array): void {
    const now = decodePlanarOdometry(bytes);
    if (!Number.isFinite(now.x + now.y + now.yaw + now.linear + now.angular)) return;
    const before = this.#odometry;
    if (before) {
      this.#distance += Math.hypot(now.x - before.x, now.y - before.y);
      this.#turned += turnBetween(before.yaw, now.yaw);
    }
    // A repeated message of the same measurement says nothing new.
    if (!before || now.stamp === 0n || now.stamp !== before.stamp)
      this.rest.observe([now.x, now.y, this.#turned], this.#clock.monotonicMs(), [now.linear, now.angular]);
    this.#odometry = now;
    this.#odometryFrame = now.frame;
    this.#observedAtMs = this.#clock.monotonicMs();
  }

  #onTransforms(bytes: Uint8Array): void {
    for (const { header, child_frame_id, transform } of decodeTf(bytes)) {
      if (bare(header.frame_id) !== this.#mapFrame || bare(child_frame_id) !== bare(this.#odometryFrame))
        continue;
      const { x, y } = transform.translation;
      const yaw = yawOf(transform.rotation);
      if (!Number.isFinite(x + y + yaw)) continue;
      this.#mapToOdometry = { x, y, yaw };
      this.#hasTransform = true;
    }
  }

  #onPose(bytes: Uint8Array): void {
    if (this.#hasTransform || !this.#odometry) return;
    const { pose } = decodeAny(POSE_STAMPED, bytes) as { pose: { pose: RosPose } };
    const { position, orientation } = pose.pose;
    const at = { x: position.x, y: position.y, yaw: yawOf(orientation) };
    if (Number.isFinite(at.x + at.y + at.yaw)) this.#mapToOdometry = compose(at, inverse(this.#odometry));
  }

  #onMap(bytes: Uint8Array): void {
    const { header, info, data } = decodeOccupancyGrid(bytes);
    const { position } = info.origin;
    if (!(info.resolution > 0) || !Number.isFinite(position.x + position.y)) return;
    this.#map = {
      // A map server stamps its map once, with the time it was loaded.
      time: header.stamp > 0n ? header.stamp : this.time,
      width: info.width,
      height: info.height,
      resolution: info.resolution,
      origin: { x: position.x, y: position.y },
      cells: data,
    };
  }
}

type RosPose = {
  readonly position: { readonly x: number; readonly y: number };
  readonly orientation: {
    readonly x: number;
    readonly y: number;
    readonly z: number;
    readonly w: number;
  };
};

/** Frame ids of ROS 1 days start with a slash. */
function bare(frame: string): string {
  return frame.replace(/^\//, '');
}

/** `inner` seen from where `outer` is given. */
export function compose(outer: Pose2d, inner: Pose2d): Pose2d {
  const [cos, sin] = [Math.cos(outer.yaw), Math.sin(outer.yaw)];
  const yaw = outer.yaw + inner.yaw;
  return {
    x: outer.x + cos * inner.x - sin * inner.y,
    y: outer.y + sin * inner.x + cos * inner.y,
    yaw: Math.atan2(Math.sin(yaw), Math.cos(yaw)),
  };
}

export function inverse({ x, y, yaw }: Pose2d): Pose2d {
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
  return { x: -cos * x - sin * y, y: sin * x - cos * y, yaw: -yaw };
}
