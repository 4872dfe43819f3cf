import { describe, expect, it } from 'vitest';
import { ROBOT } from '../../sim/robot-model.ts';
import { Simulation } from '../../sim/simulation.ts';
import { driveOut } from '../support/sim-oracle.ts';

/** A driver who knows everything: what it cannot do, no navigation could. */
describe('the maze as a place to drive', () => {
  it.each([1, 2, 3, 4])('lets a robot that knows its way out without a bump, seed %i', async (seed) => {
    const simulation = await Simulation.create(seed, { width: 5, height: 4 });
    const { windows, slack } = driveOut(simulation);
    expect(simulation.referee).toMatchObject({ reachedExit: true, collisions: 0, refusedCommands: 0 });
    // No shortcut through a wall: at full speed the way takes at least this long.
    const cells =
      simulation.arena.maze.distances()[
        simulation.arena.maze.exit.cell.row * 5 + simulation.arena.maze.exit.cell.column
      ]!;
    expect(windows * 0.05).toBeGreaterThan((cells * 0.9) / ROBOT.linearMax);
    expect(slack).toBeGreaterThan(0.1);
    simulation.close();
  });
});
