import { describe, expect, it } from 'vitest';
import type { Pose2d, Sample, Twist2d } from '../../contract/index.ts';
import { CORE_DEFAULTS, ControlCore } from '../../daemon/execution/control/control-core.ts';
import { CONTROL_DEFAULTS } from '../../daemon/execution/control/control-loop.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { between } from '../../daemon/execution/navigation/geometry.ts';
import { decodeOdometry, yawOf } from '../../formats/cdr/index.ts';
import { Simulation } from '../../sim/simulation.ts';
import { type DriveWorld, explore } from '../fakes/frontier-explorer.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** The physics simulation as the explorer drives it, in this process. */
class SimWorld implements DriveWorld {
  readonly #sim: Simulation;
  readonly #start: Pose2d;
  #seen: Pose2d;
  #latched: Sample[];
  command: Twist2d = { linear: 0, angular: 0 };
  driven = 0;
  readonly clearanceMin = Infinity;
  odometry: Pose2d = { x: 0, y: 0, yaw: 0 };

  constructor(sim: Simulation) {
    this.#sim = sim;
    this.#start = sim.truth.pose;
    this.#seen = sim.truth.pose;
    this.#latched = sim.latched();
  }

  get time(): bigint {
    return this.#sim.time;
  }
  get contacts(): number {
    return this.#sim.referee.collisions;
  }
  get finished(): boolean {
    return this.#sim.referee.reachedExit;
  }

  advance(): Sample[] {
    this.#sim.command(this.command);
    const samples = [...this.#latched, ...this.#sim.window()];
    this.#latched = [];
    const { pose } = this.#sim.truth;
    this.driven += Math.hypot(pose.x - this.#seen.x, pose.y - this.#seen.y);
    this.#seen = pose;
    const odometry = samples.find(({ topic }) => topic === '/odom');
    if (odometry) {
      const { position, orientation } = decodeOdometry(odometry.bytes).pose.pose;
      this.odometry = { x: position.x, y: position.y, yaw: yawOf(orientation) };
    }
    return samples;
  }

  truth(): Pose2d {
    return between(this.#start, this.#sim.truth.pose);
  }
}

describe('exploring a maze of the physics simulation', () => {
  it.each([3, 5, 7])(
    'seed %i: out of 10x10 cells without a collision, the map true to the floor',
    async (seed) => {
      const sim = await Simulation.create(seed, { width: 10, height: 10 });
      try {
        const options = { ...CORE_DEFAULTS, control: { ...CONTROL_DEFAULTS, lockstep: true } };
        const core = new ControlCore(new PursuitPolicy(), new ManualClock(), options);
        const result = await explore(new SimWorld(sim), core, { maxSeconds: 900 });
        expect(sim.referee).toMatchObject({ reachedExit: true, collisions: 0, refusedCommands: 0 });
        expect(result.errorMax).toBeLessThan(0.08);
        expect(result.outcomes['reached']! / sum(result.outcomes)).toBeGreaterThan(0.9);
        expect(core.counts).toMatchObject({ starved: 0, refused: 0, stale: 0, malformed: 0 });
      } finally {
        sim.close();
      }
    },
  );
});

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
