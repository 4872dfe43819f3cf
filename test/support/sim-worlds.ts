import { createHash } from 'node:crypto';
import type { Sample, Twist2d } from '../../contract/index.ts';
import { Arena, CELL_PITCH } from '../../sim/arena.ts';
import { Maze, type Side } from '../../sim/maze.ts';
import { Random } from '../../sim/random.ts';

/** A straight corridor of cells (`pitch` metres each) towards the east, the exit at its end; the robot looks along it. */
export function corridor(cells: number, pitch: number = CELL_PITCH): Arena {
  const open = Array.from({ length: cells }, (_, i) => {
    const sides = new Set<Side>();
    if (i > 0) sides.add('west');
    if (i < cells - 1) sides.add('east');
    return sides;
  });
  const exit = { cell: { column: cells - 1, row: 0 }, side: 'east' as const };
  return new Arena(new Maze({ width: cells, height: 1 }, open, { column: 0, row: 0 }, exit), pitch);
}

/** Commands of a scripted driver: the same for the same seed. */
export function* script(seed: number): Generator<Twist2d> {
  const random = new Random(seed, 'script');
  for (;;) {
    const twist = { linear: 0.46 * (2 * random.float() - 1), angular: 1.9 * (2 * random.float() - 1) };
    for (let i = 0; i < 10; i++) yield twist;
  }
}

/** A digest over everything that was published, in its order. */
export class Published {
  readonly #hash = createHash('sha256');
  count = 0;

  add(sample: Sample): void {
    this.count++;
    this.#hash.update(
      `${sample.topic} ${sample.type} ${sample.stamp} ${sample.received} ${sample.bytes.length}\n`,
    );
    this.#hash.update(sample.bytes);
  }
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
