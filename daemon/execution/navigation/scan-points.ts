import type { Pose2d } from '../../../contract/core.ts';
import { UnseenSectors } from './unseen-sectors.ts';

/** A planar range scan as measured, angles counter-clockwise in the frame of the sensor, metres. */
export type RangeScan = {
  readonly stamp: bigint;
  readonly angleMin: number;
  readonly angleIncrement: number;
  readonly rangeMin: number;
  readonly rangeMax: number;
  readonly ranges: ArrayLike<number>;
};

/** What a ray says (REP-117). Invalid: NaN, below the least range, -Infinity. It says nothing, not that there is nothing. */
export const RAY_INVALID = 0;
/** Nothing within range: free as far as it is trusted. */
export const RAY_FREE = 1;
export const RAY_HIT = 2;

/** Metres around a point that its surface direction is fitted over: above lidar noise, below a corridor. */
const NORMAL_RADIUS_M = 0.12;
/** Neighbouring hits further apart than this (plus a share of the range) are different surfaces. */
const SURFACE_GAP_M = 0.08;
/** Root of the mean squared distance from the fitted line; above it the place is a corner, not a surface. */
const SURFACE_ROUGHNESS_M = 0.025;
/** Rays without a return clear the map this far, metres. */
const FREE_TRUST_M = 5;
/** A return from further away is not used for steering, metres. */
const HIT_MAX_M = 60;
/** Share of rays that say something; a lidar that says less is covered, broken or dazzled. */
const SEEING_SHARE = 0.1;

/** Whether a scan can be steered by: its geometry is numbers, and enough of its rays say something. */
export function sees(scan: RangeScan): boolean {
  if (!Number.isFinite(scan.angleMin) || !Number.isFinite(scan.angleIncrement)) return false;
  let saying = 0;
  for (let i = 0; i < scan.ranges.length; i++) if (scan.ranges[i]! >= scan.rangeMin) saying++;
  return saying > 0 && saying >= SEEING_SHARE * scan.ranges.length && scan.rangeMax > scan.rangeMin;
}

/**
 * One scan as points in `base_link`, with the direction of the surface where one can be fitted. The buffers
 * are reused from scan to scan: a caller that needs points later copies them.
 */
export class ScanPoints {
  count = 0;
  /** The sensor in `base_link`, metres. */
  sensorX = 0;
  sensorY = 0;
  kind = new Uint8Array(0);
  x = new Float64Array(0);
  y = new Float64Array(0);
  range = new Float64Array(0);
  /** Unit normal towards the sensor; both zero where no surface could be fitted. */
  normalX = new Float64Array(0);
  normalY = new Float64Array(0);
  /** Where it says nothing. */
  readonly unseen = new UnseenSectors();

  /** Fills the buffers; `mount` is the sensor's pose in `base_link`. Rays that are NaN or too near are invalid. */
  fill(scan: RangeScan, mount: Pose2d): this {
    const count = scan.ranges.length;
    if (this.x.length < count) this.#allocate(count);
    this.count = count;
    this.sensorX = mount.x;
    this.sensorY = mount.y;
    const far = Math.min(scan.rangeMax, HIT_MAX_M);
    const trust = Math.min(far, FREE_TRUST_M);
    this.unseen.begin(scan.angleIncrement);
    for (let i = 0; i < count; i++) {
      const range = scan.ranges[i]!;
      let kind = RAY_INVALID;
      let length = 0;
      if (range >= scan.rangeMin && range < far) {
        kind = RAY_HIT;
        length = range;
      } else if (range >= far) {
        kind = RAY_FREE;
        length = trust;
      }
      const angle = mount.yaw + scan.angleMin + i * scan.angleIncrement;
      if (kind !== RAY_INVALID) this.unseen.see(angle);
      this.kind[i] = kind;
      this.range[i] = length;
      this.x[i] = mount.x + length * Math.cos(angle);
      this.y[i] = mount.y + length * Math.sin(angle);
    }
    this.unseen.end();
    this.#fitNormals();
    return this;
  }

  #allocate(count: number): void {
    this.kind = new Uint8Array(count);
    this.x = new Float64Array(count);
    this.y = new Float64Array(count);
    this.range = new Float64Array(count);
    this.normalX = new Float64Array(count);
    this.normalY = new Float64Array(count);
  }

  #fitNormals(): void {
    for (let i = 0; i < this.count; i++) {
      this.normalX[i] = 0;
      this.normalY[i] = 0;
      if (this.kind[i] === RAY_HIT) this.#fitNormal(i);
    }
  }

  /** Principal direction of the hits around ray `i` (closed form of the 2x2 eigenproblem). */
  #fitNormal(i: number): void {
    const before = this.#reach(i, -1);
    const after = this.#reach(i, 1);
    const used = before + after + 1;
    if (used < 3 || before === 0 || after === 0) return;
    let sumX = 0;
    let sumY = 0;
    for (let k = -before; k <= after; k++) {
      const j = (i + k + this.count) % this.count;
      sumX += this.x[j]!;
      sumY += this.y[j]!;
    }
    const meanX = sumX / used;
    const meanY = sumY / used;
    let xx = 0;
    let xy = 0;
    let yy = 0;
    for (let k = -before; k <= after; k++) {
      const j = (i + k + this.count) % this.count;
      const dx = this.x[j]! - meanX;
      const dy = this.y[j]! - meanY;
      xx += dx * dx;
      xy += dx * dy;
      yy += dy * dy;
    }
    const half = (xx + yy) / 2;
    const spread = Math.hypot((xx - yy) / 2, xy);
    const small = (half - spread) / used;
    const large = (half + spread) / used;
    if (small > SURFACE_ROUGHNESS_M ** 2 || large < 9 * Math.max(small, 1e-5)) return;
    const direction = Math.atan2(2 * xy, xx - yy) / 2;
    let nx = -Math.sin(direction);
    let ny = Math.cos(direction);
    if (nx * (this.sensorX - this.x[i]!) + ny * (this.sensorY - this.y[i]!) < 0) {
      nx = -nx;
      ny = -ny;
    }
    this.normalX[i] = nx;
    this.normalY[i] = ny;
  }

  /** How many neighbours on one side belong to the same surface and lie near. */
  #reach(i: number, step: -1 | 1): number {
    const radius = Math.max(NORMAL_RADIUS_M, 0.06 * this.range[i]!);
    let steps = 0;
    let last = i;
    while (steps < 30) {
      const j = (last + step + this.count) % this.count;
      if (this.kind[j] !== RAY_HIT) break;
      const gap = Math.hypot(this.x[j]! - this.x[last]!, this.y[j]! - this.y[last]!);
      if (gap > SURFACE_GAP_M + 0.02 * this.range[i]!) break;
      if (Math.hypot(this.x[j]! - this.x[i]!, this.y[j]! - this.y[i]!) > radius) break;
      last = j;
      steps++;
    }
    return steps;
  }
}
