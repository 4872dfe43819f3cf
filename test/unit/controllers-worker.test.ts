import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { AppliedAction, ControllerView, MotionResult, NewEvent, Sample } from '../../contract/core.ts';
import { makeControllers } from '../../daemon/compose/controllers.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Actuation } from '../../daemon/execution/actuation.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { RobotSink, TopicClasses } from '../../daemon/execution/door/index.ts';
import { type JointGateSpec, SafetyWord } from '../../daemon/execution/safety/index.ts';
import { CdrReader, decodeFloat64MultiArray, encodeJointState } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FakePolicyDesk } from '../fakes/fake-policy-desk.ts';
import { doorOf } from '../support/door-rig.ts';

const CONFIG = `
[[controllers]]
name = "arm"
rate = "100 Hz"
output = "/forward_position_controller/commands"
joints = ["a", "b"]
inputs = [{ name = "observation.state", topic = "/joint_states", joints = ["a", "b"], age_max = "30 s" }]
state_age_max = "30 s"
`;

const limits = (name: string) => ({
  name,
  lower: -2,
  upper: 2,
  velocity: 1,
  acceleration: 10,
  jerk: 100,
  effort: Infinity,
});
const gate: JointGateSpec = {
  joints: [limits('a'), limits('b')],
  ...{ frame: 'base_link', mode: 'clamp', rateMax: 500, gapSeconds: 1 },
};

const clock = new SystemClock();

/** The thread as it is composed, with the real gate, beside a robot and a policy of this test. */
function rig(gateSpec: () => JointGateSpec | undefined = () => gate) {
  const policies = new FakePolicyDesk(clock);
  const { config, faults } = readConfig(CONFIG, 'robot.toml', {});
  expect(faults).toEqual([]);
  const bus = new SampleBus({ clock, ledger: new Ledger() });
  const cellBus = new FakeBus(clock);
  const sent: Sample[] = [];
  const actions: AppliedAction[] = [];
  const events: NewEvent[] = [];
  const word = new SafetyWord();
  bus.tap('test', (sample) => {
    if (sample.topic === '/auraison/actions/arm')
      actions.push(JSON.parse(new CdrReader(sample.bytes, sample.type).string()) as AppliedAction);
  });
  const actuation = {
    async move(
      _id: string,
      _from: string,
      start: (signal: AbortSignal, lease: number) => Promise<MotionResult>,
    ) {
      word.grant(1, 60_000);
      return start(new AbortController().signal, 1);
    },
    note: (event: NewEvent) => events.push(event),
    news: { ordered: () => {}, check: () => {} },
  } as unknown as Actuation;
  const controllers = makeControllers(
    { config, dataDir: '' } as Parameters<typeof makeControllers>[0],
    { clock, bus: cellBus, report: () => {} } as unknown as Parameters<typeof makeControllers>[1],
    {
      policies: { desk: policies as never },
      ...{ bus, word, heard: [] },
      path: doorOf({ clock, topics: new TopicClasses({ obeys: [config.controllers[0]!.output] }) }).path(
        new RobotSink({
          advertise: async () => {},
          offer: (sample) => sent.push(sample) > 0,
          close: async () => {},
        }),
        { kind: 'controller', name: '' },
      ),
      gateSpec,
      actuation: () => actuation,
    },
  );
  controllers.start();
  const see = () => {
    const stamp = clock.now();
    const none = new Float64Array(0);
    const bytes = encodeJointState({
      header: { stamp, frame_id: '' },
      ...{ name: ['b', 'a'], position: Float64Array.of(0.2, 0.1), velocity: none, effort: none },
    });
    bus.publish({
      topic: '/joint_states',
      type: 'sensor_msgs/msg/JointState',
      stamp,
      received: stamp,
      bytes,
    });
  };
  return { controllers, policies, cellBus, sent, actions, events, word, see };
}

const pauseMs = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));

async function until(what: () => boolean): Promise<void> {
  const end = clock.monotonicMs() + 60_000;
  while (!what() && clock.monotonicMs() < end) await pauseMs(5);
  expect(what()).toBe(true);
}

