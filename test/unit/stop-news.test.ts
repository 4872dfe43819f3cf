import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type CellContext,
  type Manipulator,
  METHODS,
  type Robot,
  type RosApi,
  type Sample,
  type StopNews,
  TOPICS,
} from '../../contract/index.ts';
import { ArmService } from '../../daemon/execution/arm-service.ts';
import { serveBags } from '../../daemon/execution/bag-requests.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveControllers } from '../../daemon/execution/controllers/controller-requests.ts';
import { type DoorCalls, holdLease } from '../../daemon/execution/door/index.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import { BOOL, CdrWriter } from '../../formats/cdr/index.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { ControllersBench } from '../support/controllers-bench.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

const pressed: Sample = (() => {
  const writer = new CdrWriter(8);
  writer.bool(true);
  return { ...{ topic: '/emergency_stop', type: BOOL, stamp: 1n, received: 1n }, bytes: writer.finish() };
})();

/** An execution cell with a base, an arm and a server of ROS goals, and the news that it sends. */
async function cell() {
  const dir = disk();
  const rig = new Rig(dir);
  const news: StopNews[] = [];
  const tell = rig.bus.broadcast;
  rig.bus.broadcast = (topic, body) => {
    if (topic === TOPICS.robotStopped) news.push(body as StopNews);
    else tell.call(rig.bus, topic, body);
  };
  const context = {
    clock: rig.clock,
    bus: rig.bus,
    report: () => {},
    emit: async () => {},
  } as unknown as CellContext;
  const started: string[] = [];
  const begin = (name: string) => async () => {
    started.push(name);
    return {
      outcome: 'reached',
      pose: undefined,
      distance: 0,
      durationMs: 0,
      time: 0n,
      message: '',
    } as const;
  };
  const robot = { navigate: begin('navigate'), maneuver: begin('maneuver') } as unknown as Robot;
  const { actuation } = rig;
  new RobotService(context, { robot, actuation, connected: () => true, charge: () => undefined }).register();
  const arm = {
    gripper: begin('gripper'),
    followTrajectory: begin('follow'),
    state: async () => ({ joints: {}, connected: true }),
    stop: async () => {},
  } as unknown as Manipulator;
  new ArmService(context, arm, actuation).register();
  const actions = {
    send: async () => {
      started.push('goal');
      return { goalId: 'a'.repeat(32), result: Promise.resolve({ status: 'succeeded', result: {} }) };
    },
  };
  const done = (what: string) => async () => {
    started.push(what);
    return {} as never;
  };
  const setUp = {
    services: { call: done('service') },
    parameters: { set: done('parameters') },
    lifecycle: {
      change: async () => {
        started.push('transition');
        return 'active';
      },
    },
  };
  const play = {
    ...{ play_id: '4', path: '/bag', to: 'bus', state: 'playing', messages: 1, published: 1 },
    ...{ position_s: 1, duration_s: 1, rate: 1, loops: 0, withheld: [], reason: '' },
  };
  const control = () => {
    started.push('play');
    return play;
  };
  const player = { drives: () => false, control };
  serveBags(
    context,
    player as never,
    () => {},
    (...order) => actuation.news.check(...order),
  );
  serveRos(context, {
    api: { actions, ...setUp } as unknown as RosApi,
    qosEvents: () => [],
    bus: new SampleBus({ clock: rig.clock, ledger: new Ledger() }),
    calls: { goal: () => 'moves', call: () => {} } as unknown as DoorCalls,
    wanted: (...order) => actuation.news.check(...order),
    hold: (from, wantedAtMs) => holdLease(actuation, `goal ${started.length}`, from, 'ros-goals', wantedAtMs),
  });
  const fabric = new MemoryFabric();
  await rig.desk.ways.attach(new MemoryKeySpace(rig.clock, fabric));
  const space = new MemoryKeySpace(rig.clock, fabric);
  return { rig, dir, news, started, space };
}

type Cell = Awaited<ReturnType<typeof cell>>;

