import { afterEach, describe, expect, it } from 'vitest';
import { decodeFloat64MultiArray } from '../../formats/cdr/index.ts';
import { controllerSpec, inputSpec } from '../fakes/controller-spec.ts';
import { ControllersBench, joints } from '../support/controllers-bench.ts';

let bench: ControllersBench;
afterEach(() => bench.desk.close());

describe('controllers desk', () => {
  it('runs a controller: questions to the policy, commands to the robot, every step recorded with where it comes from', async () => {
    bench = new ControllersBench();
    await bench.run(20);
    expect(bench.desk.list()[0]).toMatchObject({ name: 'arm', state: 'idle', scheduling: 'other' });
    await bench.desk.begin(
      { controller: 'arm', task: 'pick', plan_step: 'step-3', motionId: 'motion-3' },
      'runtime',
    );
    await bench.run(500);
    expect(bench.policies.resets).toBe(1);
    expect(bench.policies.observed[0]!.observation).toMatchObject({
      task: 'pick',
      tensors: { 'observation.state': { shape: [1, 2], data: Float32Array.from([0.1, 0.2]) } },
    });
    expect(bench.sent.length).toBeGreaterThan(45);
    expect(bench.sent[0]).toMatchObject({ topic: '/commands', type: 'std_msgs/msg/Float64MultiArray' });
    expect([...decodeFloat64MultiArray(bench.sent[0]!.bytes)]).toHaveLength(2);
    const [first] = bench.actions;
    expect(bench.actions.length).toBe(bench.sent.length);
    expect(first).toMatchObject({
      controller: 'arm',
      kind: 'positions',
      names: ['a', 'b'],
      verdict: 'passed',
      chunk: 1,
      policy_hash: 'a'.repeat(64),
      plan_step: 'step-3',
      motion_id: 'motion-3',
      lease: 7,
    });
    // The observation behind it is one that was there, measured before the step.
    expect(BigInt(first!.observation_ns)).toBeGreaterThan(1_700_000_000_000_000_000n);
    expect(BigInt(first!.observation_ns)).toBeLessThanOrEqual(BigInt(first!.time_ns));
    expect(bench.desk.list()[0]).toMatchObject({ state: 'running', starved: 0, refused: 0, stale: {} });
  });

  it('tells the log when it begins and ends, and a summary each second', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm', seconds: 1.5 }, 'runtime');
    await bench.run(1_700);
    const states = bench.events.filter(({ kind }) => kind === 'controller.state');
    expect(states.map(({ payload }) => (payload as { state: string }).state)).toEqual(['running', 'timeout']);
    const chunks = bench.events
      .filter(({ kind }) => kind === 'control.chunk')
      .map(({ payload }) => payload as { steps: number });
    expect(chunks.length).toBeGreaterThanOrEqual(2);
    expect(chunks.reduce((sum, { steps }) => sum + steps, 0)).toBe(bench.actions.length);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'idle', reason: '1.5 s are over' });
  });

  it('begins again after its policy was taken away and came back while nothing ran', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    const stood = bench.desk.stop('arm', 'enough');
    await bench.run(200);
    await stood;
    bench.policies.renew();
    bench.sent.length = 0;
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    expect(bench.sent.length).toBeGreaterThan(10);
    expect(bench.policies.opened).toBe(2);
  });

  it('gives a policy that stays deaf 14 s to begin; one that wakes up later moves nothing', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    const woken = Promise.withResolvers<void>();
    bench.policies.resetting = () => woken.promise;
    const begun = bench.desk.begin({ controller: 'arm' }, 'runtime');
    const refused = expect(begun).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await bench.run(14_100);
    await refused;
    woken.resolve();
    await bench.run(500);
    expect(bench.sent).toEqual([]);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'idle', steps: 0 });
    // And it can be started again.
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    expect(bench.sent.length).toBeGreaterThan(10);
  });

  it('sends nothing any more from the moment on in which it is stopped or its lease is lost', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    const before = bench.sent.length;
    const stood = bench.desk.stop('arm', 'a person said so');
    await bench.run(200);
    await stood;
    expect(bench.sent.length).toBe(before);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'stopped', reason: 'a person said so' });
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    expect(bench.sent.length).toBeGreaterThan(before);
    const again = bench.sent.length;
    bench.loseLease('teleoperation takes the lease from policy');
    await bench.run(100);
    expect(bench.sent.length).toBe(again);
    expect(bench.desk.list()[0]!.reason).toBe('teleoperation takes the lease from policy');
  });

  it('ends where the thread finds that it may not move any more, although nobody told the cell', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    bench.forbidden = 'the lease was not renewed';
    await bench.run(30);
    const before = bench.sent.length;
    await bench.run(100);
    expect(bench.sent.length).toBe(before);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'stopped', reason: 'the lease was not renewed' });
  });

  it('is refused without the lease, under a name that nobody has, and beside one with its output', async () => {
    bench = new ControllersBench([controllerSpec(), controllerSpec({ name: 'other' })]);
    await bench.run(10);
    bench.leaseHeld = true;
    await expect(bench.desk.begin({ controller: 'arm' }, 'runtime')).rejects.toMatchObject({
      code: 'lease.held',
    });
    bench.leaseHeld = false;
    await expect(bench.desk.begin({ controller: 'leg' }, 'runtime')).rejects.toMatchObject({
      code: 'api.not_found',
      message: 'unknown controller leg; configured: arm, other',
    });
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    for (const controller of ['arm', 'other'])
      await expect(bench.desk.begin({ controller }, 'runtime')).rejects.toMatchObject({
        code: 'command.refused',
        message: 'arm is running and commands /commands',
      });
  });

  it('the same motion id is the same start', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    const order = { controller: 'arm', motionId: 'once' };
    await Promise.all([bench.desk.begin(order, 'runtime'), bench.desk.begin(order, 'runtime')]);
    await bench.desk.begin(order, 'runtime');
    expect(bench.policies.resets).toBe(1);
  });

  it('does not begin with a policy that takes or gives something else', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    const { description } = bench.policies;
    bench.policies.description = { ...description, output: [50, 3] };
    await expect(bench.desk.begin({ controller: 'arm' }, 'runtime')).rejects.toMatchObject({
      code: 'model.bad_observation',
      message: 'policy fake outputs 3 numbers per action, but the controller names 2: a, b',
    });
    bench.policies.description = { ...description, images: { 'observation.images.front': [8, 8, 3] } };
    await expect(bench.desk.begin({ controller: 'arm' }, 'runtime')).rejects.toMatchObject({
      message: 'policy fake needs the input observation.images.front; the controller has observation.state',
    });
    bench.policies.description = { ...description, actionNames: ['b', 'a'] };
    await expect(bench.desk.begin({ controller: 'arm' }, 'runtime')).rejects.toMatchObject({
      message: 'element 0 of an action is b in policy fake, but a in the controller',
    });
  });

  it('a policy killed in mid-chunk: starves within a period of its last action, and recovers when it is back', async () => {
    bench = new ControllersBench([controllerSpec({ horizon: 10, inferTimeoutMs: 200 })]);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(500);
    bench.policies.alive = false;
    await bench.run(1_000);
    expect(bench.desk.list()[0]).toMatchObject({
      state: 'starved',
      reason: 'the model or policy cannot be loaded',
    });
    const first = bench.actions.findIndex(({ verdict }) => verdict === 'starved');
    const gap = BigInt(bench.actions[first]!.time_ns) - BigInt(bench.actions[first - 1]!.time_ns);
    expect(Number(gap) / 1e6).toBeLessThanOrEqual(11);
    // Hold: where the last action was.
    expect(bench.actions.at(-1)!.applied).toEqual(bench.actions[first - 1]!.applied);
    bench.policies.alive = true;
    await bench.run(2_000);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'running', reason: '' });
    expect(bench.policies.opened).toBeGreaterThan(1);
  });

  it('a deaf policy is given up at its deadline and asked again', async () => {
    bench = new ControllersBench([controllerSpec({ horizon: 10, inferTimeoutMs: 100 })]);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    bench.policies.deaf = true;
    await bench.run(800);
    expect(bench.desk.list()[0]!.state).toBe('starved');
    bench.policies.deaf = false;
    await bench.run(1_500);
    expect(bench.desk.list()[0]!.state).toBe('running');
  });

  it('starves when an input stops coming or comes too old, and says which', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    bench.publishing = false;
    await bench.run(150);
    const view = bench.desk.list()[0]!;
    expect(view).toMatchObject({ state: 'starved', reason: 'input observation.state is too old' });
    expect(view.stale['observation.state']).toBeGreaterThan(100);
    // Samples that took a second to get here are not fresh because they arrive.
    for (let i = 0; i < 30; i++) {
      const now = bench.clock.now();
      bench.desk.observe(joints(now, [0, 0], now - 1_000_000_000n));
      await bench.run(5);
    }
    expect(bench.desk.list()[0]!.state).toBe('starved');
    bench.publishing = true;
    await bench.run(200);
    expect(bench.desk.list()[0]!.state).toBe('running');
  });

  it('joints that are not a number are never shown to a policy, nor taken for measured', async () => {
    bench = new ControllersBench([controllerSpec({ horizon: 10 })]);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    bench.publishing = false;
    const asked = bench.policies.observed.length;
    for (let i = 0; i < 100; i++) {
      bench.desk.observe(joints(bench.clock.now(), [Number.NaN, 0]));
      await bench.run(5);
    }
    expect(bench.policies.observed.length).toBe(asked);
    expect(bench.desk.list()[0]!.state).toBe('starved');
    for (const { applied } of bench.actions) expect(applied.every(Number.isFinite)).toBe(true);
  });

  it('records what was not sent as not applied: no robot, or a cell that is late', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    bench.connected = false;
    await bench.run(100);
    expect(bench.actions.at(-1)).toMatchObject({ verdict: 'refused', reason: 'not connected' });
    bench.connected = true;
    await bench.run(50);
    const before = bench.actions.length;
    const sent = bench.sent.length;
    // The main thread stands still while the control thread goes on.
    for (let i = 0; i < 50; i++) {
      bench.clock.skip(1);
      for (const turn of bench.turns) turn();
    }
    await bench.run(3);
    const late = bench.actions.slice(before);
    expect(late.filter(({ reason }) => reason.startsWith('superseded')).length).toBeGreaterThanOrEqual(3);
    expect(bench.sent.length - sent).toBeLessThanOrEqual(2);
  });

  it('a refusal of the gate is one receipt while it lasts, and each step of it is recorded', async () => {
    bench = new ControllersBench();
    bench.gate = {
      reset() {},
      apply: (asked) => ({ applied: asked.map(() => 0.5), verdict: 'refused', reason: 'position of b' }),
    };
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(300);
    const receipts = bench.events.filter(({ kind }) => kind === 'command.refused');
    expect(receipts).toHaveLength(1);
    expect(receipts[0]!.payload).toMatchObject({ source: 'arm', error: { message: 'position of b' } });
    expect(bench.actions.length).toBeGreaterThan(20);
    expect(bench.actions.at(-1)).toMatchObject({ verdict: 'refused', applied: [0.5, 0.5] });
  });

  it('a chunk of NaN is refused with a receipt and never applied', async () => {
    bench = new ControllersBench([controllerSpec({ horizon: 5 })]);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    bench.policies.make = () => Number.NaN;
    await bench.run(500);
    expect(bench.events).toContainEqual(
      expect.objectContaining({
        kind: 'command.refused',
        payload: expect.objectContaining({
          error: expect.objectContaining({ message: 'an action chunk with a number that is not finite' }),
        }),
      }),
    );
    for (const { applied } of bench.actions) expect(applied.every(Number.isFinite)).toBe(true);
    expect(bench.desk.list()[0]!.state).toBe('starved');
  });

  it('a thread that dies is started anew; what ran has failed, and can be started again', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    bench.killThread('it ended with code 1');
    expect(bench.desk.list()[0]).toMatchObject({ state: 'failed' });
    await expect(bench.desk.begin({ controller: 'arm' }, 'runtime')).rejects.toMatchObject({
      code: 'cell.restarted',
    });
    await bench.run(300);
    expect(bench.spawned).toBe(2);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(200);
    expect(bench.desk.list()[0]!.state).toBe('running');
  });

  it('a thread that takes no step any more is given up', async () => {
    bench = new ControllersBench();
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(100);
    bench.turns.length = 0;
    await bench.run(4_500);
    expect(bench.spawned).toBeGreaterThanOrEqual(2);
    expect(bench.desk.list()[0]!.state).toBe('failed');
  });

  it('gives a policy that takes it the actions that will be executed meanwhile', async () => {
    bench = new ControllersBench();
    bench.policies.description = { ...bench.policies.description, takesPrefix: true };
    bench.policies.delayMs = 100;
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.run(2_000);
    expect(bench.policies.observed[0]!.options?.prefix).toBeUndefined();
    const prefix = bench.policies.observed.at(-1)!.options?.prefix;
    expect(prefix?.shape).toEqual([6, 2]);
  });

  it('several controllers run side by side, each at its own rate', async () => {
    const fast = controllerSpec({
      name: 'fast',
      rateHz: 500,
      output: { ...controllerSpec().output, topic: '/fast' },
    });
    bench = new ControllersBench([controllerSpec({ rateHz: 50, inputs: [inputSpec()] }), fast]);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    await bench.desk.begin({ controller: 'fast' }, 'runtime');
    await bench.run(1_000);
    const steps = (name: string) => bench.actions.filter(({ controller }) => controller === name).length;
    expect(steps('arm')).toBeGreaterThanOrEqual(48);
    expect(steps('arm')).toBeLessThanOrEqual(51);
    expect(steps('fast')).toBeGreaterThanOrEqual(480);
    expect(steps('fast')).toBeLessThanOrEqual(501);
  });
});
