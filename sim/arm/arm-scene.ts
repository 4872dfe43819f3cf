import { Random } from '../random.ts';
import { CUBE } from './arm-model.ts';

/** A cube on the table: its centre in `base_link`, metres, and its heading, radians. */
export type CubePose = { readonly x: number; readonly y: number; readonly yaw: number };

/** The start of an episode: the cube to move, its target, and other cubes. */
export type Scene = {
  readonly cube: CubePose;
  readonly target: { readonly x: number; readonly y: number };
  readonly others: readonly CubePose[];
};

/** Where cubes lie: a sector before the arm, metres from its base and radians from its forward direction (-y). */
const NEAR = 0.33;
const FAR = 0.44;
const SIDE = 0.6;
/** Least distance from the cube to its target, so that there is something to move. */
const APART = 0.12;
const YAW_MAX = 0.5;
/** Where the other cubes lie: beside the sector, out of the way of the jaws. */
const OTHERS_FROM = 0.95;
const OTHERS_TO = 1.25;
export const OTHER_CUBES = 2;

/** This bit marks the seeds of held-out starts, which are never used for training. */
const HELD_OUT = 0x8000_0000;

/** The seed of start `index` of a family, for training or held out: the two kinds have no seed in common. */
export function sceneSeed(kind: 'training' | 'held_out', family: number, index: number): number {
  const mixed = (Math.imul(family, 65_537) + index) & 0x7fff_ffff;
  return kind === 'held_out' ? (mixed | HELD_OUT) >>> 0 : mixed;
}

/** The scene of a seed (whole number, 0 to 2^32 - 1). */
export function makeScene(seed: number): Scene {
  const random = new Random(seed, 'scene');
  const cube = { ...place(random, NEAR, FAR, -SIDE, SIDE), yaw: (2 * random.float() - 1) * YAW_MAX };
  let target = place(random, NEAR, FAR, -SIDE, SIDE);
  while (Math.hypot(target.x - cube.x, target.y - cube.y) < APART) {
    target = place(random, NEAR, FAR, -SIDE, SIDE);
  }
  const others = Array.from({ length: OTHER_CUBES }, (_, i) => {
    const side = i % 2 === 0 ? 1 : -1;
    const at = place(random, NEAR, FAR, side * OTHERS_FROM, side * OTHERS_TO);
    return { ...at, yaw: (2 * random.float() - 1) * Math.PI };
  });
  return { cube, target, others };
}

/** Height of the centre of a cube that lies on the table, metres. */
export const CUBE_REST_Z = CUBE.side / 2;

function place(random: Random, near: number, far: number, from: number, to: number) {
  const radius = near + (far - near) * random.float();
  const angle = from + (to - from) * random.float();
  return { x: radius * Math.sin(angle), y: -radius * Math.cos(angle) };
}
