import type { Pose2d, Sample, Twist2d } from '../../contract/index.ts';
import {
  BOOL,
  encodeBool,
  encodeLaserScan,
  encodeOdometry,
  LASER_SCAN,
  ODOMETRY,
  quaternionOfYaw,
} from '../../formats/cdr/index.ts';

/** A wall from point to point, metres. */
export type Wall = readonly [number, number, number, number];

export type FlatOptions = {
  readonly walls: readonly Wall[];
  readonly start: Pose2d;
  readonly seed: number;
  /** Standard deviation of a range, metres. */
  readonly rangeNoise: number;
  /** Share by which odometry over- or underestimates distance and turning, systematically. */
  readonly odometryScale: number;
  /** Additional noise per metre and per radian. */
  readonly odometryNoise: number;
};

export const FLAT_DEFAULTS: FlatOptions = {
  walls: [],
  start: { x: 0, y: 0, yaw: 0 },
  seed: 1,
  rangeNoise: 0.008,
  odometryScale: 0.01,
  odometryNoise: 0.02,
};

const RADIUS = 0.17;
const STEP_NS = 10_000_000n;
const RAYS = 360;
const RANGE_MAX = 8;
const HALF_THICKNESS = 0.015;

/**
 * A quick planar robot among walls: a disc with a differential drive, lidar at 10 Hz, odometry at 20 Hz that
 * drifts, a bumper. Kinematic with limited acceleration; it slides along what it touches. Steps of 10 ms.
 */
export class FlatWorld {
  readonly #options: FlatOptions;
  readonly #random: () => number;
  #walls: readonly Wall[] = [];
  #faces: readonly Wall[] = [];
  time = 0n;
  pose: Pose2d;
  twist: Twist2d = { linear: 0, angular: 0 };
  command: Twist2d = { linear: 0, angular: 0 };
  contacts = 0;
  #touching = false;
  /** Least distance of the disc to a wall so far, metres. */
  clearanceMin = Infinity;
  driven = 0;
  #odometry: Pose2d = { x: 0, y: 0, yaw: 0 };

  constructor(options: Partial<FlatOptions> = {}) {
    this.#options = { ...FLAT_DEFAULTS, ...options };
    this.#random = generator(this.#options.seed);
    this.pose = this.#options.start;
    this.setWalls(this.#options.walls);
  }

  /** Doors open and close, people come and go. */
  setWalls(walls: readonly Wall[]): void {
    this.#walls = walls;
    this.#faces = walls.flatMap(faces);
  }

  /** True pose in the frame that odometry started in. */
  truth(): Pose2d {
    const s = this.#options.start;
    const dx = this.pose.x - s.x;
    const dy = this.pose.y - s.y;
    const c = Math.cos(s.yaw);
    const n = Math.sin(s.yaw);
    return { x: c * dx + n * dy, y: c * dy - n * dx, yaw: wrap(this.pose.yaw - s.yaw) };
  }

  get odometry(): Pose2d {
    return this.#odometry;
  }

  /** Moves on by 50 ms and returns what the robot publishes meanwhile. */
  advance(): Sample[] {
    for (let i = 0; i < 5; i++) this.#step();
    const samples = [this.#odometrySample()];
    if (this.time % 100_000_000n === 0n) samples.push(this.#scanSample());
    samples.push(this.#sample('/bumper', BOOL, encodeBool(this.#touching)));
    return samples;
  }

  #step(): void {
    const dt = 0.01;
    this.time += STEP_NS;
    const linear = approach(this.twist.linear, this.command.linear, 1.5 * dt);
    const angular = approach(this.twist.angular, this.command.angular, 8 * dt);
    const yaw = this.pose.yaw + (angular * dt) / 2;
    const x = this.pose.x + linear * dt * Math.cos(yaw);
    const y = this.pose.y + linear * dt * Math.sin(yaw);
    const clearance = this.#clearance(x, y) - RADIUS;
    const touches = clearance < 0 && clearance < this.#clearance(this.pose.x, this.pose.y) - RADIUS;
    const moved = touches ? 0 : linear;
    if (touches && !this.#touching) this.contacts++;
    this.#touching = touches;
    this.twist = { linear: moved, angular };
    this.pose = {
      x: touches ? this.pose.x : x,
      y: touches ? this.pose.y : y,
      yaw: wrap(this.pose.yaw + angular * dt),
    };
    this.clearanceMin = Math.min(this.clearanceMin, clearance);
    this.driven += Math.abs(moved) * dt;
    this.#drift(moved * dt, angular * dt);
  }

  #drift(metres: number, radians: number): void {
    const o = this.#options;
    const noise = (amount: number) =>
      1 + o.odometryScale + o.odometryNoise * this.#gauss() * Math.sqrt(Math.abs(amount));
    const length = metres * noise(metres);
    const turn =
      radians * noise(radians) + 0.02 * o.odometryNoise * this.#gauss() * Math.sqrt(Math.abs(metres));
    const yaw = this.#odometry.yaw + turn / 2;
    this.#odometry = {
      x: this.#odometry.x + length * Math.cos(yaw),
      y: this.#odometry.y + length * Math.sin(yaw),
      yaw: wrap(this.#odometry.yaw + turn),
    };
  }

  #clearance(x: number, y: number): number {
    let least = Infinity;
    for (const [ax, ay, bx, by] of this.#walls) {
      const length = (bx - ax) ** 2 + (by - ay) ** 2;
      const t = Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
      least = Math.min(least, Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) - HALF_THICKNESS);
    }
    return least;
  }

  #ray(angle: number): number {
    const dx = Math.cos(angle);
    const dy = Math.sin(angle);
    let least = Infinity;
    const faces = this.#faces;
    for (let i = 0; i < faces.length; i++) {
      const wall = faces[i]!;
      const ax = wall[0];
      const ay = wall[1];
      const bx = wall[2];
      const by = wall[3];
      const ex = bx - ax;
      const ey = by - ay;
      const cross = dx * ey - dy * ex;
      if (Math.abs(cross) < 1e-9) continue;
      const t = ((ax - this.pose.x) * ey - (ay - this.pose.y) * ex) / cross;
      if (t <= 0 || t >= least) continue;
      const u = ((ax - this.pose.x) * dy - (ay - this.pose.y) * dx) / cross;
      if (u >= 0 && u <= 1) least = t;
    }
    return least;
  }

