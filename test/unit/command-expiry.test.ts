import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { RosSession } from '../../adapters/ros/host/session.ts';
import type { Vendor } from '../../adapters/ros/host/vendor.ts';
import {
  checkFresh,
  DEFAULT_QOS,
  FreezeWatch,
  IdSource,
  type LeaseView,
  LIMITS,
  METHODS,
  type MotionResult,
} from '../../contract/index.ts';
import { Steering } from '../../daemon/execution/control/steering.ts';
import { withMotion } from '../../daemon/execution/robot-requests.ts';
import { RobotProxy } from '../../daemon/runtime/robot/robot-proxy.ts';
import { encodeTwist, TWIST } from '../../formats/cdr/index.ts';
import { decodeSample, sampleFrameHead } from '../../formats/sample-frame.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { startRig } from '../support/http-rig.ts';
import { endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
const REACHED: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 1, time: 1n, message: '' },
};
const twist = (linear: number) =>
  Buffer.from(encodeTwist({ linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } }));
afterEach(endRigs);

describe('a command counts from when it was made', () => {
  it.each([
    [0, true],
    [LIMITS.COMMAND_EXPIRY_MS, true],
    [LIMITS.COMMAND_EXPIRY_MS + 1, false],
    [86_400_000, false],
    // Of another boot of the host.
    [-86_400_000, false],
  ])('made %d ms ago: taken is %s', (ageMs, taken) => {
    const check = () => checkFresh('drive', 'robot', 1e9 - ageMs, 1e9);
    if (taken) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: 'command.expired', retryable: true }));
  });

  it.each([undefined, null, '5', Number.NaN])('without a time (%s) it counts not at all', (madeAtMs) => {
    expect(() => checkFresh('drive', 'robot', madeAtMs, 5)).toThrow(
      expect.objectContaining({ code: 'command.expired' }),
    );
  });

  it('a hand’s command that waited in a frozen cell moves nothing, and the next one does', async () => {
    const rig = new Rig();
    const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, {
      ...{ role: 'teleoperation', holder: 'vera', ttlMs: 3_000 },
    });
    const command = { leaseId, twist: { linear: 0.3, angular: 0 } };
    for (const lateMs of [301, 660, 1_460, 60_000]) {
      rig.bus.lateMs = lateMs;
      await expect(rig.ask(execution.teleopCommand, command)).rejects.toMatchObject({
        code: 'command.expired',
      });
    }
    expect(rig.steered).toEqual([]);
    rig.bus.lateMs = 0;
    await rig.ask(execution.teleopCommand, command);
    expect(rig.steered).toEqual([[0.3, 0, leaseId]]);
  });

  it('what came late, but in time, lasts the shorter', () => {
    let nowMs = 1_000;
    const steering = new Steering(() => nowMs);
    const may = () => true;
    // Made 200 ms ago: it has 100 ms left, although robot time has not moved.
    steering.put({ linear: 1, angular: 0 }, 1, 0n, nowMs - 200);
    nowMs += 100;
    expect(steering.at(0n, may)).toBeDefined();
    nowMs += 1;
    expect(steering.at(0n, may)).toBeUndefined();
  });
});

describe('the start of a motion', () => {
  const clock = new ManualClock();

  it('is dropped when the request lay in a frozen process', async () => {
    let begun = 0;
    const begin = async () => {
      begun += 1;
      return REACHED;
    };
    const ask = async (ageMs: number) =>
      withMotion(
        'maneuver',
        { motionId: 'm', goal: { kind: 'drive', distance: 1 } },
        { madeAtMs: clock.monotonicMs() - ageMs, clock },
        begin,
      );
    await expect(ask(LIMITS.MOTION_EXPIRY_MS + 1)).rejects.toMatchObject({ code: 'command.expired' });
    expect(begun).toBe(0);
    await ask(0);
    expect(begun).toBe(1);
  });

  it('is asked for again by a run that still wants it, a few times', async () => {
    const bus = new FakeBus(clock);
    let asked = 0;
    bus.handle(execution.robotManeuver, (body, _from, madeAtMs) =>
      withMotion('maneuver', body, { madeAtMs, clock }, async () => REACHED),
    );
    const robot = new RobotProxy(
      bus,
      clock,
      new IdSource(
        () => 1,
        (length: number) => new Uint8Array(length),
      ),
    );
    const inner = bus.request.bind(bus);
    bus.request = ((...args: Parameters<FakeBus['request']>) => {
      asked += 1;
      if (asked === 3) bus.lateMs = 0;
      return inner(...args);
    }) as FakeBus['request'];
    bus.lateMs = 5_000;
    expect((await robot.maneuver({ kind: 'wait', durationMs: 1 })).outcome).toBe('reached');
    expect(asked).toBe(3);
    asked = 10;
    bus.lateMs = 5_000;
    await expect(robot.maneuver({ kind: 'wait', durationMs: 1 })).rejects.toMatchObject({
      code: 'command.expired',
    });
    expect(asked).toBe(13);
  });
});

