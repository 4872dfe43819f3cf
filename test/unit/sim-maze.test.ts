import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, CELL_PITCH } from '../../sim/arena.ts';
import { type Cell, generateMaze, type Maze, neighbour } from '../../sim/maze.ts';
import { drawMaze } from '../../sim/maze-drawing.ts';
import { Random } from '../../sim/random.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const sizes = fc.record({ width: fc.integer({ min: 2, max: 12 }), height: fc.integer({ min: 2, max: 12 }) });

function cells(maze: Maze): Cell[] {
  return Array.from({ length: maze.width * maze.height }, (_, i) => ({
    column: i % maze.width,
    row: Math.floor(i / maze.width),
  }));
}

describe('a generated maze', () => {
  it('is perfect: every cell is reached, and one passage fewer than cells leaves no second way', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const maze = generateMaze(seed, size);
        let passages = 0;
        for (const cell of cells(maze)) {
          for (const side of maze.openSides(cell)) {
            const next = neighbour(cell, side);
            if (!maze.contains(next)) continue;
            passages++;
            expect(maze.openSides(next).some((back) => same(neighbour(next, back), cell))).toBe(true);
          }
        }
        expect(passages / 2).toBe(size.width * size.height - 1);
        expect(Math.max(...maze.distances())).toBeLessThan(size.width * size.height);
      }),
    );
  });

  it('has exactly one opening, and it is not where the robot starts', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const maze = generateMaze(seed, size);
        const openings = cells(maze).flatMap((cell) =>
          maze
            .openSides(cell)
            .filter((side) => !maze.contains(neighbour(cell, side)))
            .map((side) => ({ cell, side })),
        );
        expect(openings).toEqual([maze.exit]);
        expect(same(maze.start, maze.exit.cell)).toBe(false);
      }),
    );
  });

  it('is the same for the same seed, and another for another', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        expect(drawMaze(generateMaze(seed, size))).toBe(drawMaze(generateMaze(seed, size)));
      }),
    );
    const drawings = new Set(
      Array.from({ length: 200 }, (_, seed) => drawMaze(generateMaze(seed, { width: 6, height: 6 }))),
    );
    expect(drawings.size).toBe(200);
  });

  it('is refused below 2 x 2', () => {
    for (const size of [
      { width: 1, height: 5 },
      { width: 3, height: 0 },
      { width: 2.5, height: 3 },
    ]) {
      expect(() => generateMaze(1, size)).toThrow(expect.objectContaining({ code: 'sim.failed' }));
    }
  });

  it('is drawn for people', () => {
    expect(drawMaze(generateMaze(3, { width: 3, height: 2 }))).toMatchInlineSnapshot(`
      "+---+---+   +
      |         E |
      +---+---+   +
      |     S     |
      +---+---+---+
      "
    `);
  });
});

describe('the arena', () => {
  it('stands on the walls of its maze: a way between centres is free exactly where there is no wall', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const maze = generateMaze(seed, size);
        const arena = new Arena(maze);
        for (const cell of cells(maze)) {
          for (const side of ['east', 'north', 'west', 'south'] as const) {
            const here = arena.centre(cell);
            const there = arena.centre(neighbour(cell, side));
            const [x, y] = [(here.x + there.x) / 2, (here.y + there.y) / 2];
            const blocked = arena.walls.some(
              (w) => Math.abs(x - w.x) <= w.halfX && Math.abs(y - w.y) <= w.halfY,
            );
            expect(blocked).toBe(maze.hasWall(cell, side));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('is closed: from the start one walks to the ground before the exit, and no further', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const arena = new Arena(generateMaze(seed, size));
        const reached = flood(arena);
        expect(reached.some(({ x, y }) => arena.isOutside(x, y))).toBe(true);
        const far = 5;
        const east = size.width * CELL_PITCH + far;
        const north = size.height * CELL_PITCH + far;
        expect(reached.filter(({ x, y }) => x < -far || y < -far || x > east || y > north)).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  it('calls only those outside who are through the exit', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const arena = new Arena(generateMaze(seed, size));
        for (const cell of cells(arena.maze)) {
          const { x, y } = arena.centre(cell);
          expect(arena.isOutside(x, y)).toBe(false);
        }
        const { cell, side } = arena.maze.exit;
        const beyond = arena.centre(neighbour(cell, side));
        expect(arena.isOutside(beyond.x, beyond.y)).toBe(true);
      }),
    );
  });
});

describe('chance', () => {
  it('is the same for the same seed and stream, and unrelated between streams and near seeds', () => {
    const take = (seed: number, stream: string) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 64 }, () => random.uint32());
    };
    expect(take(7, 'lidar')).toEqual(take(7, 'lidar'));
    const all = [
      take(7, 'lidar'),
      take(7, 'wheels'),
      take(8, 'lidar'),
      take(6, 'lidar'),
      take(0, ''),
      take(1, ''),
    ].flat();
    expect(new Set(all).size).toBe(all.length);
  });

  it('is spread as it says', () => {
    const random = new Random(12345, 'spread');
    const n = 60_000;
    const buckets = new Array<number>(6).fill(0);
    for (let i = 0; i < n; i++) buckets[random.int(6)]!++;
    for (const count of buckets) expect(Math.abs(count - n / 6)).toBeLessThan(5 * Math.sqrt(n / 6));
    let [sum, squares, floats] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const value = random.gaussian();
      sum += value;
      squares += value * value;
      const float = random.float();
      floats += float;
      if (float < 0 || float >= 1) expect.fail(`${float} is not in [0, 1)`);
    }
    expect(sum / n).toBeCloseTo(0, 1);
    expect(squares / n).toBeCloseTo(1, 1);
    expect(floats / n).toBeCloseTo(0.5, 1);
  });
});

function same(a: Cell, b: Cell): boolean {
  return a.column === b.column && a.row === b.row;
}

/** All points of a 15 cm grid that a point can walk to from the start, to 8 m around the maze. */
function flood(arena: Arena): { x: number; y: number }[] {
  const step = CELL_PITCH / 6;
  const margin = 8;
  const wide = arena.maze.width * CELL_PITCH + margin;
  const high = arena.maze.height * CELL_PITCH + margin;
  const seen = new Set<string>();
  const queue = [{ x: arena.start.x, y: arena.start.y }];
  for (const { x, y } of queue) {
    for (const [dx, dy] of [
      [step, 0],
      [-step, 0],
      [0, step],
      [0, -step],
    ] as const) {
      const next = { x: x + dx, y: y + dy };
      const key = `${Math.round(next.x / step)},${Math.round(next.y / step)}`;
      if (seen.has(key) || next.x < -margin || next.y < -margin || next.x > wide || next.y > high) continue;
      const [mx, my] = [x + dx / 2, y + dy / 2];
      const hit = (px: number, py: number) =>
        arena.walls.some((w) => Math.abs(px - w.x) <= w.halfX + 0.04 && Math.abs(py - w.y) <= w.halfY + 0.04);
      if (hit(mx, my) || hit(next.x, next.y)) continue;
      seen.add(key);
      queue.push(next);
    }
  }
  return queue;
}
