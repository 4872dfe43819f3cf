import { afterEach, describe, expect, it } from 'vitest';
import {
  type CellContext,
  type LeaseView,
  METHODS,
  NEVER_REFUSED,
  type NewEvent,
  type RosApi,
} from '../../contract/index.ts';
import { ArmService } from '../../daemon/execution/arm-service.ts';
import { serveBags } from '../../daemon/execution/bag-requests.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveControllers } from '../../daemon/execution/controllers/controller-requests.ts';
import type { DoorCalls } from '../../daemon/execution/door/index.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ControllersBench } from '../support/controllers-bench.ts';
import { endRigs, Rig, untilAborted } from '../support/safety-rig.ts';
import { ENDS_NO_MOTION, STOPS } from '../support/ways-to-move.ts';

const { execution } = METHODS;
afterEach(endRigs);

const MOTION = '01890a5d-ac96-774b-bcce-b302099a8057';
const PLAY = {
  ...{ play_id: '4', path: '/bag', to: 'bus', state: 'stopped', messages: 1, published: 1 },
  ...{ position_s: 1, duration_s: 1, rate: 1, loops: 0, withheld: [], reason: '' },
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The execution cell with a motion of the base, a play of commands and a goal that moves, as far as stops reach it. */
async function moving() {
  const rig = new Rig();
  const emit = async (events: readonly NewEvent[]) => void rig.events.push(...events);
  const context = { bus: rig.bus, clock: rig.clock, report: () => {}, emit } as unknown as CellContext;
  const robot = { navigate: (_: unknown, signal: AbortSignal) => untilAborted(signal) };
  new RobotService(context, {
    ...{ robot: robot as never, actuation: rig.actuation, connected: () => true, charge: () => undefined },
  }).register();
  new ArmService(context, { stop: async () => {} } as never, rig.actuation).register();
  const player = {
    ...{ current: () => '4', drives: (id: string) => id === '4' },
    ...{ stop: async () => PLAY, control: () => PLAY },
  };
  serveBags(
    context,
    player as never,
    () => {},
    () => {},
  );
  const goal = { goalId: 'a1', result: new Promise(() => {}), cancel: async () => true };
  serveRos(context, {
    api: { actions: { send: async () => goal } } as unknown as RosApi,
    qosEvents: () => [],
    wanted: () => {},
    calls: { goal: () => 'moves' } as unknown as DoorCalls,
    bus: new SampleBus({ clock: rig.clock, ledger: new Ledger() }),
  });
  return rig;
}

/** What the robot does before, and the question of the stop. */
const WAYS: Readonly<Record<string, (rig: Rig) => unknown>> = {
  'robot.stop': () => ({ reason: 'lunch', by: 'ada' }),
  'arm.stop': () => ({ reason: 'lunch', by: 'ada' }),
  'bag.play_stop': () => ({ id: '4', by: 'ada' }),
  'bag.play_control': () => ({ id: '4', action: 'pause', by: 'ada' }),
  'ros.goal_cancel': async (rig) => {
    const sent = rig.ask(execution.rosGoalSend, {
      action: '/go',
      type: 'a/action/A',
      goal: {},
      timeoutMs: 1,
    });
    for (let i = 0; i < 6; i++) await turn();
    await rig.clock.advance(1);
    await sent;
    return { goalId: 'a1', timeoutMs: 100, by: 'ada' };
  },
  'robot.cancel': async (rig) => {
    const goal = { pose: { x: 1, y: 2, yaw: 0 }, tolerance: 0.2, timeoutMs: 1_000 };
    rig.ask(execution.robotNavigate, { motionId: MOTION, goal }).catch(() => {});
    await turn();
    return { motionId: MOTION, reason: 'lunch', by: 'ada' };
  },
  'lease.return': async (rig) => {
    const lease = { role: 'teleoperation', holder: 'ada', ttlMs: 1_000 };
    const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, lease);
    return { leaseId, by: 'ada' };
  },
  'estop.engage': () => ({ source: 'api', by: 'ada', reason: 'lunch' }),
};

describe('a stop of motion, by whatever way', () => {
  it('is on the list, with its event: each call that is never refused, and a pause of what is played', () => {
    const stops = [...NEVER_REFUSED].filter((call) => !ENDS_NO_MOTION.has(call));
    expect(Object.keys(STOPS).sort()).toEqual([...stops, execution.bagPlayControl].sort());
    expect(Object.keys(WAYS).sort()).toEqual(
      Object.keys(STOPS)
        .filter((call) => call !== execution.controllerStop)
        .sort(),
    );
  });

  it.each(Object.keys(WAYS))('is in the log with who asked: %s', async (call) => {
    const rig = await moving();
    const question = await WAYS[call]!(rig);
    const before = rig.events.length;
    await rig.ask(call, question);
    for (let i = 0; i < 4; i++) await turn();
    const logged = rig.events.slice(before).filter(({ kind }) => kind === STOPS[call]);
    const { by, holder } = logged[0]!.payload as { by?: string; holder?: string };
    expect([call, logged.length, by ?? holder]).toEqual([call, 1, 'ada']);
  });

  it('is in the log with who asked: controller.stop', async () => {
    const bench = new ControllersBench([controllerSpec()]);
    const bus = new FakeBus(bench.clock);
    serveControllers(bus, bench.desk);
    await bench.run(10);
    await bench.desk.begin({ controller: 'arm' }, 'runtime');
    const stop = bus.request('execution', execution.controllerStop, {
      controller: 'arm',
      reason: 'lunch',
      by: 'ada',
    });
    await bench.run(1_000);
    await stop;
    const ended = bench.events.filter(({ kind }) => kind === STOPS[execution.controllerStop]).at(-1);
    expect(ended?.payload).toMatchObject({ controller: 'arm', by: 'ada' });
    await bench.desk.close();
  });

  it('of what moves nothing is not in the log: a goal that is over, a play of sensors', async () => {
    const rig = await moving();
    await rig.ask(execution.bagPlayStop, { id: '5', by: 'ada' });
    expect(rig.kinds()).toEqual([]);
  });
});
