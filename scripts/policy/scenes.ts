import { GOAL_CLIP_M, SCAN_CLIP_M, SECTORS } from '../../daemon/execution/control/pursuit.ts';
import type { Random } from './random.ts';

/** One input of the drive policy: 72 ranges, 3 goal numbers, 2 velocities, as `pursue` takes them. */
export type Scene = {
  readonly scan: Float32Array;
  readonly goal: Float32Array;
  readonly twist: Float32Array;
};

type Wall = { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number };

const CELLS = 5;
const RADIUS = 0.17;

/**
 * A robot somewhere in a patch of corridors: walls between cells by chance, the robot clear of them (rarely
 * close), a goal ahead or anywhere near, velocities as they occur. Covers more than a good driver ever meets.
 */
export function randomScene(random: Random): Scene {
  for (;;) {
    const pitch = random.between(0.65, 1.1);
    const walls = patch(random, pitch);
    const middle = (CELLS * pitch) / 2;
    const x = middle + random.between(-1, 1) * pitch;
    const y = middle + random.between(-1, 1) * pitch;
    const clear = Math.min(...walls.map((wall) => distanceTo(wall, x, y)));
    if (clear < RADIUS + 0.005) continue;
    const yaw =
      random.next() < 0.6
        ? (random.below(4) * Math.PI) / 2 + random.normal() * 0.25
        : random.between(-Math.PI, Math.PI);
    return {
      scan: scanFrom(walls, x, y, yaw, random),
      goal: goalFrom(walls, x, y, yaw, pitch, random),
      twist: twistOf(random),
    };
  }
}

function patch(random: Random, pitch: number): Wall[] {
  const walls: Wall[] = [];
  const share = random.between(0.3, 0.7);
  const thick = random.between(0.005, 0.06);
  const add = (x0: number, y0: number, x1: number, y1: number) => {
    const [nx, ny] = x0 === x1 ? [thick / 2, 0] : [0, thick / 2];
    walls.push(
      { x0: x0 - nx, y0: y0 - ny, x1: x1 - nx, y1: y1 - ny },
      { x0: x0 + nx, y0: y0 + ny, x1: x1 + nx, y1: y1 + ny },
    );
    walls.push(
      { x0: x0 - nx, y0: y0 - ny, x1: x0 + nx, y1: y0 + ny },
      { x0: x1 - nx, y0: y1 - ny, x1: x1 + nx, y1: y1 + ny },
    );
  };
  for (let i = 0; i <= CELLS; i++) {
    for (let j = 0; j < CELLS; j++) {
      if (random.next() < share) add(i * pitch, j * pitch, i * pitch, (j + 1) * pitch);
      if (random.next() < share) add(j * pitch, i * pitch, (j + 1) * pitch, i * pitch);
    }
  }
  return walls;
}

function distanceTo({ x0, y0, x1, y1 }: Wall, x: number, y: number): number {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const t = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

/** Least range per sector out of five rays each, with the noise of a lidar. */
function scanFrom(walls: readonly Wall[], x: number, y: number, yaw: number, random: Random): Float32Array {
  const scan = new Float32Array(SECTORS).fill(SCAN_CLIP_M);
  const rays = SECTORS * 5;
  for (let i = 0; i < rays; i++) {
    const angle = (2 * Math.PI * i) / rays;
    const range = Math.min(SCAN_CLIP_M, cast(walls, x, y, yaw + angle) + random.normal() * 0.005);
    const sector = Math.round(i / 5) % SECTORS;
    scan[sector] = Math.min(scan[sector]!, Math.max(0.05, range));
  }
  return scan;
}

function cast(walls: readonly Wall[], x: number, y: number, angle: number): number {
  const dx = Math.cos(angle);
  const dy = Math.sin(angle);
  let best = SCAN_CLIP_M;
  for (const { x0, y0, x1, y1 } of walls) {
    const ex = x1 - x0;
    const ey = y1 - y0;
    const cross = dx * ey - dy * ex;
    if (Math.abs(cross) < 1e-12) continue;
    const t = ((x0 - x) * ey - (y0 - y) * ex) / cross;
    const u = ((x0 - x) * dy - (y0 - y) * dx) / cross;
    if (t > 0 && t < best && u >= 0 && u <= 1) best = t;
  }
  return best;
}

/** Mostly a look-ahead point that can be seen; sometimes anything, behind the robot too. */
function goalFrom(
  walls: readonly Wall[],
  x: number,
  y: number,
  yaw: number,
  pitch: number,
  random: Random,
): Float32Array {
  const seen = random.next() < 0.8;
  let bearing = random.next() < 0.6 ? random.normal() * 0.5 : random.between(-Math.PI, Math.PI);
  let distance = random.between(0.02, seen ? 1.3 * pitch : GOAL_CLIP_M);
  for (let i = 0; seen && i < 8 && cast(walls, x, y, yaw + bearing) < distance + 0.1; i++) {
    bearing = random.between(-Math.PI, Math.PI);
    distance = random.between(0.02, 1.3 * pitch);
  }
  return Float32Array.of(Math.cos(bearing), Math.sin(bearing), Math.min(distance, GOAL_CLIP_M));
}

function twistOf(random: Random): Float32Array {
  const linear = random.next() < 0.2 ? 0 : random.between(-0.1, 0.46);
  const angular = random.next() < 0.3 ? 0 : random.normal() * 0.7;
  return Float32Array.of(linear, Math.max(-1.9, Math.min(1.9, angular)));
}
