import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  type CellContext,
  type CellReport,
  IdSource,
  METHODS,
  type MotionResult,
  type NewEvent,
  type Robot,
  TOPICS,
} from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { serveControllers } from '../../daemon/execution/controllers/controller-requests.ts';
import { LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { RobotProxy } from '../../daemon/runtime/robot/robot-proxy.ts';
import { robotConformance } from '../conformance/robot.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FlatRobot } from '../fakes/flat-robot.ts';
import { FlatWorld, type Wall } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { cellReport } from '../support/cell-report.ts';

const ROOM: Wall[] = [
  [0, 0, 4, 0],
  [0, 0, 0, 3],
  [4, 0, 4, 3],
  [0, 3, 4, 3],
  [2, 0, 2, 2.2],
  // A closed box.
  [2.6, 0.6, 3.4, 0.6],
  [2.6, 0.6, 2.6, 1.4],
  [3.4, 0.6, 3.4, 1.4],
  [2.6, 1.4, 3.4, 1.4],
];

function context(bus: FakeBus, clock: CellContext['clock']): { context: CellContext; events: NewEvent[] } {
  const events: NewEvent[] = [];
  const made = {
    name: 'execution',
    clock,
    bus,
    report: () => {},
    emit: async (more: readonly NewEvent[]) => void events.push(...more),
  } as unknown as CellContext;
  return { context: made, events };
}

robotConformance('RobotProxy, bus, RobotService, control thread, flat world', async () => {
  const clock = new SystemClock();
  const bus = new FakeBus(clock);
  const robot = new FlatRobot(
    new FlatWorld({ walls: ROOM, start: { x: 0.6, y: 0.6, yaw: 0 }, seed: 5 }),
    clock,
  );
  const made = context(bus, clock).context;
  const drive = robot.client;
  const actuation = new Actuation(made, [(reason) => drive.stop(reason)]);
  new RobotService(made, {
    robot: drive,
    actuation,
    connected: () => true,
    charge: () => undefined,
  }).register();
  await robot.ready();
  let byte = 0;
  const ids = new IdSource(
    () => Number(clock.now() / 1_000_000n),
    (length) => new Uint8Array(length).fill(++byte),
  );
  return {
    robot: new RobotProxy(bus, clock, ids),
    near: { x: 0.6, y: 0.4, yaw: 0 },
    far: { x: 2.9, y: 0, yaw: 0 },
    blocked: { x: 2.4, y: 0.4, yaw: 0 },
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    close: async () => {
      await actuation.close();
      await robot.close();
    },
  };
});

/** A robot of which the test settles the motions, in their order from 1. */
function scripted() {
  const calls: string[] = [];
  const motions: ((result: MotionResult) => void)[] = [];
  const begin = (kind: string) => (_: unknown, signal?: AbortSignal) => {
    calls.push(`${kind} ${motions.length + 1}`);
    const id = motions.length + 1;
    signal?.addEventListener('abort', () => calls.push(`abort ${id} ${signal.reason}`));
    return new Promise<MotionResult>((resolve) => motions.push(resolve));
  };
  const script = {
    navigate: begin('navigate'),
    maneuver: begin('maneuver'),
    stop: async (reason: string) => void calls.push(`stop ${reason}`),
  } as unknown as Robot;
  const settle = (id: number) =>
    motions[id - 1]!({
      outcome: 'reached',
      pose: undefined,
      distance: 0,
      durationMs: 1,
      time: 1n,
      message: '',
    });
  return { script, calls, settle };
}

function service() {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const made = context(bus, clock);
  const { script, ...rest } = scripted();
  const arm = { stops: [] as string[] };
  const actuation = new Actuation(made.context, [
    (reason) => script.stop(reason),
    async (reason) => void arm.stops.push(reason),
  ]);
  const robot = new RobotService(made.context, {
    robot: script,
    actuation,
    connected: () => true,
    charge: () => undefined,
  });
  robot.register();
  const ask = (method: string, body: unknown) =>
    bus.request<MotionResult>('execution', method, body, 600_000);
  const kinds = () => made.events.map((e) => e.kind);
  return { clock, bus, lease: actuation.lease, arm, ask, kinds, events: made.events, ...rest };
}

const GOAL = { pose: { x: 1, y: 2, yaw: 0 }, tolerance: 0.2, timeoutMs: 1_000 };

describe('robot service', () => {
  it.each([
    [
      'NaN in the pose',
      { motionId: 'm', goal: { ...GOAL, pose: { x: Number.NaN, y: 0, yaw: 0 } } },
      '/goal/pose/x',
    ],
    ['no pose', { motionId: 'm', goal: { tolerance: 0.2, timeoutMs: 1 } }, '/goal/pose'],
    ['an unknown field', { motionId: 'm', goal: { ...GOAL, speed: 9 } }, '/goal/speed'],
    ['a tolerance of nothing', { motionId: 'm', goal: { ...GOAL, tolerance: 0 } }, '/goal/tolerance'],
    ['text for a number', { motionId: 'm', goal: { ...GOAL, timeoutMs: '1' } }, '/goal/timeoutMs'],
    ['no id', { goal: GOAL }, '/motionId'],
    ['nothing', undefined, '/'],
  ])('refuses %s, naming the path, and never asks the robot', async (_, body, path) => {
    const { ask, calls } = service();
    await expect(ask(METHODS.execution.robotNavigate, body)).rejects.toMatchObject({
      code: 'schema.invalid',
      subject: path,
    });
    expect(calls).toEqual([]);
  });

  it.each([
    [{ kind: 'fly', distance: 1 }, '/goal/kind'],
    [{ kind: 'drive', distance: 1e9 }, '/goal/distance'],
    [{ kind: 'spin', angle: Infinity }, '/goal/angle'],
    [{ kind: 'wait', durationMs: -1 }, '/goal/durationMs'],
  ])('refuses the maneuver %o', async (goal, path) => {
    const { ask } = service();
    await expect(ask(METHODS.execution.robotManeuver, { motionId: 'm', goal })).rejects.toMatchObject({
      code: 'schema.invalid',
      subject: path,
    });
  });

  it('moves under a lease that lives as long as the motion, however long that is', async () => {
    const { ask, kinds, clock, lease, settle } = service();
    const motion = ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(0);
    await clock.advance(60_000);
    expect(lease.current?.holder).toBe('agent');
    settle(1);
    await motion;
    expect(kinds()).toEqual(['lease.granted', 'lease.released']);
    expect(lease.state).toBe('free');
  });

  it('keeps the lease over a motion that pre-empts another', async () => {
    const { ask, kinds, clock, settle } = service();
    const first = ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    const second = ask(METHODS.execution.robotManeuver, { motionId: 'm2', goal: { kind: 'spin', angle: 1 } });
    await clock.advance(1);
    settle(1);
    await first;
    expect(kinds()).toEqual(['lease.granted']);
    settle(2);
    await second;
    expect(kinds()).toEqual(['lease.granted', 'lease.released']);
  });

  it('stops the robot before a person takes over, and refuses the agent meanwhile', async () => {
    const { ask, lease, calls, clock, events, arm } = service();
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    const taken = await lease.acquire('teleoperation', LEASE_PRIORITIES.teleoperation, 1_000);
    const reason = 'taken over by teleoperation (teleoperation)';
    expect(calls).toEqual(['navigate 1', `stop ${reason}`, `abort 1 ${reason}`]);
    expect(arm.stops).toEqual([reason]);
    expect(lease.holds(taken.id)).toBe(true);
    const again = ask(METHODS.execution.robotNavigate, { motionId: 'm2', goal: GOAL });
    await expect(again).rejects.toMatchObject({ code: 'lease.held' });
    expect(events).toContainEqual({ kind: 'lease.released', payload: { holder: 'agent', reason: 'taken' } });
  });

  it('stops the robot when the cell that moves it dies, and only then', async () => {
    const { ask, bus, calls, clock } = service();
    const cells = (state: CellReport['state']) => [
      cellReport('memory', 'down'),
      cellReport('runtime', state),
    ];
    bus.tell(TOPICS.cellState, cells('down'));
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    bus.tell(TOPICS.cellState, cells('up'));
    // A cell that comes back resumes its runs before it counts as up.
    bus.tell(TOPICS.cellState, cells('starting'));
    expect(calls).toEqual(['navigate 1']);
    bus.tell(TOPICS.cellState, cells('down'));
    const reason = 'the runtime cell is no longer running';
    expect(calls).toEqual(['navigate 1', `stop ${reason}`, `abort 1 ${reason}`]);
  });

  it('refuses a second motion of the same id, cancels by id, and stops with a receipt', async () => {
    const { ask, calls, clock, kinds } = service();
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    const twin = ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await expect(twin).rejects.toMatchObject({ code: 'schema.invalid' });
    await ask(METHODS.execution.robotCancel, { motionId: 'm1' });
    await ask(METHODS.execution.robotStop, { reason: 'enough' });
    expect(calls).toEqual(['navigate 1', 'abort 1 cancelled', 'stop enough']);
    expect(kinds()).toContain('safety.stopped');
  });

  it.each([
    ['all of the robot', {}],
    ['a run', { run: 'r' }],
  ])('names who asked to stop %s, in the log and to what it ends', async (_, of) => {
    const { ask, calls, clock, events } = service();
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL, run: 'r' });
    await clock.advance(1);
    await ask(METHODS.execution.robotStop, { reason: 'enough', by: 'alice', ...of });
    const stops = events.filter(({ kind }) => kind === 'safety.stopped');
    expect(stops.map(({ payload }) => payload)).toEqual([
      { reason: 'enough', source: 'request', by: 'alice' },
    ]);
    expect(calls).toContain('abort 1 enough (by alice)');
  });

  it.each([
    ['no reason', undefined, 'stop'],
    ['an empty reason', { reason: '' }, 'stop'],
    ['a long reason', { reason: 'a'.repeat(600) }, 'a'.repeat(256)],
    ['what is no reason', { reason: 7, stranger: {}, run: 3 }, 'stop'],
    ['no object', 'stop!', 'stop'],
  ])('stops however it is asked: %s', async (_, body, said) => {
    const { ask, calls, clock } = service();
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    await ask(METHODS.execution.robotStop, body);
    expect(calls).toContain(`stop ${said}`);
    expect(calls).toContain(`abort 1 ${said}`);
  });

  it('cancels with a reason that is too long', async () => {
    const { ask, calls, clock } = service();
    void ask(METHODS.execution.robotNavigate, { motionId: 'm1', goal: GOAL });
    await clock.advance(1);
    await ask(METHODS.execution.robotCancel, { motionId: 'm1', reason: 'b'.repeat(600), stranger: 1 });
    expect(calls).toContain(`abort 1 ${'b'.repeat(256)}`);
  });

  it('stops controllers with any body', async () => {
    const bus = new FakeBus(new ManualClock());
    const stops: unknown[] = [];
    const stop = async (...asked: unknown[]) => {
      stops.push(asked);
      return [];
    };
    const desk = { stop };
    serveControllers(bus, desk as unknown as Parameters<typeof serveControllers>[1]);
    for (const body of [undefined, { reason: 'c'.repeat(5_000), stranger: 1 }, { controller: 'arm' }])
      await bus.request('execution', METHODS.execution.controllerStop, body as never);
    expect(stops).toEqual([
      [undefined, 'asked for', {}],
      [undefined, 'c'.repeat(4_096), {}],
      ['arm', 'asked for', {}],
    ]);
  });
});
