import { afterEach, describe, expect, it } from 'vitest';
import type { ControllerView, TopicSpec } from '../../contract/core.ts';
import { makeControllers } from '../../daemon/compose/controllers.ts';
import { readConfig } from '../../daemon/config.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { SpeedGate } from '../../daemon/execution/controllers/speed-gate.ts';
import { SafetyWord } from '../../daemon/execution/safety/index.ts';
import { decodeFloat64MultiArray } from '../../formats/cdr/index.ts';
import { controllerSpec, inputSpec } from '../fakes/controller-spec.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { ControllersBench, joints } from '../support/controllers-bench.ts';

let bench: ControllersBench;
afterEach(() => bench.desk.close());

describe('controllers in the field', () => {
  it('what is stopped while it is still being started does not begin', async () => {
    const advertised = Promise.withResolvers<void>();
    bench = new ControllersBench([controllerSpec()], { advertise: () => advertised.promise });
    await bench.run(20);
    const started = bench.desk.begin({ controller: 'arm' }, 'runtime');
    const outcome = started.catch((error: unknown) => error);
    await bench.run(5);
    bench.desk.stop(undefined, 'robot.stop');
    advertised.resolve();
    await bench.run(200);
    expect(await outcome).toMatchObject({
      code: 'command.refused',
      message: expect.stringMatching(/robot.stop/),
    });
    expect(bench.sent).toEqual([]);
    expect(bench.desk.isMoving()).toBe(false);
    // What is asked for afterwards begins.
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    expect(bench.sent.length).toBeGreaterThan(0);
  });

  it('starves, and says so, when the joints are not measured any more, although the policy is shown nothing of them', async () => {
    const picture = inputSpec({ topic: '/other', ageMaxMs: 100 });
    bench = new ControllersBench([controllerSpec({ inputs: [picture] })]);
    const show = () => bench.desk.observe({ ...joints(bench.clock.now()), topic: '/other' });
    for (let i = 0; i < 60; i++) {
      show();
      await bench.run(5);
      if (i === 3) await bench.desk.begin({ controller: 'arm' }, 'runtime');
    }
    expect(bench.desk.list()[0]).toMatchObject({ state: 'running', stale: {} });
    // The driver of the arm is gone; the camera is not.
    bench.publishing = false;
    for (let i = 0; i < 40; i++) {
      show();
      await bench.run(5);
    }
    const [view] = bench.desk.list();
    expect(view).toMatchObject({ state: 'starved', reason: 'input joints is too old' });
    expect(view!.stale['joints']).toBeGreaterThan(100);
    const last = bench.policies.observed.length;
    await bench.run(50);
    expect(bench.policies.observed.length).toBe(last);
  });

  it('a policy that came in place of another one with its joints in another order moves nothing', async () => {
    bench = new ControllersBench();
    const { description } = bench.policies;
    bench.policies.description = { ...description, actionNames: ['a', 'b'] };
    await bench.run(20);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    expect(bench.desk.list()[0]!.state).toBe('running');
    const hash = 'b'.repeat(64);
    bench.policies.description = { ...description, hash, actionNames: ['b', 'a'] };
    await bench.run(3_000);
    expect(bench.actions.some(({ policy_hash }) => policy_hash === hash)).toBe(false);
    expect(bench.desk.list()[0]).toMatchObject({
      state: 'starved',
      reason: expect.stringMatching(/element 0 of an action is b/),
    });
  });

  it('a robot that does not take commands for a while is not told to leap where they would have led', async () => {
    bench = new ControllersBench();
    let at = 0;
    let began = true;
    // As the joint gate: from where the joints are measured on, 1 rad/s.
    bench.gate = {
      reset: () => {
        began = false;
      },
      apply: (_asked, dt, measured) => {
        if (!began) at = measured.positions[0]!;
        began = true;
        at += dt;
        return { applied: Float64Array.of(at, 0), verdict: 'passed', reason: '' };
      },
    };
    await bench.run(20);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    const before = bench.sent.length;
    expect(before).toBeGreaterThan(10);
    bench.connected = false;
    await bench.run(2_000);
    bench.connected = true;
    await bench.run(30);
    // It is measured at 0.1 all the while.
    expect(decodeFloat64MultiArray(bench.sent[before]!.bytes)[0]).toBeLessThan(0.15);
  });

  it('joints that were driven by velocity are told to stand until somebody takes it, for a while', async () => {
    const advertised: TopicSpec[] = [];
    const output = { topic: '/speeds', kind: 'velocities', stamped: false, names: ['a', 'b'] } as const;
    bench = new ControllersBench([controllerSpec({ output })], {
      advertise: async (topic) => void advertised.push(topic),
    });
    await bench.run(20);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    // Who carries the commands has to know that they are speeds, and of how many joints.
    expect(advertised).toMatchObject([{ topic: '/speeds', speeds: 2 }]);
    await bench.run(300);
    expect([...decodeFloat64MultiArray(bench.sent.at(-1)!.bytes)]).not.toEqual([0, 0]);
    bench.connected = false;
    bench.desk.stop('arm', 'robot.stop');
    await bench.run(200);
    const before = bench.sent.length;
    bench.connected = true;
    await bench.run(2_000);
    const after = bench.sent.slice(before).map(({ bytes }) => [...decodeFloat64MultiArray(bytes)]);
    expect(after).toEqual([[0, 0]]);
    // A robot that is away for good is not waited for.
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    bench.connected = false;
    bench.desk.stop('arm', 'robot.stop');
    await bench.run(5_000);
    const later = bench.sent.length;
    bench.connected = true;
    await bench.run(2_000);
    expect(bench.sent.length).toBe(later);
  });

  it('a gate that refuses every other step writes an event a second, not fifty', async () => {
    bench = new ControllersBench();
    let steps = 0;
    bench.gate = {
      reset() {},
      apply: (asked) =>
        steps++ % 2 === 0
          ? { applied: asked, verdict: 'refused', reason: 'not a number of a' }
          : { applied: asked, verdict: 'passed', reason: '' },
    };
    await bench.run(20);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(3_000);
    const told = bench.events.filter(({ kind }) => kind === 'command.refused').length;
    expect(told).toBeGreaterThanOrEqual(2);
    expect(told).toBeLessThanOrEqual(4);
  });

  it('joints that are driven by velocity stop before the limits of their positions, and where they are not measured', () => {
    const gate = new SpeedGate({ most: [1], changeMax: [4], within: [{ lower: -0.5, upper: 1 }] });
    const measured = { positions: Float64Array.of(0), efforts: Float64Array.of(Number.NaN), known: true };
    for (const [asked, limit] of [
      [1, 1],
      [-1, -0.5],
    ] as const) {
      let bit = false;
      for (let i = 0; i < 500; i++) {
        const { applied, reason } = gate.apply(Float64Array.of(asked), 0.01, measured);
        bit ||= reason === 'position';
        measured.positions[0]! += applied[0]! * 0.01;
        expect(measured.positions[0]).toBeLessThanOrEqual(1);
        expect(measured.positions[0]).toBeGreaterThanOrEqual(-0.5);
      }
      expect(bit).toBe(true);
      expect(measured.positions[0]).toBeCloseTo(limit, 2);
    }
    measured.positions[0] = 0;
    for (let i = 0; i < 20; i++) gate.apply(Float64Array.of(0.3), 0.01, measured);
    measured.known = false;
    const answers = Array.from({ length: 20 }, () => {
      const { applied, verdict } = gate.apply(Float64Array.of(0.3), 0.01, measured);
      return { speed: applied[0], verdict };
    });
    expect(answers[0]!.verdict).toBe('refused');
    expect(answers.at(-1)!.speed).toBe(0);
  });

  it('an action that is to last for an hour is none', async () => {
    bench = new ControllersBench();
    bench.policies.description = { ...bench.policies.description, stepMs: 3_600_000 };
    await bench.run(20);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(500);
    expect(bench.sent).toEqual([]);
  });
});

