import { describe, expect, it } from 'vitest';
import type { Twist2d } from '../../contract/index.ts';
import { CORE_DEFAULTS, ControlCore } from '../../daemon/execution/control/control-core.ts';
import { CONTROL_DEFAULTS } from '../../daemon/execution/control/control-loop.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { Simulation } from '../../sim/simulation.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const DEGREES = Math.PI / 180;
const STEPS_PER_SECOND = 20;
const SEEDS = [3, 5, 7];
const SECTORS = [0, 90, 180, 270].flatMap((centre) => [30, 60, 150].map((half) => [half, centre] as const));

/** A daemon's control and a simulated robot, step by step. */
class Rig {
  readonly sim: Simulation;
  readonly core = new ControlCore(new PursuitPolicy(), new ManualClock(), {
    ...CORE_DEFAULTS,
    control: { ...CONTROL_DEFAULTS, lockstep: true },
  });
  #command: Twist2d = { linear: 0, angular: 0 };
  #motions = 0;
  #outcomes: string[] = [];
  #isBusy = false;

  private constructor(sim: Simulation) {
    this.sim = sim;
    for (const sample of sim.latched()) this.core.onSample(sample);
  }

  static async inMaze(seed: number): Promise<Rig> {
    return new Rig(await Simulation.create(seed, { width: 6, height: 6 }));
  }

  get outcomes(): readonly string[] {
    return this.#outcomes;
  }

  /** Asks for one motion after the other: back and forth, left and right, to places behind walls. */
  async drive(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * STEPS_PER_SECOND; i++) {
      if (!this.#isBusy) this.#ask();
      await this.step();
    }
  }

  async step(): Promise<void> {
    this.sim.command(this.#command);
    for (const sample of this.sim.window()) this.core.onSample(sample);
    const { command } = await this.core.tick(this.sim.time);
    if (command) this.#command = command;
    await Promise.resolve();
  }

  #ask(): void {
    this.#isBusy = true;
    const n = this.#motions++;
    const id = `m${n}`;
    const drives = [1.5, -0.6, 2, -1];
    const turns = [1.3, -2.2, 0.8, 2.9];
    const pose = { x: 1.5 * Math.cos(n * 2.4), y: 1.5 * Math.sin(n * 2.4), yaw: 0 };
    const step = Math.floor(n / 3) % 4;
    const asked =
      n % 3 === 0
        ? this.core.maneuver(id, { kind: 'drive', distance: drives[step]! })
        : n % 3 === 1
          ? this.core.maneuver(id, { kind: 'spin', angle: turns[step]! })
          : this.core.navigate(id, { pose, tolerance: 0.2, timeoutMs: 30_000 });
    void asked.then(({ outcome, message }) => {
      this.#outcomes.push(`${outcome}: ${message}`);
      this.#isBusy = false;
    });
  }
}

describe('a lidar that does not see everything', () => {
  it.each(SECTORS)('blind for %i degrees to each side of %i: no collision', async (half, centre) => {
    for (const seed of SEEDS) {
      const rig = await Rig.inMaze(seed);
      try {
        await rig.drive(5);
        rig.sim.blindLidar({ centre: centre * DEGREES, halfWidth: half * DEGREES });
        await rig.drive(90);
        expect([seed, rig.sim.referee.collisions]).toEqual([seed, 0]);
      } finally {
        rig.sim.close();
      }
    }
  });
});
