import { describe, expect, it } from 'vitest';
import type { MotionResult } from '../../contract/index.ts';
import { CORE_DEFAULTS, ControlCore } from '../../daemon/execution/control/control-core.ts';
import { CONTROL_DEFAULTS } from '../../daemon/execution/control/control-loop.ts';
import { DRIVE_LIMITS } from '../../daemon/execution/control/drive-limits.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { SafetyWatch, SafetyWord } from '../../daemon/execution/safety/safety-word.ts';
import { FlatWorld, type Wall } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const HALL: Wall[] = [
  [0, 0, 8, 0],
  [0, 0, 0, 2],
  [8, 0, 8, 2],
  [0, 2, 8, 2],
];
const HZ = 20;
const TTL_MS = 1_000;
const GOAL = { pose: { x: 6, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 };

/** A control thread that is told nothing but what is in the shared word. */
class Rig {
  readonly world = new FlatWorld({ walls: HALL, start: { x: 0.6, y: 1, yaw: 0 }, seed: 3 });
  readonly word = new SafetyWord();
  readonly clock = new ManualClock();
  readonly core: ControlCore;
  readonly stopped: string[] = [];
  /** The main thread is alive. */
  renews = true;

  /** `waits`: the world waits for the main thread, as an embedded simulation does. */
  constructor(waits = false) {
    this.core = new ControlCore(
      new PursuitPolicy(),
      this.clock,
      { ...CORE_DEFAULTS, control: { ...CONTROL_DEFAULTS, lockstep: true } },
      new SafetyWatch(this.word.buffer, this.clock, waits),
    );
  }

  async step(): Promise<number> {
    this.clock.skip(1_000 / HZ);
    if (this.renews) this.word.renew();
    for (const sample of this.world.advance()) this.core.onSample(sample);
    const { command, receipts } = await this.core.tick(this.world.time);
    if (command) this.world.command = command;
    for (const receipt of receipts) if (receipt.kind === 'safety.stopped') this.stopped.push(receipt.reason);
    return command?.linear ?? 0;
  }

  async run(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * HZ; i++) await this.step();
  }
}

async function driving(waits = false): Promise<{ rig: Rig; motion: Promise<MotionResult>; speed: number }> {
  const rig = new Rig(waits);
  await rig.run(1);
  rig.word.grant(7, TTL_MS);
  const motion = rig.core.navigate('m', GOAL, 7);
  await rig.run(2);
  const speed = await rig.step();
  expect(speed).toBeGreaterThan(0.2);
  return { rig, motion, speed };
}

describe('a control thread', () => {
  it.each([
    ['the emergency stop', 'emergency stop', (rig: Rig) => rig.word.stop(true)],
    ['the end of its lease', 'the lease was lost', (rig: Rig) => rig.word.revoke()],
    ['another holder', 'the lease was lost', (rig: Rig) => rig.word.grant(8, TTL_MS)],
  ])('obeys %s in its very next step', async (_, reason, happen) => {
    const { rig, motion, speed } = await driving();
    happen(rig);
    expect(await rig.step()).toBeLessThanOrEqual(speed - DRIVE_LIMITS.linearDecel / HZ + 1e-6);
    expect(rig.stopped).toEqual([reason]);
    await rig.run(2);
    expect(rig.world.twist.linear).toBeCloseTo(0, 2);
    expect(await motion).toMatchObject({ outcome: 'stopped', message: reason });
    expect(rig.stopped).toEqual([reason]);
  });

  it('stops by itself when the main thread hangs and renews nothing', async () => {
    const { rig, motion } = await driving();
    rig.renews = false;
    await rig.run(0.9);
    expect(rig.world.twist.linear).toBeGreaterThan(0.2);
    await rig.run(2);
    expect(await motion).toMatchObject({ outcome: 'stopped', message: 'the lease was not renewed' });
  });

  it('of a world that waits goes on where a stall of the host left it, and obeys all the same', async () => {
    const [stalled, prompt] = [await driving(true), await driving(true)];
    stalled.rig.renews = false;
    for (let i = 0; i < HZ; i++) {
      stalled.rig.clock.skip(10 * TTL_MS);
      expect(await stalled.rig.step()).toBe(await prompt.rig.step());
    }
    expect(stalled.rig.stopped).toEqual([]);
    stalled.rig.word.revoke();
    await stalled.rig.run(2);
    expect(await stalled.motion).toMatchObject({ outcome: 'stopped', message: 'the lease was lost' });
  });

  it('begins nothing under a lease that is gone, nor under none', async () => {
    const rig = new Rig();
    await rig.run(1);
    for (const lease of [0, 7]) {
      const motion = rig.core.navigate(`m${lease}`, GOAL, lease);
      const from = rig.world.twist.linear;
      await rig.run(1);
      expect((await motion).outcome).toBe('stopped');
      expect(Math.abs(rig.world.twist.linear - from)).toBeLessThan(0.01);
    }
  });
});

describe('a person who steers', () => {
  async function steered() {
    const rig = new Rig();
    await rig.run(1);
    rig.word.grant(9, TTL_MS);
    return rig;
  }

  it('drives through the gate for as long as he says so', async () => {
    const rig = await steered();
    for (let i = 0; i < 20; i++) {
      rig.core.steer({ linear: 5, angular: 0 }, 9, rig.clock.monotonicMs());
      expect(await rig.step()).toBeLessThanOrEqual(DRIVE_LIMITS.linearMax);
    }
    expect(rig.world.twist.linear).toBeGreaterThan(0.3);
    expect(rig.core.state().motion).toBe('moving');
    expect(rig.core.holding).toBe(false);
    // He lets go.
    await rig.run(1.5);
    expect(rig.world.twist.linear).toBeCloseTo(0, 2);
    expect(rig.core.state().motion).toBe('idle');
  });

  it('does not reach the wall, and drives nothing with somebody else’s lease or under the emergency stop', async () => {
    const rig = await steered();
    for (let i = 0; i < 30 * HZ; i++) {
      rig.core.steer({ linear: 0.4, angular: 0 }, 9, rig.clock.monotonicMs());
      await rig.step();
    }
    expect(rig.world.contacts).toBe(0);
    expect(rig.world.twist.linear).toBeCloseTo(0, 2);
    const stop = () => {
      rig.word.grant(9, TTL_MS);
      rig.word.stop(true);
    };
    for (const happen of [() => rig.word.grant(10, TTL_MS), stop]) {
      happen();
      for (let i = 0; i < HZ; i++) {
        rig.core.steer({ linear: 0, angular: 1 }, 9, rig.clock.monotonicMs());
        await rig.step();
      }
      expect(rig.world.twist.angular).toBeCloseTo(0, 2);
    }
  });
});