/** Every way to stop the robot, as it reaches the execution cell. */
const WAYS: Readonly<Record<string, (made: Cell) => unknown>> = {
  'the API': ({ rig }) => rig.ask(execution.robotStop, { reason: 'x', by: 'ada' }),
  'the tool of an agent': ({ rig }) =>
    rig.ask(execution.robotStop, { reason: 'x', role: 'agent', agentOf: 'r' }),
  'a stop of the arm': ({ rig }) => rig.ask(execution.armStop, { reason: 'x' }),
  'the emergency stop': ({ rig }) => rig.ask(execution.estopEngage, { source: 'api', by: 'ada' }),
  'a ROS topic': ({ rig }) => rig.desk.observe(pressed),
  'a Zenoh key': ({ space }) => space.put('r1/estop', new TextEncoder().encode('stop')),
  'the stop file': ({ dir }) => writeFileSync(join(dir, 'estop'), 'smoke'),
};
/** What moves the robot, as a caller asks for it. */
const SET_UP = ['service', 'parameters', 'transition', 'play'];
const MOTIONS: readonly (readonly [method: string, body: object])[] = [
  [
    execution.robotNavigate,
    { motionId: 'a', goal: { pose: { x: 1, y: 0, yaw: 0 }, tolerance: 0.1, timeoutMs: 1_000 } },
  ],
  [execution.robotManeuver, { motionId: 'b', goal: { kind: 'wait', durationMs: 10 } }],
  [execution.armGripper, { motionId: 'c', goal: { opening: 0.01, effort: 5 } }],
  [execution.rosGoalSend, { action: '/a', type: 'a_msgs/action/A', goal: {}, timeoutMs: 1_000 }],
  // They set a node up, which may move then.
  [execution.rosCall, { service: '/a', type: 'a_msgs/srv/A', request: {}, timeoutMs: 1_000 }],
  [execution.rosParams, { node: '/a', set: { v: { kind: 'double', value: 1 } }, timeoutMs: 1_000 }],
  [execution.rosLifecycle, { node: '/a', transition: 'activate', timeoutMs: 1_000 }],
  [execution.bagPlayControl, { id: '4', action: 'resume' }],
  [execution.leaseTake, { role: 'teleoperation', holder: 'ada' }],
];

describe('a stop of the robot', () => {
  it.each(Object.keys(WAYS))(
    'is news when it comes by %s, and nothing starts that was wanted before',
    async (way) => {
      const made = await cell();
      const { rig, news, started } = made;
      const before = rig.clock.monotonicMs();
      await rig.clock.advance(5);
      await WAYS[way]!(made);
      for (let i = 0; i < 100 && news.length === 0; i++) {
        await rig.clock.advance(10);
        await turn();
      }
      expect(news.length).toBeGreaterThan(0);
      expect(news[0]!.atMs).toBeGreaterThan(before);
      // Released by a person: nothing starts by it.
      if (rig.desk.latch.engaged) {
        if (way === 'the stop file') rmSync(join(made.dir, 'estop'));
        await rig.clock.advance(2_000);
        await rig.ask(execution.estopRelease, { source: 'api', by: 'ada' });
      }
      for (const [method, body] of MOTIONS) {
        const late = rig.bus.request('execution', method, body, 5_000, before);
        await expect(late, method).rejects.toMatchObject({ code: 'robot.preempted' });
      }
      expect(started).toEqual([]);
      await rig.clock.advance(1);
      for (const [method, body] of MOTIONS) {
        await rig.ask(method, body);
        await turn();
      }
      expect(started).toEqual(['navigate', 'maneuver', 'gripper', 'goal', ...SET_UP]);
    },
  );

  it('is told again when a cell comes up, which knows of none', async () => {
    const { rig, news } = await cell();
    rig.bus.tell(TOPICS.cellState, []);
    expect(news).toEqual([]);
    await rig.ask(execution.robotStop, { reason: 'x' });
    await rig.clock.advance(100);
    rig.bus.tell(TOPICS.cellState, []);
    expect(news).toHaveLength(2);
    expect(news[1]).toEqual(news[0]);
  });

  it('is none where only a run ends, or only its motion', async () => {
    const { rig, news } = await cell();
    await rig.ask(execution.robotStop, { reason: 'over', run: 'r' });
    await rig.ask(execution.armStop, { reason: 'over', run: 'r' });
    await rig.ask(execution.robotCancel, { motionId: 'm', reason: 'over' });
    expect(news).toEqual([]);
  });

  it('of controllers is news, the end of one motion of a controller is not', async () => {
    const said: string[] = [];
    const news = () => ({
      ordered: () => void said.push('ordered'),
      check: (_operation: string, subject: string, wantedAtMs: number | undefined) =>
        void said.push(`${subject} ${wantedAtMs}`),
    });
    const bench = new ControllersBench([controllerSpec()], { news });
    const bus = new FakeBus(bench.clock);
    serveControllers(bus, bench.desk, news);
    await bench.run(10);
    await bus.request('execution', execution.controllerStart, { controller: 'arm', motionId: 'm' }, 5_000, 7);
    const stop = async (more: object) => {
      const stopped = bus.request('execution', execution.controllerStop, {
        controller: 'arm',
        reason: 'x',
        ...more,
      });
      await bench.run(1_000);
      await stopped;
    };
    await stop({ motionId: 'm' });
    expect(said).toEqual(['arm 7']);
    // Every stop of a run or of a motion goes to controllers too.
    await bench.desk.stop(undefined, 'the run is over');
    expect(said).toEqual(['arm 7']);
    await stop({});
    expect(said).toEqual(['arm 7', 'ordered']);
    await bench.desk.close();
  });
});
