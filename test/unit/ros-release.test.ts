import { describe, expect, it } from 'vitest';
import { RosSession } from '../../adapters/ros/host/session.ts';
import type { Vendor } from '../../adapters/ros/host/vendor.ts';
import type { RosHost } from '../../adapters/ros/ros-host.ts';
import { RosSource } from '../../adapters/ros/ros-source.ts';
import {
  DEFAULT_QOS,
  type EdgeError,
  type GraphSnapshot,
  type SourceState,
  type TopicSpec,
} from '../../contract/core.ts';
import { DISCOVERED_NAMES_MAX, DiscoveredTopics, RELEASE_AFTER_MS } from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STRING = 'std_msgs/msg/String';
const PLACES = 512;
const names = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `/node_${from + i}/out`);

/** A ROS host of which the test says who publishes. */
function rig(configured: readonly TopicSpec[] = []) {
  const clock = new ManualClock();
  const calls: string[] = [];
  const topicOf = new Map<number, string>();
  const tells = new Set<(graph: GraphSnapshot) => void>();
  let onState: (state: SourceState) => void = () => {};
  let connected = true;
  const state = () => ({ connected, reason: '', lost: {} });
  let next = 0;
  const host = {
    clock,
    ownNodes: new Set(['/us']),
    api: {
      graph: {
        watch: (tell: (graph: GraphSnapshot) => void) => {
          tells.add(tell);
          return { cancel: () => tells.delete(tell) };
        },
      },
    },
    start: async () => {},
    release: async () => {},
    definitionOf: () => 'string data',
    isInstalled: () => true,
    onState: (listen: typeof onState) => {
      onState = listen;
    },
    state,
    subscribe: async ({ topic }: TopicSpec) => {
      topicOf.set(next, topic);
      calls.push(`+${topic}`);
      return next++;
    },
    unsubscribe: (channel: number) => {
      calls.push(`-${topicOf.get(channel)}`);
      topicOf.delete(channel);
    },
  };
  const faults: EdgeError[] = [];
  const released: string[] = [];
  const source = new RosSource(host as unknown as RosHost, {
    discover: ['/**'],
    onFault: (error) => faults.push(error),
    onReleased: (topics) => released.push(...topics),
  });
  /** The graph changes to this, and the source has time to follow. */
  const publish = async (topics: readonly string[], others = ['/them'], type = STRING) => {
    const publishers = [{ node: '/them', type, qos: DEFAULT_QOS }];
    const graph: GraphSnapshot = {
      nodes: ['/us', ...others].map((name) => ({ name, enclave: '' })),
      services: [],
      actions: [],
      topics: topics.map((topic) => ({ topic, types: [type], publishers, subscribers: [] })),
    };
    for (const tell of tells) tell(graph);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const connect = (isConnected: boolean) => {
    connected = isConnected;
    onState(state());
  };
  const bridged = () => [...topicOf.values()].sort();
  const later = async (ms: number) => {
    await clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const open = () =>
    source.open(
      configured,
      () => {},
      () => {},
    );
  return { clock, source, open, calls, faults, released, publish, connect, bridged, later };
}

describe('a discovered topic that nobody publishes', () => {
  it('is released after a while, and bridged again when it comes back', async () => {
    const { open, publish, later, calls, released, bridged } = rig();
    await open();
    await publish(['/a', '/b']);
    await publish(['/b']);
    await later(RELEASE_AFTER_MS - 1);
    expect(bridged()).toEqual(['/a', '/b']);
    // The graph has not changed since: the time alone releases it.
    await later(1);
    expect(released).toEqual(['/a']);
    expect(bridged()).toEqual(['/b']);
    await publish(['/a', '/b']);
    expect(calls).toEqual(['+/a', '+/b', '-/a', '+/a']);
    await later(3 * RELEASE_AFTER_MS);
    expect(bridged()).toEqual(['/a', '/b']);
  });

  it('is kept when it comes back in time, and has the whole time again', async () => {
    const { open, publish, later, calls } = rig();
    await open();
    await publish(['/a']);
    for (let i = 0; i < 3; i++) {
      await publish([]);
      await later(RELEASE_AFTER_MS - 1);
      await publish(['/a']);
      await later(10);
    }
    expect(calls).toEqual(['+/a']);
  });

  it('is kept where it is configured', async () => {
    const { open, publish, later, bridged } = rig([{ topic: '/kept', type: STRING, qos: DEFAULT_QOS }]);
    await open();
    await publish(['/kept', '/a']);
    await publish([]);
    await later(2 * RELEASE_AFTER_MS);
    expect(bridged()).toEqual(['/kept']);
  });

  it('is kept while nobody but us is seen: that is a link that broke', async () => {
    const { open, publish, later, calls, released } = rig();
    await open();
    await publish(['/a', '/b']);
    await publish(['/b']);
    await later(RELEASE_AFTER_MS - 10);
    await publish([], []);
    await later(10 * RELEASE_AFTER_MS);
    expect(calls).toEqual(['+/a', '+/b']);
    // What was seen to be absent before goes on where it was.
    await publish(['/b']);
    await later(9);
    expect(released).toEqual([]);
    await later(1);
    expect(released).toEqual(['/a']);
  });

  it('is kept while the host is gone; what the new one sees is bridged when that is there', async () => {
    const { open, publish, connect, later, calls, released } = rig();
    await open();
    await publish(['/a']);
    await publish([]);
    connect(false);
    await later(10 * RELEASE_AFTER_MS);
    await publish(['/a', '/b']);
    expect([calls, released]).toEqual([['+/a'], []]);
    connect(true);
    await later(0);
    expect(calls).toEqual(['+/a', '+/b']);
    await later(10 * RELEASE_AFTER_MS);
    expect(released).toEqual([]);
  });

  it('is left to the next host where this one ends while the graph is followed', async () => {
    const { open, publish, connect, calls } = rig();
    await open();
    const following = publish(['/a', '/b']);
    connect(false);
    await following;
    expect(calls).toEqual(['+/a']);
    connect(true);
    await publish(['/a', '/b']);
    expect(calls).toEqual(['+/a', '+/b']);
  });

  it('is not looked at any more when the source is closed', async () => {
    const { open, publish, later, source, released } = rig();
    await open();
    await publish(['/a']);
    await publish([]);
    await source.close();
    await later(2 * RELEASE_AFTER_MS);
    expect(released).toEqual([]);
  });
});

describe('places for discovered topics', () => {
  it('are refused to the 513th of 512, once, and given to it when one is given back', async () => {
    const { open, publish, later, faults, bridged } = rig();
    await open();
    await publish(names(PLACES));
    expect(faults).toEqual([]);
    await publish(names(PLACES + 2));
    await publish(names(PLACES + 3));
    await later(5 * RELEASE_AFTER_MS);
    expect(bridged()).toHaveLength(PLACES);
    expect(faults.map(({ code, subject }) => [code, subject])).toEqual([
      ['ros.failed', `/node_${PLACES}/out`],
    ]);
    // One of them goes for good: the first that waits has its place.
    await publish(names(PLACES, 1));
    await later(RELEASE_AFTER_MS);
    expect(bridged()).toEqual(names(PLACES, 1).sort());
    // All had a place; the next that has none is news.
    await publish(names(PLACES + 1, 1));
    expect(faults).toHaveLength(2);
  });

  it('do not run out over months of names that come and go', async () => {
    const { open, publish, later, faults, bridged } = rig();
    await open();
    for (let life = 0; life < 20; life++) {
      await publish(names(100, 100 * life));
      await later(2 * RELEASE_AFTER_MS);
      expect(bridged()).toHaveLength(100);
    }
    expect(faults).toEqual([]);
  });
});

it('names that change for ever are not taken without end: told once, and known ones go on', async () => {
  const { open, publish, later, faults, bridged, released } = rig();
  await open();
  for (let from = 0; from < DISCOVERED_NAMES_MAX; from += PLACES) {
    await publish(names(PLACES, from));
    await publish([]);
    await later(RELEASE_AFTER_MS);
  }
  expect(faults).toEqual([]);
  await publish(['/new', '/newer', ...names(2)]);
  await publish(['/newest', ...names(2)]);
  expect(bridged()).toEqual(names(2));
  expect(faults.map(({ subject, message }) => [subject, message])).toEqual([
    ['/new', expect.stringMatching(/4096 different topics.*restart.*ros\.deny/)],
  ]);
  // What is bridged has another type now, which is another name: it is told by its own.
  released.length = 0;
  for (let i = 0; i < 2; i++) await publish(names(2), undefined, 'std_msgs/msg/Int8');
  expect([bridged(), released]).toEqual([[], names(2)]);
  expect(faults.slice(1).map(({ subject }) => subject)).toEqual(names(2));
  expect(faults[1]!.message).toMatch(/another type.*4096 different topics/);
});

it('places: what was absent for long is returned once, and its place is free', () => {
  const places = new DiscoveredTopics(2, 10);
  const isFull = () => places.shortage('/c', STRING) === 'places';
  places.add('/a', STRING);
  places.add('/b', STRING);
  expect([isFull(), places.nextDueMs()]).toEqual([true, undefined]);
  expect(places.look(new Set(['/b']), 100)).toEqual([]);
  expect(places.nextDueMs()).toBe(110);
  expect(places.look(new Set(['/b']), 110)).toEqual(['/a']);
  expect([isFull(), places.nextDueMs()]).toEqual([false, undefined]);
  expect(places.look(new Set(), 200)).toEqual([]);
});

describe('losses of a topic that is released', () => {
  it('stay in the sums of the host; names without a loss do not', () => {
    const heard = new Map<string, (message: Buffer) => void>();
    const node = {
      createSubscription: (_: unknown, topic: string, __: unknown, onMessage: (message: Buffer) => void) => {
        heard.set(topic, onMessage);
        return { topic };
      },
      destroySubscription: ({ topic }: { topic: string }) => heard.delete(topic),
    };
    const vendor = { rcl: { QoS: class {} }, events: {} } as unknown as Vendor;
    const clock = new ManualClock();
    const start = { node: 'edge', namespace: '', useSimTime: false, native: true };
    const full = { notice: () => {}, sample: () => false };
    const session = new RosSession(vendor, node as never, clock, full, start);
    const subscribe = (channel: number, topic: string) => {
      const spec = { topic, type: 'acme_msgs/msg/A', qos: DEFAULT_QOS };
      session.subscribe({ kind: 'subscribe', id: channel, channel, spec, raw: { headed: false } });
    };
    subscribe(1, '/lossy');
    subscribe(2, '/fine');
    heard.get('/lossy')!(Buffer.alloc(8));
    session.unsubscribe(1);
    session.unsubscribe(2);
    expect(heard.size).toBe(0);
    expect(session.lost()).toEqual({ '/lossy': 1 });
    subscribe(3, '/lossy');
    heard.get('/lossy')!(Buffer.alloc(8));
    expect(session.lost()).toEqual({ '/lossy': 2 });
  });
});

it('a topic that is asked for twice under one number is heard once, and can be ended', () => {
  const live = new Set<object>();
  const node = {
    createSubscription: () => {
      const one = {};
      live.add(one);
      return one;
    },
    destroySubscription: (one: object) => live.delete(one),
  };
  const vendor = { rcl: { QoS: class {} }, events: {} } as unknown as Vendor;
  const start = { node: 'edge', namespace: '', useSimTime: false, native: true };
  const outlet = { notice: () => {}, sample: () => true };
  const session = new RosSession(vendor, node as never, new ManualClock(), outlet, start);
  const spec = { topic: '/a', type: 'acme_msgs/msg/A', qos: DEFAULT_QOS };
  for (const id of [1, 2])
    session.subscribe({ kind: 'subscribe', id, channel: 7, spec, raw: { headed: false } });
  expect(live.size).toBe(1);
  session.unsubscribe(7);
  expect(live.size).toBe(0);
});
