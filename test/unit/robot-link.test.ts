import { expect, it } from 'vitest';
import {
  type CellContext,
  DEFAULT_QOS,
  EdgeError,
  type NewEvent,
  type Sample,
  type SampleSource,
  type TopicSpec,
} from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { RobotLink } from '../../daemon/execution/robot-link.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A robot of which source and sink are refused as often as the test wants, at every try. */
function rig(speeds: readonly TopicSpec[] = []) {
  const clock = new ManualClock();
  const bus = new SampleBus({ clock, ledger: new Ledger() });
  const refusals = { source: 0, sink: 0 };
  const advertised: string[] = [];
  const warned: string[] = [];
  const tries = { source: 0, sink: 0 };
  const listeners: ((sample: Sample) => void)[] = [];
  const refuse = (what: 'source' | 'sink') => {
    tries[what] += 1;
    if (refusals[what]-- > 0) throw new EdgeError('ros.failed', { operation: 'open', subject: what });
  };
  const source: SampleSource = {
    open: async (_topics, onSample) => {
      refuse('source');
      listeners.push(onSample);
    },
    state: () => ({ connected: true, reason: '', lost: {} }),
    close: async () => {},
  };
  const events: NewEvent[] = [];
  const context = {
    clock,
    report: (_: string, message: string) => warned.push(message),
    emit: async (told: readonly NewEvent[]) => void events.push(...told),
  } as unknown as CellContext;
  const link = new RobotLink(context, {
    sourceKind: 'ros',
    source,
    sink: {
      advertise: async ({ topic }) => {
        refuse('sink');
        if (topic.startsWith('/no'))
          throw new EdgeError('robot.not_supported', { operation: 'advertise', subject: topic });
        advertised.push(topic);
      },
      send: (sample) => ({ verdict: 'sent', sample }),
      close: async () => {},
    },
    topics: [],
    command: { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: undefined as never },
    speeds,
    bus,
    onSample: () => {},
    onChange: () => {},
    onLate: () => {},
    missed: () => {},
  });
  const say = () => {
    const sample = { topic: '/a', type: 'a/msg/B', stamp: 1n, received: 1n, bytes: new Uint8Array(4) };
    for (const hear of listeners) hear(sample);
  };
  return { clock, bus, link, refusals, tries, events, say, advertised, warned };
}

it('a sink that refuses is tried again without its source, whose samples come once each', async () => {
  const { clock, bus, link, refusals, tries, say } = rig();
  refusals.sink = 2;
  await link.open();
  await clock.advance(5_000);
  expect(link.state.connected).toBe(true);
  expect(tries).toEqual({ source: 1, sink: 3 });
  say();
  expect(bus.published).toBe(1);
});

it('a source that refuses is tried again, and what was degraded recovers', async () => {
  const { clock, bus, link, refusals, tries, events, say } = rig();
  refusals.source = 1;
  await link.open();
  expect(link.state.connected).toBe(false);
  await clock.advance(2_000);
  expect(tries).toEqual({ source: 2, sink: 1 });
  say();
  expect(bus.published).toBe(1);
  expect(events.map(({ kind }) => kind)).toEqual(['cell.degraded', 'cell.recovered']);
});

it('joints driven by velocity are carried from the start on: whoever drove them before may have died', async () => {
  const joints = (topic: string): TopicSpec => ({
    topic,
    type: 'std_msgs/msg/Float64MultiArray',
    qos: DEFAULT_QOS,
    speeds: 2,
  });
  const { clock, link, refusals, advertised, warned } = rig([joints('/no_such'), joints('/speeds')]);
  refusals.sink = 1;
  await link.open();
  expect(advertised).toEqual([]);
  await clock.advance(2_000);
  expect(advertised).toEqual(['/cmd_vel', '/speeds']);
  // One that the robot does not have keeps nothing else from it.
  expect(link.state.connected).toBe(true);
  expect(warned.join()).toMatch(/\/no_such/);
});
