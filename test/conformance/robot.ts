import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MotionResult, Pose2d, Robot } from '../../contract/index.ts';

export type RobotFixture = {
  readonly robot: Robot;
  /** A free place half a metre to a few metres away, in `map`. */
  readonly near: Pose2d;
  /** A free place that takes so long to reach that a motion can be ended on the way. */
  readonly far: Pose2d;
  /** A place inside a wall or behind walls: no way leads there. */
  readonly blocked: Pose2d;
  /** Lets a little of the robot's time pass. */
  turn(): Promise<void>;
  close(): Promise<void>;
};

const GOAL = { tolerance: 0.25, timeoutMs: 120_000 };
const ENDED = ['stopped', 'preempted'];

/** What every Robot keeps, real or not. `make` gives a robot that stands, localised, with a map. */
export function robotConformance(name: string, make: () => Promise<RobotFixture>): void {
  describe(`Robot: ${name}`, () => {
    let fixture: RobotFixture;
    let robot: Robot;

    beforeEach(async () => {
      fixture = await make();
      robot = fixture.robot;
    });
    afterEach(() => fixture.close());

    const stands = async () => {
      const { twist, motion } = await robot.state();
      expect(motion).not.toBe('moving');
      expect(Math.abs(twist.linear)).toBeLessThan(0.02);
      expect(Math.abs(twist.angular)).toBeLessThan(0.1);
    };
    const underWay = async () => {
      for (let i = 0; i < 2_000; i++) {
        if ((await robot.state()).motion === 'moving') return;
        await fixture.turn();
      }
      throw new Error('the robot never began to move');
    };
    const apart = (a: Pose2d, b: Pose2d) => Math.hypot(a.x - b.x, a.y - b.y);

    it('says where it is, in finite numbers', async () => {
      const state = await robot.state();
      expect(state.connected).toBe(true);
      expect([state.pose?.x, state.pose?.y, state.pose?.yaw].every(Number.isFinite)).toBe(true);
      expect(state.distance).toBeGreaterThanOrEqual(0);
      expect(state.signals).toBeTypeOf('object');
    });

    it('gives a map whose cells are as many as it says, and free where the robot stands', async () => {
      const map = (await robot.map())!;
      const { pose } = await robot.state();
      expect(map.cells.length).toBe(map.width * map.height);
      const column = Math.floor((pose!.x - map.origin.x) / map.resolution);
      const row = Math.floor((pose!.y - map.origin.y) / map.resolution);
      expect(map.cells[row * map.width + column]).toBeGreaterThanOrEqual(0);
      expect(map.cells[row * map.width + column]).toBeLessThan(65);
    });

    it('reaches a place within its tolerance, and stands when it says so', async () => {
      const before = await robot.state();
      const result = await robot.navigate({ ...GOAL, pose: fixture.near });
      expect(result.outcome).toBe('reached');
      expect(apart(result.pose!, fixture.near)).toBeLessThanOrEqual(GOAL.tolerance + 0.05);
      expect(result.distance).toBeGreaterThan(0);
      expect(result.time).toBeGreaterThan(before.time);
      expect(result.durationMs).toBeGreaterThan(0);
      await stands();
    });

    it('says so when no way leads to a place, and stands', async () => {
      const result = await robot.navigate({ ...GOAL, pose: fixture.blocked });
      expect(['no_path', 'stuck', 'timeout']).toContain(result.outcome);
      await stands();
    });

    it('gives up when the robot time of a motion is over, and stands', async () => {
      const result = await robot.navigate({ ...GOAL, pose: fixture.far, timeoutMs: 1_000 });
      expect(result.outcome).toBe('timeout');
      await stands();
    });

    it('ends a motion on abort, standing', async () => {
      const abort = new AbortController();
      const motion = robot.navigate({ ...GOAL, pose: fixture.far }, abort.signal);
      await underWay();
      abort.abort();
      expect(ENDED).toContain((await motion).outcome);
      await stands();
    });

    it('does not begin a motion whose signal was aborted before', async () => {
      const before = (await robot.state()).pose!;
      const result = await robot.navigate({ ...GOAL, pose: fixture.far }, AbortSignal.abort());
      expect(ENDED).toContain(result.outcome);
      expect(apart(before, (await robot.state()).pose!)).toBeLessThan(0.05);
      await stands();
    });

    it('lets a new motion pre-empt the old one, which settles first', async () => {
      const settled: string[] = [];
      const note = (which: string) => (result: MotionResult) => {
        settled.push(which);
        return result;
      };
      const first = robot.navigate({ ...GOAL, pose: fixture.far }).then(note('first'));
      await underWay();
      const second = robot.maneuver({ kind: 'spin', angle: 0.5 }).then(note('second'));
      expect((await first).outcome).toBe('preempted');
      expect((await second).outcome).toBe('reached');
      expect(settled).toEqual(['first', 'second']);
      await stands();
    });

    it('stops at any time, any number of times', async () => {
      await robot.stop('idle');
      const motion = robot.navigate({ ...GOAL, pose: fixture.far });
      await underWay();
      await Promise.all([robot.stop('first'), robot.stop('second')]);
      await stands();
      expect((await motion).outcome).toBe('stopped');
      await robot.stop('again');
      expect((await robot.maneuver({ kind: 'spin', angle: 0.3 })).outcome).toBe('reached');
    });

    it('stops what waits for another motion to end as well: it does not begin behind the stop', async () => {
      const first = robot.navigate({ ...GOAL, pose: fixture.far });
      await underWay();
      const second = robot.navigate({ ...GOAL, pose: fixture.far });
      const third = robot.maneuver({ kind: 'drive', distance: 0.3 });
      await robot.stop('somebody is in the way');
      expect(ENDED).toContain((await first).outcome);
      expect(ENDED).toContain((await second).outcome);
      expect((await third).outcome).toBe('stopped');
      await stands();
      const { distance } = await robot.state();
      for (let i = 0; i < 20; i++) await fixture.turn();
      expect((await robot.state()).distance - distance).toBeLessThan(0.05);
      expect((await robot.maneuver({ kind: 'spin', angle: 0.3 })).outcome).toBe('reached');
    });

    it('turns by an angle and drives by a distance', async () => {
      const from = (await robot.state()).pose!;
      expect((await robot.maneuver({ kind: 'spin', angle: 0.8 })).outcome).toBe('reached');
      const turned = (await robot.state()).pose!;
      expect(Math.abs(wrap(turned.yaw - from.yaw - 0.8))).toBeLessThan(0.2);
      const result = await robot.maneuver({ kind: 'drive', distance: 0.15 });
      expect(result.outcome).toBe('reached');
      expect(Math.abs(apart(turned, result.pose!) - 0.15)).toBeLessThan(0.06);
      await stands();
    });

    it('waits for as long as it is told, by its own time', async () => {
      const result = await robot.maneuver({ kind: 'wait', durationMs: 500 });
      expect(result.outcome).toBe('reached');
      expect(result.durationMs).toBeGreaterThanOrEqual(450);
      expect(result.distance).toBeLessThan(0.05);
    });

    it('aligns with the heading of a goal where that is asked', async () => {
      const yaw = 1;
      const result = await robot.navigate({ ...GOAL, pose: { ...fixture.near, yaw }, alignYaw: true });
      expect(result.outcome).toBe('reached');
      expect(Math.abs(wrap(result.pose!.yaw - yaw))).toBeLessThan(0.2);
    });
  });
}

function wrap(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