describe('what controllers take for measured', () => {
  it.each([
    [true, 'robot', true],
    [true, 'zenoh', true],
    // A recording that is played beside the robot tells where its joints were.
    [true, 'local', false],
    // Where there is no robot, it is all there is.
    [false, 'local', true],
  ] as const)('with a robot: %s, from %s: %s', async (hasRobot, origin, fresh) => {
    const clock = new ManualClock();
    const bus = new SampleBus({ clock, ledger: new Ledger() });
    const cellBus = new FakeBus(clock);
    const { config } = readConfig(
      `[[controllers]]
      name = "arm"
      output = "/commands"
      joints = ["a", "b"]
      inputs = [{ name = "observation.state", topic = "/joint_states", age_max = "30 s" }]`,
      'robot.toml',
      {},
    );
    const controllers = makeControllers(
      { config, dataDir: '' } as Parameters<typeof makeControllers>[0],
      { clock, bus: cellBus, report: () => {} } as unknown as Parameters<typeof makeControllers>[1],
      {
        ...{ bus, hasRobot, word: new SafetyWord(), path: undefined, heard: [] },
        ...{ policies: { desk: {} as never }, gateSpec: () => undefined, actuation: () => ({}) as never },
      },
    );
    bus.publish(joints(clock.now()), origin);
    const [view] = await cellBus.request<ControllerView[]>('execution', 'controller.list', {});
    expect(Object.keys(view!.stale).includes('observation.state')).toBe(!fresh);
    await controllers.close();
  });
});
