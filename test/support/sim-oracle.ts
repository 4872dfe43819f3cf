import { type Cell, type Maze, neighbour } from '../../sim/maze.ts';
import { ROBOT } from '../../sim/robot-model.ts';
import type { Simulation } from '../../sim/simulation.ts';
import { normalise } from '../../sim/wheel-odometry.ts';

/** Drives from the start out of the exit by the map and the true pose. `slack`: least metres kept to a wall. */
export function driveOut(simulation: Simulation): { windows: number; slack: number } {
  const { arena } = simulation;
  let windows = 0;
  let slack = Number.POSITIVE_INFINITY;
  for (const goal of way(arena.maze).map((cell) => arena.centre(cell))) {
    for (let patience = 600; ; patience--) {
      if (patience === 0) throw new Error(`stuck on the way to ${goal.x}, ${goal.y}`);
      const { x, y, yaw } = simulation.truth.pose;
      const distance = Math.hypot(goal.x - x, goal.y - y);
      if (distance < 0.05) break;
      const error = normalise(Math.atan2(goal.y - y, goal.x - x) - yaw);
      const linear = Math.abs(error) > 0.3 ? 0 : Math.min(ROBOT.linearMax, distance * 1.5 + 0.05);
      const angular = Math.max(-ROBOT.angularMax, Math.min(ROBOT.angularMax, 3 * error));
      simulation.command({ linear, angular });
      simulation.window();
      windows++;
      for (const wall of arena.walls) {
        const gap = Math.hypot(
          Math.max(0, Math.abs(x - wall.x) - wall.halfX),
          Math.max(0, Math.abs(y - wall.y) - wall.halfY),
        );
        slack = Math.min(slack, gap - ROBOT.radius);
      }
    }
  }
  return { windows, slack };
}

/** The cells from after the start to the one beyond the exit. */
function way(maze: Maze): Cell[] {
  const distances = maze.distances();
  const at = (cell: Cell) => distances[cell.row * maze.width + cell.column]!;
  const cells = [neighbour(maze.exit.cell, maze.exit.side), maze.exit.cell];
  for (let here = maze.exit.cell; at(here) > 0; ) {
    here = maze
      .openSides(here)
      .map((side) => neighbour(here, side))
      .find((next) => maze.contains(next) && at(next) === at(here) - 1)!;
    cells.push(here);
  }
  return cells.reverse().slice(1);
}
