/** Small seeded generator (mulberry32): enough for test worlds. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const RESOLUTION = 0.1;
/** Grid cells per maze cell: 0.9 m of floor and a wall of 0.1 m. */
const PITCH = 10;
/** Ground around the maze, grid cells; fenced at its border. */
const MARGIN = 20;

/** A perfect maze on an occupancy grid, with one door in its outer wall and fenced ground outside. */
export class GridWorld {
  readonly width: number;
  readonly height: number;
  readonly walls: Uint8Array;
  readonly start: { readonly x: number; readonly y: number };
  readonly #cells: number;

  constructor(seed: number, cells: number) {
    const random = seeded(seed);
    this.#cells = cells;
    this.width = cells * PITCH + 1 + 2 * MARGIN;
    this.height = this.width;
    this.walls = new Uint8Array(this.width * this.height);
    this.#border();
    this.#grid();
    this.#carve(random);
    const corner = () => Math.floor(random() * cells);
    this.start = this.centre(corner(), corner());
    this.#door(Math.floor(random() * 4), Math.floor(random() * cells));
  }

  wallAt(x: number, y: number): boolean {
    const column = Math.floor(x / RESOLUTION);
    const row = Math.floor(y / RESOLUTION);
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return true;
    return this.walls[row * this.width + column] === 1;
  }

  /** Centre of a maze cell, metres. */
  centre(column: number, row: number): { x: number; y: number } {
    const at = (cell: number) => (MARGIN + cell * PITCH + PITCH / 2 + 0.5) * RESOLUTION;
    return { x: at(column), y: at(row) };
  }

  isOutside(x: number, y: number): boolean {
    const low = (MARGIN - 3) * RESOLUTION;
    const high = (MARGIN + this.#cells * PITCH + 4) * RESOLUTION;
    return x < low || y < low || x > high || y > high;
  }

  #set(column: number, row: number, value: 0 | 1): void {
    this.walls[row * this.width + column] = value;
  }

  #border(): void {
    for (let i = 0; i < this.width; i++) {
      for (const edge of [0, this.width - 1]) {
        this.#set(i, edge, 1);
        this.#set(edge, i, 1);
      }
    }
  }

  #grid(): void {
    const size = this.#cells * PITCH;
    for (let i = 0; i <= size; i++) {
      for (let line = 0; line <= this.#cells; line++) {
        this.#set(MARGIN + i, MARGIN + line * PITCH, 1);
        this.#set(MARGIN + line * PITCH, MARGIN + i, 1);
      }
    }
  }

  /** Opens the wall between a cell and its neighbour (0 east, 1 north, 2 west, 3 south). */
  #open(column: number, row: number, side: number): void {
    for (let i = 1; i < PITCH; i++) {
      const x = MARGIN + column * PITCH + (side === 0 ? PITCH : side === 2 ? 0 : i);
      const y = MARGIN + row * PITCH + (side === 1 ? PITCH : side === 3 ? 0 : i);
      this.#set(x, y, 0);
    }
  }

  #carve(random: () => number): void {
    const steps = [
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
    ] as const;
    const seen = new Set([0]);
    const path = [[0, 0] as [number, number]];
    for (let here = path.at(-1); here; here = path.at(-1)) {
      const [column, row] = here;
      const ways = [0, 1, 2, 3].filter((side) => {
        const x = column + steps[side]![0];
        const y = row + steps[side]![1];
        return x >= 0 && y >= 0 && x < this.#cells && y < this.#cells && !seen.has(y * this.#cells + x);
      });
      if (ways.length === 0) {
        path.pop();
        continue;
      }
      const side = ways[Math.floor(random() * ways.length)]!;
      this.#open(column, row, side);
      const next: [number, number] = [column + steps[side]![0], row + steps[side]![1]];
      seen.add(next[1] * this.#cells + next[0]);
      path.push(next);
    }
  }

  #door(side: number, at: number): void {
    const last = this.#cells - 1;
    const [column, row] = side === 0 ? [last, at] : side === 1 ? [at, last] : side === 2 ? [0, at] : [at, 0];
    this.#open(column, row, side);
  }
}