  #scanSample(): Sample {
    const ranges = new Float32Array(RAYS);
    for (let i = 0; i < RAYS; i++) {
      const range = this.#ray(this.pose.yaw - Math.PI + (i * 2 * Math.PI) / RAYS);
      ranges[i] = range < RANGE_MAX ? range + this.#options.rangeNoise * this.#gauss() : Infinity;
    }
    const bytes = encodeLaserScan({
      header: { stamp: this.time, frame_id: 'laser' },
      angle_min: -Math.PI,
      angle_max: Math.PI - (2 * Math.PI) / RAYS,
      angle_increment: (2 * Math.PI) / RAYS,
      time_increment: 0,
      scan_time: 0.1,
      range_min: 0.12,
      range_max: RANGE_MAX,
      ranges,
      intensities: new Float32Array(0),
    });
    return this.#sample('/scan', LASER_SCAN, bytes);
  }

  #odometrySample(): Sample {
    const { x, y, yaw } = this.#odometry;
    const none = new Float64Array(36);
    const zero = { x: 0, y: 0, z: 0 };
    const bytes = encodeOdometry({
      header: { stamp: this.time, frame_id: 'odom' },
      child_frame_id: 'base_link',
      pose: { pose: { position: { x, y, z: 0 }, orientation: quaternionOfYaw(yaw) }, covariance: none },
      twist: {
        twist: { linear: { ...zero, x: this.twist.linear }, angular: { ...zero, z: this.twist.angular } },
        covariance: none,
      },
    });
    return this.#sample('/odom', ODOMETRY, bytes);
  }

  #sample(topic: string, type: string, bytes: Uint8Array): Sample {
    return { topic, type, stamp: this.time, received: this.time, bytes };
  }

  #gauss(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }
}

/** Walls of a maze of `size` x `size` cells from a seed: a spanning tree with a few loops; corner at (0, 0). */
export function mazeWalls(seed: number, size: number, pitch = 0.8, loops = 0.05): Wall[] {
  const random = generator(seed * 7919 + 13);
  const open = new Set<string>();
  const seen = new Set([0]);
  const stack = [0];
  while (stack.length > 0) {
    const cell = stack.at(-1)!;
    const x = cell % size;
    const y = Math.floor(cell / size);
    const next = [
      [x + 1, y],
      [x - 1, y],
      [x, y + 1],
      [x, y - 1],
    ].filter(([a, b]) => a! >= 0 && b! >= 0 && a! < size && b! < size && !seen.has(b! * size + a!));
    if (next.length === 0) {
      stack.pop();
      continue;
    }
    const [a, b] = next[Math.floor(random() * next.length)]!;
    open.add(`${Math.min(cell, b! * size + a!)}-${Math.max(cell, b! * size + a!)}`);
    seen.add(b! * size + a!);
    stack.push(b! * size + a!);
  }
  const walls: Wall[] = [
    [0, 0, size * pitch, 0],
    [0, 0, 0, size * pitch],
    [size * pitch, 0, size * pitch, size * pitch],
    [0, size * pitch, size * pitch, size * pitch],
  ];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const cell = y * size + x;
      if (x + 1 < size && !open.has(`${cell}-${cell + 1}`) && random() > loops) {
        walls.push([(x + 1) * pitch, y * pitch, (x + 1) * pitch, (y + 1) * pitch]);
      }
      if (y + 1 < size && !open.has(`${cell}-${cell + size}`) && random() > loops) {
        walls.push([x * pitch, (y + 1) * pitch, (x + 1) * pitch, (y + 1) * pitch]);
      }
    }
  }
  return walls;
}

/** SplitMix32: a proper seeded generator, uniform in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    z ^= z >>> 15;
    return (z >>> 0) / 4294967296;
  };
}

/** The four sides of a wall as thick as walls are. */
function faces([ax, ay, bx, by]: Wall): Wall[] {
  const length = Math.hypot(bx - ax, by - ay);
  const ux = ((bx - ax) / length) * HALF_THICKNESS;
  const uy = ((by - ay) / length) * HALF_THICKNESS;
  const corners = [
    [ax - ux - uy, ay - uy + ux],
    [bx + ux - uy, by + uy + ux],
    [bx + ux + uy, by + uy - ux],
    [ax - ux + uy, ay - uy - ux],
  ] as const;
  return corners.map((corner, i) => {
    const next = corners[(i + 1) % 4]!;
    return [corner[0], corner[1], next[0], next[1]] as const;
  });
}

function approach(from: number, to: number, step: number): number {
  return Math.max(from - step, Math.min(from + step, to));
}

function wrap(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
