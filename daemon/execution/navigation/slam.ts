import type { Pose2d } from '../../../contract/core.ts';
import { ClearanceField } from './clearance-field.ts';
import { between, compose, IDENTITY, inverse } from './geometry.ts';
import { OccupancyGrid } from './occupancy-grid.ts';
import { type OdometrySample, OdometryTrack } from './odometry-track.ts';
import { conflict, type Match, matchScan, searchPose } from './scan-matcher.ts';
import { type RangeScan, ScanPoints } from './scan-points.ts';
import { SurfelMap } from './surfel-map.ts';

export type SlamOptions = {
  /** Metres per cell. */
  readonly resolution: number;
  /** The map takes a scan in when the robot moved this far or turned this much since the last. */
  readonly insertMetres: number;
  readonly insertRadians: number;
  /** Faster turning than this smears the scan of a real lidar: then it is matched, not inserted, rad/s. */
  readonly insertTurnMax: number;
};

export const SLAM_DEFAULTS: SlamOptions = {
  resolution: 0.05,
  insertMetres: 0.04,
  insertRadians: 0.05,
  insertTurnMax: 1.2,
};

/** Scans taken in unconditionally at the start, and how often a standing robot refreshes its map, seconds. */
const FIRST_SCANS = 4;
const REFRESH_S = 1;
/** Above this share of contradicting hits a scan is not believed, and after several the pose is searched for. */
const CONFLICT_MAX = 0.3;
const LOST_AFTER = 2;
/** Scans in a row that contradict the map before the map gives way. */
const CHANGED_AFTER = 15;
/** No base moves further than this between two odometry messages. */
const JUMP_M = 0.3;
const JUMP_M_S = 3;

export type SlamState = {
  readonly scans: number;
  readonly inserted: number;
  readonly searches: number;
  readonly rejected: number;
};

/**
 * Simultaneous localisation and mapping behind the same promises as slam_toolbox: `map` starts as `odom`, and
 * the correction `map` to `odom` takes the drift out of odometry. Deterministic in its inputs.
 */
export class Slam {
  readonly grid: OccupancyGrid;
  /** Distance to obstacles, always that of the grid as it is. */
  readonly field: ClearanceField;
  readonly odometry = new OdometryTrack();
  readonly points = new ScanPoints();
  readonly #surfels: SurfelMap;
  readonly #options: SlamOptions;
  #mount: Pose2d = IDENTITY;
  #correction: Pose2d = IDENTITY;
  #matchedOdometry: Pose2d | undefined;
  #inserted: { pose: Pose2d; stamp: bigint } | undefined;
  #newestScan: bigint | undefined;
  #doubts = 0;
  #count = { scans: 0, inserted: 0, searches: 0, rejected: 0 };

  constructor(options: SlamOptions = SLAM_DEFAULTS) {
    this.#options = options;
    this.grid = new OccupancyGrid(options.resolution);
    this.field = new ClearanceField(this.grid);
    this.#surfels = new SurfelMap(this.grid.layout);
  }

  get counts(): SlamState {
    return this.#count;
  }

  /** `odom` in `map`. */
  get correction(): Pose2d {
    return this.#correction;
  }

  get scanStamp(): bigint | undefined {
    return this.#newestScan;
  }

  /** Enough seen to say where the robot is. */
  get localised(): boolean {
    return this.#count.inserted >= FIRST_SCANS;
  }

  /** Where the lidar sits on the robot: `laser` in `base_link`. */
  setMount(mount: Pose2d): void {
    this.#mount = mount;
  }

  get mount(): Pose2d {
    return this.#mount;
  }

