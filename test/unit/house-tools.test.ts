import { describe, expect, it } from 'vitest';
import {
  type AgentEvent,
  type ArmState,
  EdgeError,
  type Intent,
  METHODS,
  type MotionRequest,
  type NavigateGoal,
  type RobotState,
  type ToolScope,
} from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveLooking } from '../../daemon/execution/looking/serve-looking.ts';
import { scanSectors } from '../../daemon/runtime/tools/scan-summary.ts';
import { encodeImage, encodeLaserScan, IMAGE, LASER_SCAN } from '../../formats/cdr/index.ts';
import { FakeBus, serveRobot } from '../fakes/fake-bus.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { clipInfo, robotState } from '../support/bodies.ts';
import { makeHouse, PlainEncoder } from '../support/house.ts';

/** What a tool told, as a test looks into it. */
type Told = Record<string, unknown> & {
  readonly pose: { x: number; y: number };
  readonly rows: readonly unknown[][];
};

const INTENT = { policy_ctx: { tenant: 'lab', principal: 'ada' } } as unknown as Intent;

function rig(history?: (runId: string) => Iterable<AgentEvent>) {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const house = makeHouse(bus, clock, history);
  const ends = new AbortController();
  const scope: ToolScope = {
    runId: house.ids.next<string>(),
    callId: house.ids.next<string>(),
    intent: INTENT,
    clock,
    signal: ends.signal,
  };
  const call = async (name: string, args: Record<string, unknown> = {}) =>
    (await house.named(name).run(args, scope)).result as unknown as Told;
  const probe = (name: string, args: Record<string, unknown>) => house.named(name).probe!(args, scope);
  return { clock, bus, house, scope, ends, call, probe };
}

const scan = (ranges: readonly number[], range_min = 0.1, range_max = 5) => ({
  header: { stamp: 1n, frame_id: 'base_scan' },
  angle_min: 0,
  angle_max: 2 * Math.PI,
  angle_increment: (2 * Math.PI) / 8,
  time_increment: 0,
  scan_time: 0.1,
  range_min,
  range_max,
  ranges: Float32Array.from(ranges),
  intensities: new Float32Array(),
});

describe('robot.scan', () => {
  it('tells what is hit, what is clear and what is blind apart, by REP-117', () => {
    // Ahead 1 m, left clear, behind NaN, right too near to measure; the others as said.
    const ring = scanSectors(scan([1, 0, Infinity, 9, Number.NaN, 0.05, -Infinity, 4.5]), 8);
    expect(ring.map(({ view }) => view)).toEqual([
      'hit',
      'blind',
      'clear',
      'clear',
      'blind',
      'blind',
      'hit',
      'hit',
    ]);
    expect(ring[0]).toMatchObject({ bearing_rad: 0, nearest_m: 1, at_rad: 0 });
    expect(ring[6]).toMatchObject({ nearest_m: 0.1, bearing_rad: -1.571 });
    expect(ring[1]).toMatchObject({ nearest_m: null, at_rad: null });
  });

  it('has every bearing once, and half a circle of rays leaves the other half blind', () => {
    const half = { ...scan(Array(180).fill(2)), angle_min: -Math.PI / 2, angle_increment: Math.PI / 180 };
    const ring = scanSectors(half, 12);
    expect(ring.filter(({ view }) => view === 'blind')).toHaveLength(5);
    expect(new Set(ring.map(({ bearing_rad }) => bearing_rad)).size).toBe(12);
    for (const { bearing_rad } of ring) expect(Math.abs(bearing_rad)).toBeLessThan(Math.PI + 0.001);
  });

  it('summarizes the newest scan of the robot with its age', async () => {
    const { clock, bus, call } = rig();
    const samples = new SampleBus({ clock, ledger: new Ledger() });
    serveLooking(bus, samples, { clock, images: new PlainEncoder(), blobs: new MemoryBlobStore() });
    const bytes = encodeLaserScan(scan([1, 2, 3, 4, 2, 2, 0.5, 2]));
    samples.publish({ topic: '/scan', type: LASER_SCAN, stamp: 1n, received: 1_000_000_000n, bytes });
    samples.publish({ topic: '/odom', type: 'x/msg/Y', stamp: 1n, received: 1_250_000_000n, bytes });
    const result = await call('robot.scan', { sectors: 4 });
    expect(result).toMatchObject({
      topic: '/scan',
      frame: 'base_scan',
      nearest_m: 0.5,
      age_s: 0.25,
      blind_sectors: 0,
    });
    expect(result['sectors']).toHaveLength(4);
    await expect(call('robot.look')).rejects.toMatchObject({ code: 'robot.unreachable' });
    const image = {
      header: { stamp: 1n, frame_id: 'cam' },
      width: 2,
      height: 1,
      encoding: 'rgb8',
      bigEndian: false,
      step: 6,
    };
    const picture = encodeImage({ ...image, data: Uint8Array.from([1, 2, 3, 4, 5, 6]) });
    samples.publish({ topic: '/cam', type: IMAGE, stamp: 1n, received: 2_000_000_000n, bytes: picture });
    expect(await call('robot.look')).toMatchObject({
      topic: '/cam',
      encoding: 'rgb8',
      age_s: 0,
      frame: 'cam',
    });
  });
});

