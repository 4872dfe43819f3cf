/** Where the robot was: bounded, with fewer points the longer ago. Pure. */
import type { Pose } from '../../lib/views.ts';

const POINTS_MAX = 4_000;
/** Nearer points are one, metres. */
const STEP_M = 0.02;

export class Trail {
  #points: Pose[] = [];
  #stepM = STEP_M;

  get points(): readonly Pose[] {
    return this.#points;
  }

  add(pose: Pose): void {
    const last = this.#points.at(-1);
    if (last && Math.hypot(pose.x - last.x, pose.y - last.y) < this.#stepM) return;
    this.#points.push(pose);
    if (this.#points.length <= POINTS_MAX) return;
    this.#points = this.#points.filter((_, i) => i % 2 === 0);
    this.#stepM *= 2;
  }

  clear(): void {
    this.#points = [];
    this.#stepM = STEP_M;
  }
}
