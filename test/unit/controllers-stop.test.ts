import { afterEach, describe, expect, it } from 'vitest';
import { METHODS, type Sample } from '../../contract/core.ts';
import { serveControllers } from '../../daemon/execution/controllers/controller-requests.ts';
import { SpeedGate } from '../../daemon/execution/controllers/speed-gate.ts';
import { makeJointGate } from '../../daemon/execution/safety/index.ts';
import {
  decodeFloat64MultiArray,
  decodeTwist,
  encodeOdometry,
  ODOMETRY,
  quaternionOfYaw,
} from '../../formats/cdr/index.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ControllersBench, joints } from '../support/controllers-bench.ts';

let bench: ControllersBench;
afterEach(() => bench.desk.close());

const BASE = { topic: '/cmd_vel', kind: 'twist', stamped: false, names: ['v', 'w'] } as const;
const speeds = () => bench.sent.map(({ bytes }) => decodeTwist(bytes).linear.x);

function odometry(time: bigint, x: number): Sample {
  const none = new Float64Array(36);
  const zero = { x: 0, y: 0, z: 0 };
  const bytes = encodeOdometry({
    header: { stamp: time, frame_id: 'odom' },
    child_frame_id: 'base_link',
    pose: { pose: { position: { ...zero, x }, orientation: quaternionOfYaw(0) }, covariance: none },
    twist: { twist: { linear: zero, angular: zero }, covariance: none },
  });
  return { topic: '/odom', type: ODOMETRY, stamp: time, received: time, bytes };
}

describe('a controller that is stopped', () => {
  it('a base comes to rest within its limits, and the stop is answered when odometry says that it stands', async () => {
    bench = new ControllersBench([controllerSpec({ output: BASE, state: '' })]);
    bench.gate = new SpeedGate({ most: [0.5, 1], changeMax: [1, 1] });
    bench.policies.make = () => 0.3;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(1_000);
    expect(speeds().at(-1)).toBeCloseTo(0.3, 5);
    const first = bench.sent.length;
    let answer = '';
    bench.desk.stop(undefined, 'stop').then(
      () => (answer = 'stands'),
      (error: unknown) => (answer = String(error)),
    );
    let x = 0;
    const roll = async (ms: number, speed: number) => {
      for (let i = 0; i < ms; i += 10) {
        x += speed * 0.01;
        bench.desk.observe(odometry(bench.clock.now(), x));
        await bench.run(10);
      }
    };
    // It rolls on a little after its last command.
    await roll(400, 0.1);
    const told = speeds().slice(first - 1);
    for (const [i, speed] of told.slice(1).entries())
      expect(told[i]! - speed).toBeLessThanOrEqual(0.01 + 1e-9);
    expect(told.at(-1)).toBe(0);
    expect(answer).toBe('');
    await roll(200, 0);
    expect(answer).toBe('stands');
    expect(speeds().at(-1)).toBe(0);
  });

  it('a base that nobody sees stand is told to, and the stop says that it was not confirmed', async () => {
    bench = new ControllersBench([controllerSpec({ output: BASE, state: '' })]);
    bench.gate = new SpeedGate({ most: [0.5, 1], changeMax: [1, 1] });
    bench.policies.make = () => 0.3;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    const stood = bench.desk.stop(undefined, 'stop');
    const refused = expect(stood).rejects.toMatchObject({
      code: 'robot.unreachable',
      message: 'arm: standing still was not confirmed within 3000 ms',
    });
    await bench.run(3_100);
    await refused;
    expect(speeds().at(-1)).toBe(0);
    expect(bench.events.filter(({ kind }) => kind === 'controller.state').at(-1)).toMatchObject({
      payload: { state: 'stopped', reason: 'stop; standing still was not confirmed' },
    });
  });

  it('a thread that hangs keeps no base from standing', async () => {
    bench = new ControllersBench([controllerSpec({ output: BASE, state: '' })]);
    bench.gate = new SpeedGate({ most: [0.5, 1], changeMax: [1, 1] });
    bench.policies.make = () => 0.3;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    bench.turns.length = 0;
    bench.desk.stop(undefined, 'stop').catch(() => {});
    await bench.run(200);
    expect(speeds().at(-1)).toBe(0);
  });

  it('a thread that was frozen moves nothing when it goes on, and says why', async () => {
    bench = new ControllersBench([controllerSpec({ output: BASE, state: '' })]);
    bench.gate = new SpeedGate({ most: [0.5, 1], changeMax: [1, 1] });
    bench.policies.make = () => 0.3;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(1_000);
    expect(speeds().at(-1)).toBeCloseTo(0.3, 5);
    // Shorter than the time after which the cell takes a silent thread for dead.
    const turns = bench.turns.splice(0);
    await bench.run(1_300);
    bench.turns.push(...turns);
    const before = bench.sent.length;
    await bench.run(2_000);
    expect(speeds().slice(before).filter(Boolean)).toEqual([]);
    expect(bench.desk.list()[0]).toMatchObject({
      state: 'stopped',
      reason: expect.stringContaining('was suspended for 1'),
    });
  });

  it('by the emergency stop a base is told to stand in the same turn', async () => {
    let isStopped = false;
    bench = new ControllersBench([controllerSpec({ output: BASE, state: '' })], {
      isStopped: () => isStopped,
    });
    bench.gate = new SpeedGate({ most: [0.5, 1], changeMax: [1, 1] });
    bench.policies.make = () => 0.3;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    isStopped = true;
    bench.desk.stop(undefined, 'emergency stop').catch(() => {});
    expect(decodeTwist(bench.sent.at(-1)!.bytes)).toMatchObject({ linear: { x: 0 }, angular: { z: 0 } });
    const before = bench.sent.length;
    await bench.run(300);
    expect(bench.sent.length).toBe(before);
  });

  it('joints come to rest on the way of their gate; the stop is answered when they are measured to stand', async () => {
    bench = new ControllersBench();
    const limits = { lower: -2, upper: 2, velocity: 1, acceleration: 2, jerk: 20, effort: Infinity };
    const gate = makeJointGate({
      joints: ['a', 'b'].map((name) => ({ name, ...limits })),
      ...{ frame: 'base_link', mode: 'clamp', rateMax: 500, gapSeconds: 1 },
    });
    bench.gate = {
      reset: () => gate.reset(),
      halt: (dt) => gate.halt(dt),
      get atRest() {
        return gate.atRest;
      },
      apply: (asked, dt, measured) => gate.apply(asked, dt, measured.known ? measured : undefined),
    };
    bench.policies.make = () => 1.9;
    bench.publishing = false;
    // The arm follows what it is told, a little behind.
    const follow = async (ms: number) => {
      for (let i = 0; i < ms; i += 5) {
        const told = bench.sent.at(-5);
        bench.desk.observe(
          joints(bench.clock.now(), told ? [...decodeFloat64MultiArray(told.bytes)] : [0, 0]),
        );
        await bench.run(5);
      }
    };
    await follow(50);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await follow(800);
    const first = bench.sent.length;
    let stands = false;
    void bench.desk.stop('arm', 'enough').then(() => (stands = true));
    expect(bench.desk.list()[0]).toMatchObject({ state: 'stopped', reason: 'enough' });
    await follow(20);
    expect(stands).toBe(false);
    await follow(1_200);
    const way = bench.sent.slice(first - 2).map(({ bytes }) => decodeFloat64MultiArray(bytes)[0]!);
    const steps = way.slice(1).map((value, i) => (value - way[i]!) / 0.01);
    expect(steps[0]).toBeGreaterThan(0.5);
    for (const [i, speed] of steps.slice(1).entries())
      expect(Math.abs(speed - steps[i]!)).toBeLessThanOrEqual(2 * 0.01 + 1e-6);
    expect(steps.at(-1)).toBeCloseTo(0, 3);
    expect(stands).toBe(true);
  });
});