describe('motions', () => {
  it('go to the robot as they were asked for, and come back with their outcome', async () => {
    const { bus, call } = rig();
    const robot = new FakeRobot({ cells: 4 });
    serveRobot(bus, robot);
    const { pose } = await call('robot.state');
    expect(await call('robot.navigate', { x: pose.x, y: pose.y })).toMatchObject({ outcome: 'reached' });
    expect(await call('robot.maneuver', { kind: 'spin', angle_rad: 0.5 })).toMatchObject({
      outcome: 'reached',
    });
    await call('robot.stop', { reason: 'enough' });
    expect(robot.orders.at(-1)).toBe('stop enough');
    expect(await call('robot.map')).toMatchObject({ localised: true });
  });

  it('end at once when the run does', async () => {
    const { bus, house, scope, ends } = rig();
    bus.handle(METHODS.execution.armFollow, () => new Promise(() => {}));
    bus.handle(METHODS.execution.robotCancel, async () => {});
    const moving = house.named('arm.move').run({ joints: { a: 1 } }, scope);
    moving.catch(() => {});
    ends.abort();
    await Promise.resolve();
    expect(bus.asked).toContain(METHODS.execution.robotCancel);
  });
});

describe('what a cut left open is asked of the world', () => {
  const state = (more: Partial<RobotState>): RobotState => ({
    time: 5n,
    pose: { x: 1, y: 1, yaw: 0 },
    twist: { linear: 0, angular: 0 },
    battery: undefined,
    distance: 0,
    bumps: 0,
    motion: 'stopped',
    connected: true,
    signals: {},
    ...more,
  });

  it('a drive: arrived, or not, by where the robot stands', async () => {
    const { bus, probe } = rig();
    bus.handle(METHODS.execution.robotState, async () => state({}));
    expect((await probe('robot.navigate', { x: 1.1, y: 1 }))?.result).toMatchObject({ outcome: 'reached' });
    expect(await probe('robot.navigate', { x: 2, y: 1 })).toBeUndefined();
    expect(await probe('robot.navigate', { x: 1, y: 1, yaw: 1 })).toBeUndefined();
    expect((await probe('robot.navigate', { x: 1, y: 1, yaw: 6.2 }))?.result).toMatchObject({
      outcome: 'reached',
    });
  });

  it('a drive: waits until the robot stands and knows where it is, and says so when it never does', async () => {
    const { bus, clock, probe, ends } = rig();
    const states = [
      new EdgeError('cell.unavailable', { operation: 'x', subject: 'x' }),
      state({ connected: false }),
      state({ pose: undefined }),
      state({ motion: 'moving' }),
    ];
    bus.handle(METHODS.execution.robotState, async () => {
      const next = states.shift() ?? state({});
      if (next instanceof EdgeError) throw next;
      return next;
    });
    let settled = false;
    const first = probe('robot.navigate', { x: 1, y: 1 }).finally(() => {
      settled = true;
    });
    for (let i = 0; i < 20 && !settled; i++) await clock.advance(250);
    expect((await first)?.result).toMatchObject({ outcome: 'reached' });
    expect(states).toEqual([]);
    bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'x', message: 'gone' });
    const never = probe('robot.navigate', { x: 1, y: 1 });
    never.catch(() => {});
    await clock.advance(1_000);
    ends.abort();
    await expect(never).rejects.toMatchObject({ code: 'robot.unreachable', message: 'gone' });
  });

  it('an arm: by its joints; one that has no such joint cannot say', async () => {
    const { bus, clock, probe, ends } = rig();
    const reading = (position: number) => ({ position, velocity: undefined, effort: undefined });
    const arm: ArmState = {
      time: 1n,
      joints: { a: reading(1), b: reading(0) },
      motion: 'idle',
      connected: true,
    };
    bus.handle(METHODS.execution.armState, async () => arm);
    expect((await probe('arm.move', { joints: { a: 1.01 } }))?.result).toMatchObject({ outcome: 'reached' });
    expect(await probe('arm.move', { joints: { a: 1, b: 0.5 } })).toBeUndefined();
    const unknown = probe('arm.move', { joints: { c: 1 } });
    unknown.catch(() => {});
    await clock.advance(500);
    ends.abort();
    await expect(unknown).rejects.toMatchObject({ code: 'robot.unreachable' });
  });

  it('has a probe in exactly the tools that say so', () => {
    const { house } = rig();
    for (const { spec, probe } of house.tools)
      expect([spec.name, probe !== undefined]).toEqual([spec.name, spec.replay === 'probe']);
    const never = house.tools.filter(({ spec }) => spec.replay === 'never').map(({ spec }) => spec.name);
    expect(never).toEqual(['robot.maneuver', 'arm.gripper', 'controller.run', 'agent.permission']);
  });
});

