import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../contract/index.ts';
import { HOME } from '../../sim/arm/arm-model.ts';
import { sceneSeed } from '../../sim/arm/arm-scene.ts';
import { HostedArm } from '../../sim/arm/hosted-arm.ts';
import { SimArm } from '../../sim/arm/sim-arm.ts';
import { manipulatorConformance } from '../conformance/manipulator.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** The arm and its physics joined without a socket; it lives by itself until it is closed. */
async function made() {
  const clock = new ManualClock();
  const world = await HostedArm.create({ seed: 3, cameraHz: 0 });
  /** For how long set points count, milliseconds. */
  const lasts = new Set<number>();
  const sent: unknown[] = [];
  const arm = new SimArm(clock, {
    offer: (sample) => {
      sent.push(sample);
      lasts.add((sample.expiresAtMs ?? Infinity) - clock.monotonicMs());
      return world.obey(sample) === undefined;
    },
  });
  let closed = false;
  let frozen = false;
  const window = () => {
    for (const sample of world.window()) arm.observe(sample);
  };
  window();
  const live = async () => {
    while (!closed) {
      if (!frozen) window();
      await clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const ended = live();
  return {
    arm,
    world,
    clock,
    sent,
    lasts,
    freeze: (is: boolean) => {
      frozen = is;
    },
    close: async () => {
      await arm.close();
      closed = true;
      await ended;
      world.close();
    },
  };
}

manipulatorConformance('the simulated arm', async () => {
  const { arm, close } = await made();
  return {
    arm,
    joints: ['joint_1', 'joint_6'],
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    close,
  };
});

describe('the simulated arm', () => {
  it('grasps: jaws that meet a cube have reached it, and keep it when the arm is stopped', async () => {
    const { arm, world, close } = await made();
    const { simWorld } = await import('../../daemon/compose/flywheel/sim-world.ts');
    const { simulation } = world;
    simulation.reset(sceneSeed('training', 3, 0));
    const expert = simWorld(simulation, 'pick_place').expert;
    // Over the cube and down to it, by the expert's own poses.
    const view = simWorld(simulation, 'pick_place');
    for (let i = 0; i < 100; i++) {
      const { phase, action } = expert.next(view.view());
      if (phase === 'grasp') break;
      const positions = Object.fromEntries(action.slice(0, 6).map((value, j) => [`joint_${j + 1}`, value]));
      await arm.followTrajectory([{ positions, timeFromStartMs: 100 }]);
    }
    const closed = await arm.gripper(0, 10);
    expect(closed.outcome).toBe('reached');
    expect(simulation.positions[6]!).toBeGreaterThan(0.035);
    const up = { positions: { joint_2: HOME[1]!, joint_3: HOME[2]! }, timeFromStartMs: 1_500 };
    expect((await arm.followTrajectory([up])).outcome).toBe('reached');
    await arm.stop('enough');
    expect(simulation.cube.position[2]).toBeGreaterThan(0.08);
    await close();
  });

  /** The fastest joint of the physics in the time after an answer, radians per second. */
  async function speedAfter(world: HostedArm, ms: number): Promise<number> {
    let fastest = 0;
    for (const until = world.time + BigInt(ms) * 1_000_000n; world.time < until; ) {
      fastest = Math.max(fastest, ...world.simulation.physics.velocities().map(Math.abs));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return fastest;
  }

  const SWING = [{ positions: { joint_1: 2.5, joint_2: 1, joint_5: 0 }, timeFromStartMs: 2_600 }];

  it.each([300, 500, 700, 900])('stands when a stop is answered, %i ms into a motion', async (ms) => {
    const { arm, world, close } = await made();
    const motion = arm.followTrajectory(SWING);
    expect(await speedAfter(world, ms)).toBeGreaterThan(0.5);
    await arm.stop('enough');
    expect(await speedAfter(world, 600)).toBeLessThan(0.02);
    expect((await motion).outcome).toBe('stopped');
    await close();
  });

  it('does not go on by joint states that waited while its cell was frozen', async () => {
    const { arm, world, clock, sent, freeze, close } = await made();
    const motion = arm.followTrajectory(SWING);
    await speedAfter(world, 500);
    freeze(true);
    await new Promise((resolve) => setImmediate(resolve));
    // The world goes on; what it says lies in the socket and is read before any timer fires.
    const waiting = Array.from({ length: 300 }, () => world.window()).flat();
    clock.skip(3_000);
    const before = sent.length;
    for (const sample of waiting) arm.observe(sample);
    expect(sent.length).toBe(before);
    expect((await motion).outcome).toBe('starved');
    freeze(false);
    await close();
  });

  it('sends set points that count no longer than any command', async () => {
    const { arm, lasts, close } = await made();
    await arm.gripper(0.02, 10);
    expect([...lasts]).toEqual([LIMITS.COMMAND_EXPIRY_MS]);
    await close();
  });

  it('stands when its motion is answered that an abort or another motion ended', async () => {
    const { arm, world, close } = await made();
    const ends = new AbortController();
    const motion = arm.followTrajectory(SWING, ends.signal);
    await speedAfter(world, 600);
    ends.abort('taken over');
    await motion;
    expect(await speedAfter(world, 600)).toBeLessThan(0.02);
    await close();
  });

  it('stands when a stop is answered although what moved it was not its own motion', async () => {
    const { arm, world, close } = await made();
    const goal = world.simulation.positions.slice();
    goal[0] = 2;
    world.simulation.command(goal);
    expect(await speedAfter(world, 250)).toBeGreaterThan(0.5);
    await arm.stop('enough');
    expect(await speedAfter(world, 600)).toBeLessThan(0.02);
    await close();
  });

  it('says when nobody saw it stand', async () => {
    const { arm, world, freeze, close } = await made();
    const motion = arm.followTrajectory(SWING);
    await speedAfter(world, 500);
    const stopped = arm.stop('enough');
    freeze(true);
    await expect(stopped).rejects.toMatchObject({
      code: 'robot.unreachable',
      message: expect.stringMatching(/standing still was not confirmed/),
    });
    expect((await motion).message).toBe('enough; standing still was not confirmed');
    freeze(false);
    await close();
  });

  it('settles a motion as starved when joint states fall silent', async () => {
    const { arm, freeze, close } = await made();
    const motion = arm.followTrajectory([{ positions: { joint_1: 1 }, timeFromStartMs: 5_000 }]);
    await new Promise((resolve) => setImmediate(resolve));
    freeze(true);
    expect(await motion).toMatchObject({ outcome: 'starved' });
    expect((await arm.state()).connected).toBe(false);
    await expect(arm.gripper(0, 1)).rejects.toMatchObject({ code: 'robot.unreachable' });
    freeze(false);
    await close();
  });

  it('refuses positions beyond the limits of its joints before it moves', async () => {
    const { arm, close } = await made();
    const far = arm.followTrajectory([{ positions: { joint_3: 2 }, timeFromStartMs: 500 }]);
    await expect(far).rejects.toMatchObject({ code: 'schema.invalid' });
    await close();
  });
});
