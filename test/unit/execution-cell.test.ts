import { afterEach, describe, expect, it } from 'vitest';
import { type CellContext, METHODS, type Sample, type SampleSource } from '../../contract/index.ts';
import type { BagPlayer } from '../../daemon/execution/bag-player.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { RobotSink } from '../../daemon/execution/door/index.ts';
import type { Drive } from '../../daemon/execution/drive.ts';
import { ExecutionCell } from '../../daemon/execution/execution-cell.ts';
import { Routes } from '../../daemon/execution/routes/index.ts';
import { SafetyDesk } from '../../daemon/execution/safety/safety-desk.ts';
import { decodeTwist } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { disk, endRigs } from '../support/safety-rig.ts';

afterEach(endRigs);

const sample = (topic: string, time = 1n): Sample => ({
  topic,
  type: 'sensor_msgs/msg/LaserScan',
  stamp: time,
  received: time,
  bytes: new Uint8Array(4),
});

/** A cell whose control thread only notes what it hears. */
async function cellWith(hasRobot: boolean, withSafety = false, kind: 'ros' | 'sim' = 'ros') {
  const clock = new ManualClock();
  const bus = new SampleBus({ clock, ledger: new Ledger() });
  const heard: string[] = [];
  let fromRobot: (sample: Sample) => void = () => {};
  const source: SampleSource = {
    open: async (_topics, onSample) => {
      fromRobot = onSample;
    },
    state: () => ({ connected: true, reason: '', lost: {} }),
    close: async () => {},
  };
  const control = {
    start: () => {},
    offer: ({ topic }: Sample) => void heard.push(topic),
    work: () => ({ name: 'control', done: 0, waiting: 0 }),
    close: () => {},
    // It hangs.
    ...{ stop: () => new Promise<void>(() => {}), state: () => new Promise<never>(() => {}) },
  } as unknown as Drive;
  const sent: Sample[] = [];
  const cellBus = new FakeBus(clock);
  cellBus.broadcast = () => {};
  const context = {
    name: 'execution',
    clock,
    ...{ bus: cellBus, dataDir: disk() },
    report: () => {},
    emit: async () => {},
  } as unknown as CellContext;
  const safety = withSafety
    ? new SafetyDesk(context, {
        times: { ttlMs: 3_000, ttlMsMax: 60_000 },
        ...{ topic: '', key: '', commands: ['/cmd_vel'], hasRobot },
      })
    : undefined;
  const robot = new RobotSink({
    advertise: async () => {},
    offer: (command) => sent.push(command) > 0,
    close: async () => {},
  });
  const sink = safety?.door.path(robot, { kind: 'drive', name: '' });
  const cell = new ExecutionCell(context, {
    safety,
    sourceKind: hasRobot ? kind : 'none',
    source: hasRobot ? source : undefined,
    sink,
    topics: [],
    command: { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: undefined as never },
    bus,
    ledger: new Ledger(),
    recorder: undefined,
    makeDrive: () => control,
    arm: undefined,
    player: { close: async () => {} } as unknown as BagPlayer,
    zenoh: undefined,
    routes: new Routes({
      clock,
      specs: [],
      robot: 'r1',
      prefix: '',
      bus,
      emit: async () => {},
      report: () => {},
    }),
    lockstep: undefined,
    mapAreaM2: undefined,
  });
  await cell.start();
  const robotSays = (topic: string, time?: bigint) => fromRobot(sample(topic, time));
  return { bus, cellBus, cell, clock, sent, heard, robotSays };
}

describe('execution cell', () => {
  it('tells the base to stand in the turn of the emergency stop, also when its control thread hangs', async () => {
    const { cellBus, sent } = await cellWith(true, true);
    void cellBus.request('execution', METHODS.execution.estopEngage, { source: 'api', by: 'max' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent.map(({ topic }) => topic)).toEqual(['/cmd_vel']);
    expect(decodeTwist(sent[0]!.bytes)).toMatchObject({ linear: { x: 0 }, angular: { z: 0 } });
  });

  it('answers a stop at once where no robot is connected, and says so', async () => {
    const { cellBus } = await cellWith(false, true);
    const warnings = [expect.stringContaining('no robot is connected')];
    const { robotStop, estopEngage } = METHODS.execution;
    expect(await cellBus.request('execution', robotStop, { reason: 'x' })).toEqual({ warnings });
    expect(await cellBus.request('execution', estopEngage, { source: 'api', by: 'max' })).toMatchObject({
      ...{ engaged: true, by: 'max', warnings },
    });
  });

  it.each([
    ['sim', 7_000_000_000n],
    ['ros', undefined],
  ] as const)(
    'with %s, its last command is stamped by the clock of the recording',
    async (kind, robotTime) => {
      const { cell, clock, sent, robotSays } = await cellWith(true, true, kind);
      robotSays('/scan', 7_000_000_000n);
      const stopped = cell.stop();
      for (let i = 0; i < 200 && sent.length === 0; i++) await clock.advance(100);
      expect(sent.map(({ received }) => received)).toEqual([robotTime ?? clock.now()]);
      await clock.advance(60_000);
      await stopped;
    },
  );

  it('lets no recording speak for a robot that is there', async () => {
    const { bus, heard, robotSays } = await cellWith(true);
    const onBus: string[] = [];
    bus.tap('test', ({ topic }) => void onBus.push(topic));
    robotSays('/scan');
    // As the bag player does.
    bus.publish(sample('/scan'));
    expect(heard).toEqual(['/scan']);
    expect(onBus).toEqual(['/scan', '/scan']);
  });

  it('takes a recording for the robot where there is none', async () => {
    const { bus, heard } = await cellWith(false);
    bus.publish(sample('/scan'));
    expect(heard).toEqual(['/scan']);
  });
});
