import type { Pose2d } from '../contract/core.ts';
import { type Cell, type Maze, SIDES, type Side } from './maze.ts';

/** Metres between the centres of neighbouring cells: a TurtleBot 4 (0.34 m) passes with 0.25 m at each side. */
export const CELL_PITCH = 0.9;
export const WALL_THICKNESS = 0.06;
export const WALL_HEIGHT = 0.4;
/** Fence of the ground before the exit: low for people, above the plane of the lidar. */
const FENCE_HEIGHT = 0.28;
/** Ground before the exit: how far out, metres, and how many cells to each side of the door. */
const FORECOURT_DEPTH = 2.4;
const FORECOURT_SIDE_CELLS = 1;
/** The exit is reached when the robot's centre is this far outside of the outer wall, metres. */
const OUTSIDE_BY = 0.3;

/** An upright box on the floor: centre and half sizes in metres, in the frame `maze`. */
export type Box = {
  readonly x: number;
  readonly y: number;
  readonly halfX: number;
  readonly halfY: number;
  readonly height: number;
};

type Segment = { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number };

/**
 * A maze in metres. Frame `maze`: origin at the south-west corner of the outer wall, x east, y north. Only the
 * world and its referee know this; a robot has to find out.
 */
export class Arena {
  readonly maze: Maze;
  readonly walls: readonly Box[];
  /** Where the robot stands at first, looking along an open corridor. */
  readonly start: Pose2d;
  readonly #pitch: number;

  constructor(maze: Maze, pitch: number = CELL_PITCH) {
    this.maze = maze;
    this.#pitch = pitch;
    const centre = this.centre(maze.start);
    this.start = { ...centre, yaw: headingOf(maze.openSides(maze.start)[0] ?? 'east') };
    this.walls = [
      ...wallSegments(maze).map((segment) => box(segment, pitch, WALL_HEIGHT)),
      ...this.#forecourt().map((segment) => box(segment, 1, FENCE_HEIGHT)),
    ];
  }

  centre(cell: Cell): { x: number; y: number } {
    return { x: (cell.column + 0.5) * this.#pitch, y: (cell.row + 0.5) * this.#pitch };
  }

  /** Whether a point has left the maze through its exit (there is no other way out). */
  isOutside(x: number, y: number): boolean {
    const east = this.maze.width * this.#pitch + OUTSIDE_BY;
    const north = this.maze.height * this.#pitch + OUTSIDE_BY;
    return x < -OUTSIDE_BY || y < -OUTSIDE_BY || x > east || y > north;
  }

  /** Three fences that close the ground before the exit, so that a lidar sees where the world ends. */
  #forecourt(): Segment[] {
    const { maze } = this;
    const { cell, side } = maze.exit;
    const horizontal = side === 'north' || side === 'south';
    const along = horizontal ? cell.column : cell.row;
    const cells = horizontal ? maze.width : maze.height;
    // Not past a corner of the maze, else the ground would be open there.
    const from = Math.max(0, along - FORECOURT_SIDE_CELLS) * this.#pitch;
    const to = Math.min(cells, along + 1 + FORECOURT_SIDE_CELLS) * this.#pitch;
    const wall =
      side === 'east' ? maze.width * this.#pitch : side === 'north' ? maze.height * this.#pitch : 0;
    const far = side === 'east' || side === 'north' ? wall + FORECOURT_DEPTH : wall - FORECOURT_DEPTH;
    const corners = [
      [from, wall],
      [from, far],
      [to, far],
      [to, wall],
    ] as const;
    return corners.slice(1).map(([a, b], i) => {
      const [a0, b0] = corners[i]!;
      return horizontal ? { x1: a0, y1: b0, x2: a, y2: b } : { x1: b0, y1: a0, x2: b, y2: a };
    });
  }
}

export function headingOf(side: Side): number {
  return SIDES.indexOf(side) * (Math.PI / 2);
}

/** Walls in units of cells, neighbours on one line joined: fewer and longer boxes are faster to look at. */
function wallSegments(maze: Maze): Segment[] {
  const segments: Segment[] = [];
  for (let line = 0; line <= maze.height; line++) {
    const wallAt = (column: number) =>
      line < maze.height
        ? maze.hasWall({ column, row: line }, 'south')
        : maze.hasWall({ column, row: line - 1 }, 'north');
    for (const [from, to] of runs(maze.width, wallAt))
      segments.push({ x1: from, y1: line, x2: to, y2: line });
  }
  for (let line = 0; line <= maze.width; line++) {
    const wallAt = (row: number) =>
      line < maze.width
        ? maze.hasWall({ column: line, row }, 'west')
        : maze.hasWall({ column: line - 1, row }, 'east');
    for (const [from, to] of runs(maze.height, wallAt))
      segments.push({ x1: line, y1: from, x2: line, y2: to });
  }
  return segments;
}

function runs(length: number, has: (index: number) => boolean): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < length; i++) {
    if (!has(i)) continue;
    const from = i;
    while (i < length && has(i)) i++;
    found.push([from, i]);
  }
  return found;
}

/** Ends reach half a wall further, so that corners are closed. */
function box(segment: Segment, scale: number, height: number): Box {
  const half = WALL_THICKNESS / 2;
  return {
    x: ((segment.x1 + segment.x2) / 2) * scale,
    y: ((segment.y1 + segment.y2) / 2) * scale,
    halfX: (Math.abs(segment.x2 - segment.x1) / 2) * scale + half,
    halfY: (Math.abs(segment.y2 - segment.y1) / 2) * scale + half,
    height,
  };
}