describe('a thread that was frozen', () => {
  it('knows for how long, once, and nothing of ordinary lateness', async () => {
    const clock = new ManualClock();
    const thaws: number[] = [];
    const watch = new FreezeWatch(clock, (ms) => thaws.push(ms));
    watch.start();
    await clock.advance(10_000);
    clock.skip(900);
    await clock.advance(1_000);
    expect(thaws).toEqual([]);
    clock.skip(5_000);
    await clock.advance(1_000);
    expect(thaws).toHaveLength(1);
    expect(thaws[0]).toBeGreaterThanOrEqual(4_900);
    watch.close();
    clock.skip(5_000);
    await clock.advance(1_000);
    expect(thaws).toHaveLength(1);
  });

  it('the execution cell ends what moved by its word, and no lease of a person', async () => {
    const rig = new Rig();
    const motion = rig.move();
    await new Promise((resolve) => setImmediate(resolve));
    rig.actuation.frozen(2_000);
    expect((await motion).outcome).toBe('stopped');
    expect(rig.stops).toEqual(['the execution cell was suspended for 2000 ms']);
    const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, {
      ...{ role: 'teleoperation', holder: 'vera', ttlMs: 3_000 },
    });
    rig.actuation.frozen(2_000);
    expect(rig.actuation.lease.holds(leaseId!)).toBe(true);
  });

  it('the API takes no command of a hand right behind a freeze: it may have lain in a socket', async () => {
    const clock = new ManualClock();
    const rig = await startRig({}, { clock });
    const steered: unknown[] = [];
    rig.answers.set(execution.teleopCommand, async (body) => void steered.push(body));
    const command = { lease_id: 1, twist: { linear: 0.1, angular: 0 } };
    try {
      expect((await rig.post('/v1/teleop', command)).status).toBe(200);
      await clock.advance(1_000);
      clock.skip(5_000);
      await clock.advance(1);
      const answer = await rig.post('/v1/teleop', command);
      expect(answer.status).toBe(409);
      expect(await answer.json()).toMatchObject({ code: 'command.expired' });
      expect(steered).toHaveLength(1);
      await clock.advance(LIMITS.COMMAND_EXPIRY_MS + 1);
      expect((await rig.post('/v1/teleop', command)).status).toBe(200);
    } finally {
      await rig.stop();
    }
  });
});

describe('what carries a command to a robot', () => {
  it('takes its expiry along', () => {
    const sample = { topic: '/cmd_vel', type: TWIST, stamp: 1n, received: 2n, bytes: twist(1) };
    const back = (one: Parameters<typeof sampleFrameHead>[0]) =>
      decodeSample(Buffer.concat([sampleFrameHead(one), one.bytes]).subarray(5));
    expect(back(sample)).toEqual({ ...sample, bytes: expect.anything() });
    expect(back({ ...sample, expiresAtMs: 1234.5 }).expiresAtMs).toBe(1234.5);
  });

  it('the ROS host drops what came too late, says how much, and lets every stop pass', () => {
    const clock = new ManualClock();
    const published: Buffer[] = [];
    const notices: string[] = [];
    const publisher = { publish: (bytes: Buffer) => void published.push(bytes), subscriptionCount: 1 };
    const node = { createPublisher: () => publisher, syncHandles: () => {} };
    const rcl = { QoS: class {}, require: () => ({}) };
    const vendor = { rcl, events: {} } as unknown as Vendor;
    const outlet = {
      notice: (notice: { kind: string; message?: string }) => void notices.push(notice.message ?? ''),
      sample: () => true,
    };
    const start = { node: 'edge', namespace: '', useSimTime: false, native: true };
    // As much of an installation as the host looks at.
    const prefix = mkdtempSync(join(tmpdir(), 'ament-'));
    mkdirSync(join(prefix, 'share/geometry_msgs/msg'), { recursive: true });
    writeFileSync(join(prefix, 'share/geometry_msgs/msg/Twist.msg'), '');
    const before = process.env['AMENT_PREFIX_PATH'];
    process.env['AMENT_PREFIX_PATH'] = prefix;
    onTestFinished(() => {
      if (before === undefined) delete process.env['AMENT_PREFIX_PATH'];
      else process.env['AMENT_PREFIX_PATH'] = before;
      rmSync(prefix, { recursive: true });
    });
    const session = new RosSession(vendor, node as never, clock, outlet as never, start);
    const spec = { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS };
    const stop = twist(0);
    const guard = { stop: stop.toString('base64'), expiryMs: 300, standby: false, bounded: false };
    session.advertise({ kind: 'advertise', id: 1, channel: 3, spec, guard });
    clock.skip(1_000);
    session.publish(3, twist(0.4), clock.monotonicMs() + 10);
    expect(published).toHaveLength(1);
    session.publish(3, twist(0.5), clock.monotonicMs() - 1);
    session.publish(3, twist(0.5), clock.monotonicMs() - 700);
    expect(published).toHaveLength(1);
    session.publish(3, stop);
    expect(published).toHaveLength(2);
    session.tick();
    expect(notices).toContain('2 commands came too late and were dropped');
  });
});