describe('the thread of the controllers', () => {
  let r: ReturnType<typeof rig>;
  afterEach(() => r.controllers.close());

  const start = async () => {
    r.see();
    return r.cellBus.request<ControllerView>('execution', 'controller.start', {
      controller: 'arm',
      task: 'x',
    });
  };
  const list = () => r.cellBus.request<ControllerView[]>('execution', 'controller.list', {});

  it('steps by its own clock through the real gate, from where the joints were measured', async () => {
    r = rig();
    r.policies.make = () => 1.5;
    expect(await start()).toMatchObject({ name: 'arm', state: 'running' });
    await until(() => r.actions.length > 30);
    const values = r.sent.map(({ bytes }) => [...decodeFloat64MultiArray(bytes)]);
    // Joints by name, whatever order they came in; never faster than 1 rad/s.
    expect(values[0]![0]).toBeGreaterThanOrEqual(0.1);
    expect(values[0]![0]).toBeLessThan(0.15);
    expect(values[0]![1]).toBeGreaterThanOrEqual(0.2);
    expect(values.at(-1)![0]!).toBeGreaterThan(values[0]![0]!);
    expect(r.actions.some(({ verdict, reason }) => verdict === 'limited' && reason !== '')).toBe(true);
    expect(r.actions.every(({ lease }) => lease === 1)).toBe(true);
    const [view] = await list();
    expect(view!.late_p99_ms).toBeGreaterThanOrEqual(0);
    expect(['fifo', 'other', 'unknown']).toContain(view!.scheduling);
  });

  it('moves nothing any more when the stop word is set, whatever the main thread does', async () => {
    r = rig();
    r.policies.make = () => 1.5;
    await start();
    await until(() => r.actions.length > 10);
    r.word.stop(true);
    // A step that was under way, and what lies there to be sent.
    await pauseMs(100);
    const before = r.sent.length;
    await pauseMs(200);
    expect(r.sent.length).toBe(before);
  });

  it('moves nothing any more when the lease is another one', async () => {
    r = rig();
    r.policies.make = () => 1.5;
    await start();
    await until(() => r.sent.length > 10);
    const seeing = clock.every(20, () => r.see());
    r.word.grant(2, 60_000);
    const isOver = () => r.events.some((e) => e.kind === 'controller.state' && e.payload.state === 'stopped');
    await until(isOver);
    seeing.cancel();
    const sent = r.sent.length;
    await pauseMs(200);
    expect(r.sent.length).toBe(sent);
  });

  it('is refused where nobody gave limits', async () => {
    r = rig(() => undefined);
    await expect(start()).rejects.toMatchObject({
      code: 'config.invalid',
      message: 'no limits are configured for a, b',
    });
  });

  it('stops on request, and the next start begins from where the joints are then', async () => {
    r = rig();
    r.policies.make = () => 1;
    await start();
    await until(() => r.actions.length > 50);
    const seeing = clock.every(20, () => r.see());
    await r.cellBus.request('execution', 'controller.stop', { controller: 'arm', reason: 'enough' });
    seeing.cancel();
    const before = r.sent.length;
    expect((await list())[0]).toMatchObject({ state: 'stopped', reason: 'enough' });
    await start();
    await until(() => r.sent.length > before);
    expect(decodeFloat64MultiArray(r.sent[before]!.bytes)[0]).toBeLessThan(0.15);
  });

  it.each([
    [{ controller: '' }, '/controller'],
    [{ controller: 'arm', seconds: 0 }, '/seconds'],
    [{ controller: 'arm', seconds: Number.NaN }, '/seconds'],
    [{ controller: 'arm', speed: 9 }, '/speed'],
    [['arm'], '/'],
  ])('refuses %j', async (body, subject) => {
    r = rig();
    const asked = r.cellBus.request('execution', 'controller.start', body);
    await expect(asked).rejects.toMatchObject({ code: 'schema.invalid', subject });
  });
});