it('a controller that a person stopped names that person in its event and its answer', async () => {
  bench = new ControllersBench([controllerSpec()]);
  const bus = new FakeBus(bench.clock);
  serveControllers(bus, bench.desk);
  const stop = (body: object) =>
    bus.request<{ reason: string }[]>('execution', METHODS.execution.controllerStop, body, 60_000);
  await bench.run(10);
  await bench.desk.begin({ controller: 'arm' }, 'runtime');
  await bench.run(500);
  const stopped = stop({ controller: 'arm', reason: 'enough', by: 'alice' });
  // Who asks while it is braking ends nothing.
  const again = stop({ controller: 'arm', reason: 'enough', by: 'bob' });
  await bench.run(1_000);
  await again;
  expect((await stopped)[0]).toMatchObject({ reason: 'enough (by alice)' });
  const last = bench.events.filter(({ kind }) => kind === 'controller.state').at(-1);
  expect(last).toMatchObject({ payload: { state: 'stopped', reason: 'enough (by alice)', by: 'alice' } });
  // The next run ends without a person: nobody is named.
  await bench.desk.begin({ controller: 'arm', seconds: 0.2 }, 'runtime');
  await bench.run(1_500);
  const after = bench.events.filter(({ kind }) => kind === 'controller.state').at(-1)!;
  expect(after.payload).toMatchObject({ reason: '0.2 s are over' });
  expect(after.payload).not.toHaveProperty('by');
});

describe('the stop of one motion of a controller', () => {
  const begin = (motionId: string) => bench.desk.begin({ controller: 'arm', motionId }, 'runtime');

  it('ends that motion, and no other one that runs by now', async () => {
    bench = new ControllersBench([controllerSpec()]);
    await bench.run(10);
    await begin('first');
    await bench.run(500);
    const first = bench.desk.stop('arm', 'the call that started it is over', { motionId: 'first' });
    await bench.run(1_000);
    await first;
    expect(bench.desk.isMoving()).toBe(false);
    await begin('second');
    await bench.run(500);
    // The word of the first one comes late, or comes again.
    await bench.desk.stop('arm', 'the call that started it is over', { motionId: 'first' });
    expect(bench.desk.list()[0]!.state).toBe('running');
    const second = bench.desk.stop('arm', 'enough', { motionId: 'second' });
    await bench.run(1_000);
    await second;
    expect(bench.desk.isMoving()).toBe(false);
  });

  it('ends one that is being started', async () => {
    bench = new ControllersBench([controllerSpec()]);
    await bench.run(10);
    const started = begin('first').catch((error: unknown) => error);
    await bench.desk.stop('arm', 'the call that started it is over', { motionId: 'first' });
    await bench.run(500);
    expect(await started).toMatchObject({
      code: 'command.refused',
      message: expect.stringContaining('stopped before it started: the call that started it is over'),
    });
    expect(bench.desk.isMoving()).toBe(false);
  });
});
