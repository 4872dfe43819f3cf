import type { Pose2d } from '../../../contract/core.ts';
import { RAY_HIT, type ScanPoints } from '../navigation/scan-points.ts';
import { UnseenSectors } from '../navigation/unseen-sectors.ts';

/** Points further than this do not matter to the next second of driving, metres. */
const RELEVANT_M = 3.5;

/**
 * What the newest scan saw, moved to where the robot is now by odometry: at 0.4 m/s and 1.6 rad/s a scan of
 * 100 ms ago is 4 cm and 9 degrees off. `base_link`, metres. Buffers are reused.
 */
export class LocalObstacles {
  count = 0;
  x = new Float64Array(0);
  y = new Float64Array(0);
  /** Directions in which anything may stand. */
  readonly unseen = new UnseenSectors();

  /** `moved` is `base_link` now as seen from `base_link` at the time of the scan. */
  fill(points: ScanPoints, moved: Pose2d): this {
    if (this.x.length < points.count) {
      this.x = new Float64Array(points.count);
      this.y = new Float64Array(points.count);
    }
    const c = Math.cos(moved.yaw);
    const s = Math.sin(moved.yaw);
    let count = 0;
    for (let i = 0; i < points.count; i++) {
      if (points.kind[i] !== RAY_HIT) continue;
      const dx = points.x[i]! - moved.x;
      const dy = points.y[i]! - moved.y;
      if (dx * dx + dy * dy > RELEVANT_M * RELEVANT_M) continue;
      this.x[count] = c * dx + s * dy;
      this.y[count] = c * dy - s * dx;
      count++;
    }
    this.count = count;
    this.unseen.copyTurned(points.unseen, moved.yaw);
    return this;
  }
}