  /** Odometry that jumps was set back by its driver: the robot stays where it is, the correction takes the jump. */
  addOdometry(sample: OdometrySample): void {
    const last = this.odometry.newest;
    if (last && sample.stamp > last.stamp) {
      const jump = Math.hypot(sample.pose.x - last.pose.x, sample.pose.y - last.pose.y);
      if (jump > JUMP_M + (JUMP_M_S * Number(sample.stamp - last.stamp)) / 1e9) {
        this.#correction = compose(compose(this.#correction, last.pose), inverse(sample.pose));
        this.#matchedOdometry = undefined;
        this.odometry.restart();
      }
    }
    this.odometry.add(sample);
  }

  /** `base_link` in `map` at a time; undefined before the first odometry. */
  poseAt(stamp: bigint): Pose2d | undefined {
    const odometry = this.odometry.at(stamp);
    return odometry && compose(this.#correction, odometry);
  }

  /** Takes a scan in. Returns false when it cannot be placed (no odometry yet) or is not newer than the last. */
  addScan(scan: RangeScan): boolean {
    const odometry = this.odometry.at(scan.stamp);
    if (!odometry || (this.#newestScan !== undefined && scan.stamp <= this.#newestScan)) return false;
    this.#newestScan = scan.stamp;
    this.#count.scans++;
    this.points.fill(scan, this.#mount);
    const predicted = compose(this.#correction, odometry);
    if (this.#count.inserted === 0) {
      this.#insert(predicted, scan.stamp);
    } else {
      const pose = this.#align(predicted, odometry);
      if (pose) {
        this.#correction = compose(pose, inverse(odometry));
        if (this.#shouldInsert(pose, scan.stamp)) this.#insert(pose, scan.stamp);
      }
    }
    this.#matchedOdometry = odometry;
    return true;
  }

  /** The matched pose, or undefined when the scan contradicts the map and is not believed. */
  #align(predicted: Pose2d, odometry: Pose2d): Pose2d | undefined {
    const map = { surfels: this.#surfels, grid: this.grid };
    const step = between(this.#matchedOdometry ?? odometry, odometry);
    const metres = Math.hypot(step.x, step.y);
    const prior = {
      sigmaXy: 0.004 + 0.1 * metres,
      sigmaYaw: 0.004 + 0.05 * Math.abs(step.yaw) + 0.05 * metres,
    };
    const match = matchScan(map, this.points, predicted, prior);
    if (this.#believable(match)) {
      this.#doubts = 0;
      return match.pose;
    }
    this.#doubts++;
    if (this.#doubts < LOST_AFTER) {
      this.#count.rejected++;
      return undefined;
    }
    this.#count.searches++;
    const found = matchScan(map, this.points, searchPose(map, this.points, predicted), {
      sigmaXy: 0.05,
      sigmaYaw: 0.05,
    });
    // The world may really have changed around a robot that stands well: then its map has to follow.
    if (this.#believable(found) || this.#doubts > CHANGED_AFTER) {
      this.#doubts = 0;
      return found.pose;
    }
    this.#count.rejected++;
    return undefined;
  }

  #believable(match: Match): boolean {
    return conflict({ surfels: this.#surfels, grid: this.grid }, this.points, match.pose) < CONFLICT_MAX;
  }

  #shouldInsert(pose: Pose2d, stamp: bigint): boolean {
    if (this.#count.inserted < FIRST_SCANS) return true;
    const turning = Math.abs(this.odometry.newest?.twist.angular ?? 0);
    if (turning > this.#options.insertTurnMax) return false;
    const step = between(this.#inserted!.pose, pose);
    return (
      Math.hypot(step.x, step.y) >= this.#options.insertMetres ||
      Math.abs(step.yaw) >= this.#options.insertRadians ||
      Number(stamp - this.#inserted!.stamp) / 1e9 >= REFRESH_S
    );
  }

  #insert(pose: Pose2d, stamp: bigint): void {
    this.grid.integrate(this.points, pose);
    this.field.update();
    this.#surfels.insert(this.points, pose, this.grid.layout);
    this.#inserted = { pose, stamp };
    this.#count.inserted++;
  }
}
