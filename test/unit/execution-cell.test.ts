import { describe, expect, it } from 'vitest';
import type { CellContext, Sample, SampleSource } from '../../contract/index.ts';
import type { BagPlayer } from '../../daemon/execution/bag-player.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import type { Drive } from '../../daemon/execution/drive.ts';
import { ExecutionCell } from '../../daemon/execution/execution-cell.ts';
import { Routes } from '../../daemon/execution/routes/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const sample = (topic: string): Sample => ({
  topic,
  type: 'sensor_msgs/msg/LaserScan',
  stamp: 1n,
  received: 1n,
  bytes: new Uint8Array(4),
});

/** A cell whose control thread only notes what it hears. */
async function cellWith(hasRobot: boolean) {
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
  } as unknown as Drive;
  const context = {
    name: 'execution',
    clock,
    bus: new FakeBus(clock),
    report: () => {},
    emit: async () => {},
  } as unknown as CellContext;
  const cell = new ExecutionCell(context, {
    sourceKind: hasRobot ? 'ros' : 'none',
    source: hasRobot ? source : undefined,
    sink: undefined,
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
      sink: undefined,
      commandTopic: '/cmd_vel',
      emit: async () => {},
      report: () => {},
    }),
    lockstep: undefined,
    mapAreaM2: undefined,
  });
  await cell.start();
  return { bus, heard, robotSays: (topic: string) => fromRobot(sample(topic)) };
}

describe('execution cell', () => {
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
