import type { Cell, Maze } from './maze.ts';

/**
 * The maze for people, north up: `S` the start, `E` before the exit, which is a gap in the outer wall.
 * ```
 * +---+---+
 * | S     |
 * +---+   +
 * |     E
 * +---+---+
 * ```
 */
export function drawMaze(maze: Maze): string {
  const lines: string[] = [];
  for (let row = maze.height - 1; row >= 0; row--) {
    lines.push(edge(maze, row, 'north'));
    let line = '';
    for (let column = 0; column < maze.width; column++) {
      const cell = { column, row };
      line += `${maze.hasWall(cell, 'west') ? '|' : ' '} ${mark(maze, cell)} `;
    }
    lines.push(line + (maze.hasWall({ column: maze.width - 1, row }, 'east') ? '|' : ' '));
  }
  lines.push(edge(maze, 0, 'south'));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function edge(maze: Maze, row: number, side: 'north' | 'south'): string {
  let line = '+';
  for (let column = 0; column < maze.width; column++) {
    line += maze.hasWall({ column, row }, side) ? '---+' : '   +';
  }
  return line;
}

function mark(maze: Maze, cell: Cell): string {
  const is = (other: Cell) => other.column === cell.column && other.row === cell.row;
  return is(maze.start) ? 'S' : is(maze.exit.cell) ? 'E' : ' ';
}
