import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JointTarget, Manipulator } from '../../contract/index.ts';

export type ManipulatorFixture = {
  readonly arm: Manipulator;
  /** Two joints of the arm, both at 0 and free to move by 1 (radians or metres) within a second. */
  readonly joints: readonly [string, string];
  /** Lets a little of the arm's time pass. */
  turn(): Promise<void>;
  close(): Promise<void>;
};

/** What every Manipulator keeps. `make` gives an arm that rests. */
export function manipulatorConformance(name: string, make: () => Promise<ManipulatorFixture>): void {
  describe(`Manipulator: ${name}`, () => {
    let fixture: ManipulatorFixture;
    let arm: Manipulator;
    beforeEach(async () => {
      fixture = await make();
      arm = fixture.arm;
    });
    afterEach(() => fixture.close());

    const point = (timeFromStartMs: number, ...at: number[]): JointTarget => ({
      positions: Object.fromEntries(at.map((position, i) => [fixture.joints[i]!, position])),
      timeFromStartMs,
    });
    const at = async (joint: 0 | 1) => (await arm.state()).joints[fixture.joints[joint]]!.position;
    const underWay = async () => {
      for (let i = 0; i < 2_000; i++) {
        if (Math.abs(await at(0)) > 0.02) return;
        await fixture.turn();
      }
      throw new Error('the arm never began to move');
    };
    const rests = async () => {
      const before = await at(0);
      for (let i = 0; i < 20; i++) await fixture.turn();
      expect(Math.abs((await at(0)) - before)).toBeLessThan(0.005);
      expect((await arm.state()).motion).not.toBe('moving');
    };
    const LONG = () => [point(30_000, 1, 1)];

    it('tells its joints, and that they arrive', async () => {
      const state = await arm.state();
      expect(state).toMatchObject({ connected: true, motion: 'idle' });
      expect(Object.keys(state.joints)).toEqual(expect.arrayContaining([...fixture.joints]));
    });

    it('follows points to the last, a joint that a point leaves out stays', async () => {
      const result = await arm.followTrajectory([point(500, 0.4, 0.2), point(1_000, 0.6)]);
      expect(result).toMatchObject({ outcome: 'reached' });
      expect(result.durationMs).toBeGreaterThan(500);
      expect(await at(0)).toBeCloseTo(0.6, 1);
      expect(await at(1)).toBeCloseTo(0.2, 1);
      await rests();
    });

    it('refuses joints that it does not have, and times that do not grow, without moving', async () => {
      const alien = [{ positions: { no_such_joint: 1 }, timeFromStartMs: 500 }];
      const back = [point(500, 0.1), point(400, 0.2)];
      for (const points of [alien, back, []])
        await expect(arm.followTrajectory(points)).rejects.toMatchObject({ code: 'schema.invalid' });
      expect(await at(0)).toBeCloseTo(0, 2);
    });

    it('lets nobody begin whom its check refuses, from where the motion before it came to rest', async () => {
      const before = arm.followTrajectory(LONG());
      await underWay();
      const seen: number[] = [];
      const next = arm.followTrajectory(LONG(), undefined, (joints) => {
        seen.push(joints[fixture.joints[0]]!.position);
        throw new Error('not from there');
      });
      await expect(next).rejects.toThrow('not from there');
      expect((await before).outcome).toBe('preempted');
      expect(seen).toHaveLength(1);
      expect(seen[0]).toBeCloseTo(await at(0), 2);
      await rests();
    });

    it('ends a motion on abort, at rest, and begins none whose signal was aborted before', async () => {
      const abort = new AbortController();
      const motion = arm.followTrajectory(LONG(), abort.signal);
      await underWay();
      abort.abort('enough');
      expect((await motion).outcome).toBe('stopped');
      await rests();
      expect((await arm.followTrajectory(LONG(), AbortSignal.abort())).outcome).toBe('stopped');
      await rests();
    });

    it('lets a new motion pre-empt the old one, which settles first', async () => {
      const settled: string[] = [];
      const first = arm.followTrajectory(LONG()).then(({ outcome }) => settled.push(outcome));
      await underWay();
      const second = arm.gripper(0.05, 10).then(({ outcome }) => settled.push(outcome));
      await Promise.all([first, second]);
      expect(settled).toEqual(['preempted', 'reached']);
    });

    it('stops at any time, any number of times', async () => {
      await arm.stop('idle');
      const motion = arm.followTrajectory(LONG());
      await underWay();
      await Promise.all([arm.stop('first'), arm.stop('second')]);
      await rests();
      expect((await motion).outcome).toBe('stopped');
      await arm.stop('again');
      expect((await arm.followTrajectory([point(500, 0, 0)])).outcome).toBe('reached');
    });

    it('stops what waits for another motion to end as well: it does not begin behind the stop', async () => {
      const first = arm.followTrajectory(LONG());
      await underWay();
      const second = arm.followTrajectory(LONG());
      const third = arm.gripper(0.05, 10);
      await arm.stop('somebody is in the way');
      const outcomes = [await first, await second, await third].map(({ outcome }) => outcome);
      expect(outcomes).toEqual(['preempted', expect.stringMatching(/stopped|preempted/), 'stopped']);
      await rests();
      expect((await arm.followTrajectory([point(500, 0, 0)])).outcome).toBe('reached');
    });
  });
}