describe('plan.step', () => {
  it('keeps a plan over calls and restarts, with what is overdue, and asks the robot whether a step is done', async () => {
    const told: AgentEvent[] = [];
    const { bus, clock, call, scope } = rig(() => told);
    let there = { x: 0, y: 0, yaw: 0 };
    const robot = async () => robotState({ pose: there, signals: { '/door': true } });
    bus.handle(METHODS.execution.robotState, robot);
    const step = async (args: Record<string, unknown>) => {
      const result = await call('plan.step', args);
      const call_id = `${told.length}`;
      told.push({
        kind: 'tool.called',
        run_id: scope.runId,
        payload: { tool: 'plan.step', call_id, args },
      } as unknown as AgentEvent);
      told.push({
        kind: 'tool.returned',
        run_id: scope.runId,
        payload: { tool: 'plan.step', call_id, ok: true, result },
      } as unknown as AgentEvent);
      return result;
    };
    await expect(step({ id: 'hall' })).rejects.toMatchObject({ code: 'schema.invalid' });
    await step({
      id: 'hall',
      subgoal: 'be in the hall',
      due_in_s: 60,
      success: { x: 5, y: 0, within_m: 0.5 },
    });
    await step({ id: 'door', subgoal: 'open the door', success: { signal: '/door', is: true } });
    await clock.advance(90_000);
    const late = await step({ id: 'hall', status: 'active' });
    expect(late['plan']).toMatchObject([
      { id: 'hall', subgoal: 'be in the hall', status: 'active', overdue: true, left_s: -30 },
      { id: 'door', status: 'pending' },
    ]);
    expect(await step({ id: 'hall', status: 'done' })).toMatchObject({
      step: { verified: false },
      warning: expect.stringContaining('does not hold'),
    });
    there = { x: 5.2, y: 0.1, yaw: 0 };
    expect(await step({ id: 'hall', status: 'done' })).toMatchObject({ step: { verified: true } });
    expect(await step({ id: 'door', status: 'done' })).toMatchObject({ step: { verified: true } });
    expect(await step({ id: 'nap', subgoal: 'rest', status: 'done' })).not.toHaveProperty('step.verified');
    bus.deaf.add(METHODS.execution.robotState);
    const deaf = step({ id: 'hall', status: 'done' });
    await clock.advance(10_000);
    expect(await deaf).not.toHaveProperty('step.verified');
  });
});

describe('the lake', () => {
  it('gives a model no more than its limits, and says that there was more', async () => {
    const { bus, call } = rig();
    const rows = Array.from({ length: 40 }, (_, i) => [i, 'x'.repeat(3_000), 12n, Number.NaN, null]);
    const asked: unknown[] = [];
    bus.handle(METHODS.memory.query, async (body) => {
      asked.push(body);
      return {
        columns: [{ name: 'a', type: 'BIGINT' }],
        rows,
        truncated: false,
        reason: '',
        bytes: 0,
        cut: 0,
      };
    });
    const result = await call('lake.query', { sql: 'SELECT 1' });
    expect(asked).toEqual([
      {
        ...{ sql: 'SELECT 1', limit: 50, timeoutMs: 15_000, bytes: 98_304, valueBytes: 8_000 },
        by: { tenant: expect.any(String), principal: expect.stringMatching(/^agent of ./) },
      },
    ]);
    expect(result['more']).toBe(true);
    expect(JSON.stringify(result).length).toBeLessThan(60_000);
    expect(result.rows[0]!.slice(2)).toEqual(['12', 'NaN', null]);
  });

  it('says how long a text was that the lake had cut', async () => {
    const { bus, call } = rig();
    const long = `${'x'.repeat(8_000)}… (200000000 bytes, cut)`;
    const answer = { columns: [], rows: [[long]], truncated: false, reason: '', bytes: 0, cut: 1 };
    bus.handle(METHODS.memory.query, async () => answer);
    const { rows } = await call('lake.query', { sql: 'SELECT 1' });
    expect(rows).toEqual([[`${'x'.repeat(2_000)}… (200000000 bytes, cut)`]]);
  });
});

describe('recorder.clip', () => {
  it('is the same clip when it is asked for again under its call', async () => {
    const { bus, call, scope } = rig();
    const asked: unknown[] = [];
    bus.handle(METHODS.execution.clipRecord, async (body) => {
      asked.push((body as { clipId: string }).clipId);
      return clipInfo();
    });
    await call('recorder.clip', { before_s: 5, after_s: 1 });
    await call('recorder.clip', { before_s: 5, after_s: 1 });
    expect(asked).toEqual([scope.callId, scope.callId]);
  });
});

describe('robot.navigate', () => {
  it('has a deadline that follows its own, and a goal that says what was asked', async () => {
    const { bus, house, scope } = rig();
    const goals: NavigateGoal[] = [];
    bus.handle(METHODS.execution.robotNavigate, async (body) => {
      goals.push((body as MotionRequest<NavigateGoal>).goal);
      return { outcome: 'reached', pose: undefined, distance: 0, durationMs: 1, time: 1n, message: '' };
    });
    const tool = house.named('robot.navigate');
    await tool.run({ x: 1, y: 2 }, scope);
    await tool.run({ x: 1, y: 2, yaw: 3, tolerance_m: 0.5, timeout_ms: 9_000 }, scope);
    expect(goals).toEqual([
      { pose: { x: 1, y: 2, yaw: 0 }, tolerance: 0.25, timeoutMs: 120_000 },
      { pose: { x: 1, y: 2, yaw: 3 }, tolerance: 0.5, timeoutMs: 9_000, alignYaw: true },
    ]);
    expect(tool.deadlineMs!({ x: 1, y: 2, timeout_ms: 9_000 })).toBe(9_000 * 4 + 5_000);
  });
});
