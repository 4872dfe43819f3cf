import { expect, it } from 'vitest';
import { makeAttachment } from '../../adapters/zenoh/ros/attachment.ts';
import { RosZenohSession, RosZenohSource } from '../../adapters/zenoh/ros/index.ts';
import { dataKey, tokenOf } from '../../adapters/zenoh/ros/names.ts';
import { qosText } from '../../adapters/zenoh/ros/qos-text.ts';
import { DEFAULT_QOS, type KeySpace, LATCHED_QOS, SENSOR_QOS, type TopicSpec } from '../../contract/core.ts';
import {
  DISCOVERED_NAMES_MAX,
  decodeAny,
  encodeAny,
  RELEASE_AFTER_MS,
  TypeBook,
} from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';

const TYPE = 'std_msgs/msg/UInt64';
const OTHER = 'std_msgs/msg/Int64';
/** Longer than a watcher of the graph waits for more changes. */
const TOLD_MS = 200;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A source that reads all it finds, beside one node that is always there and others that come and go. */
async function rig(
  gate: (count: number) => Promise<void> = async () => {},
  configured: readonly TopicSpec[] = [],
) {
  const clock = new ManualClock();
  const fabric = new MemoryFabric();
  const types = new TypeBook(() => undefined);
  const reports: string[] = [];
  let subscribed = 0;
  const open = async (): Promise<KeySpace> => {
    const space = new MemoryKeySpace(clock, fabric);
    const subscribe = space.subscribe.bind(space);
    space.subscribe = async (...asked) => {
      subscribed += 1;
      await gate(subscribed);
      return subscribe(...asked);
    };
    return space;
  };
  const session = new RosZenohSession(
    { node: 'edge', namespace: '', domain: 0 },
    { clock, types, open, report: (_, message) => void reports.push(message) },
  );
  const released: string[] = [];
  const told: string[] = [];
  const source = new RosZenohSource(session, {
    discover: () => true,
    onReleased: (topics) => released.push(...topics),
    onTopics: (topics) => told.push(...topics.map(({ topic }) => topic)),
  });
  const heard: string[] = [];
  const heardTypes: string[] = [];
  const numbers: unknown[] = [];
  await source.open(
    configured,
    ({ topic, type, bytes }) => {
      heard.push(topic);
      numbers.push(Number(decodeAny(type, bytes)['data']));
      heardTypes.push(type);
    },
    () => {},
  );
  const theirs = new MemoryKeySpace(clock, fabric);
  let id = 0;
  const token = (node: string, topic?: string, { type = TYPE, qos = DEFAULT_QOS }: Partial<TopicSpec> = {}) =>
    theirs.liveliness(
      tokenOf({
        ...{ domain: 0, zid: 'abc', nodeId: node, entityId: `${id++}`, enclave: '', namespace: '/', node },
        kind: topic === undefined ? 'NN' : 'MP',
        ...(topic === undefined
          ? {}
          : { end: { name: topic, type, hash: types.hash(type), qos: qosText(qos) } }),
      }),
    );
  const put = async (topic: string, n: number, type = TYPE) => {
    const attachment = makeAttachment(BigInt(n), 0n, new Uint8Array(16).fill(9));
    const key = dataKey(0, topic, type, types.hash(type));
    await theirs.put(key, encodeAny(type, { data: n }), { attachment, cache: 10 });
    await tick();
  };
  const later = async (ms: number) => {
    await tick();
    await clock.advance(ms);
    await tick();
  };
  /** Our tokens of subscriptions. */
  const readers = () => [...fabric.tokens.values()].filter((one) => one.includes('/MS/'));
  return {
    source,
    session,
    reports,
    released,
    told,
    heard,
    heardTypes,
    numbers,
    token,
    put,
    later,
    readers,
    subscribed: () => subscribed,
  };
}

it('a link that is lost for long releases nothing, and what it swallowed is counted', async () => {
  const { source, released, heard, token, put, later } = await rig();
  const tokens = [await token('robot'), await token('robot', '/count')];
  await later(TOLD_MS);
  await put('/count', 1);
  for (const one of tokens) await one.undeclare();
  await later(10 * RELEASE_AFTER_MS);
  expect(released).toEqual([]);
  await token('robot');
  await token('robot', '/count');
  await later(TOLD_MS);
  await put('/count', 6);
  expect(heard).toEqual(['/count', '/count']);
  expect(source.state().lost).toEqual({ '/count': 4 });
  // A node that stays away while others are there is really gone.
  await later(10 * RELEASE_AFTER_MS);
  expect(released).toEqual([]);
});

it('a topic that is released while its reader opens leaves no token behind', async () => {
  const gate = Promise.withResolvers<void>();
  const { released, told, reports, token, later, readers } = await rig(() => gate.promise);
  await token('base');
  const topic = await token('robot', '/count');
  await later(TOLD_MS);
  await topic.undeclare();
  await later(TOLD_MS);
  await later(RELEASE_AFTER_MS);
  expect(released).toEqual(['/count']);
  gate.resolve();
  await later(TOLD_MS);
  expect([readers(), told, reports]).toEqual([[], [], []]);
});

it('a reader that fails after it was released takes nothing from the one that came after it', async () => {
  const first = Promise.withResolvers<void>();
  const { heard, told, reports, token, put, later, readers, subscribed } = await rig(async (count) => {
    if (count === 1) await first.promise;
  });
  await token('base');
  const topic = await token('robot', '/count');
  await later(TOLD_MS);
  await topic.undeclare();
  await later(TOLD_MS);
  await later(RELEASE_AFTER_MS);
  await token('robot', '/count');
  await later(TOLD_MS);
  first.reject(new Error('refused'));
  await later(TOLD_MS);
  // The graph changes: what is read is not read once more.
  await token('other');
  await later(TOLD_MS);
  await put('/count', 1);
  expect([subscribed(), heard, told, reports]).toEqual([2, ['/count'], ['/count'], []]);
  expect(readers()).toHaveLength(1);
});

it('names that change for ever are not taken without end: told once', async () => {
  const { reports, released, token, later, subscribed } = await rig();
  await token('base');
  for (let from = 0; from < DISCOVERED_NAMES_MAX; from += 512) {
    const some = [];
    for (let i = 0; i < 512; i++) some.push(await token('robot', `/out_${from + i}`));
    await later(TOLD_MS);
    for (const one of some) await one.undeclare();
    await later(TOLD_MS);
    await later(RELEASE_AFTER_MS);
  }
  expect(reports).toEqual([]);
  for (const name of ['/new', '/newer']) await token('robot', name);
  const known = await token('robot', '/out_1');
  await later(TOLD_MS);
  await token('robot', '/newest');
  await later(TOLD_MS);
  expect(reports).toEqual([expect.stringMatching(/^\/new: .*4096 different topics.*restart.*ros\.deny/)]);
  expect(subscribed()).toBe(DISCOVERED_NAMES_MAX + 1);
  // What is read has another type now, which is another name: it is let go of, and told by its own.
  released.length = 0;
  await known.undeclare();
  await token('robot', '/out_1', { type: OTHER });
  await later(TOLD_MS);
  await token('robot', '/last');
  await later(TOLD_MS);
  expect(released).toEqual(['/out_1']);
  expect(reports.slice(1)).toEqual([
    expect.stringMatching(/^\/out_1: .*another type.*4096 different topics/),
  ]);
});

it('a topic that comes back as another type is read as that', async () => {
  const { heardTypes, told, released, reports, readers, token, put, later } = await rig();
  await token('base');
  const before = await token('robot', '/count');
  await later(TOLD_MS);
  await put('/count', 1);
  // Started anew: the old one is still seen when the new one comes.
  const after = await token('robot', '/count', { type: OTHER });
  await before.undeclare();
  await later(TOLD_MS);
  await put('/count', 2, OTHER);
  // What is not published any more is not read any more.
  await put('/count', 3);
  expect(heardTypes).toEqual([TYPE, OTHER]);
  expect([told, released, reports]).toEqual([['/count', '/count'], [], []]);
  expect(readers()).toHaveLength(1);
  // It is away for a while, and comes back once more as the first one.
  await after.undeclare();
  await later(RELEASE_AFTER_MS / 2);
  await token('robot', '/count');
  await later(TOLD_MS);
  await put('/count', 4);
  expect(heardTypes).toEqual([TYPE, OTHER, TYPE]);
});

it('a topic is read on as it was while somebody publishes that, and the other type is told', async () => {
  const { session, heardTypes, subscribed, token, put, later } = await rig();
  const before = await token('robot', '/count');
  await later(TOLD_MS);
  await token('other', '/count', { type: OTHER });
  await later(TOLD_MS);
  await put('/count', 1);
  expect([heardTypes, subscribed()]).toEqual([[TYPE], 1]);
  expect(session.peerFaults.reports()).toMatchObject([{ topic: '/count', kind: 'type', count: 1 }]);
  await before.undeclare();
  await later(TOLD_MS);
  await put('/count', 2, OTHER);
  expect(heardTypes).toEqual([TYPE, OTHER]);
});

it('a topic that comes back latched is asked for as latched, and stays so', async () => {
  const { session, told, readers, token, later } = await rig();
  const latched = qosText({ ...LATCHED_QOS, depth: 1_000 });
  const durabilities = () => readers().map((one) => (one.includes(latched) ? 'latched' : 'volatile'));
  await token('base');
  const before = await token('robot', '/count');
  await later(TOLD_MS);
  expect(durabilities()).toEqual(['volatile']);
  await before.undeclare();
  await token('robot', '/count', { qos: LATCHED_QOS });
  await later(TOLD_MS);
  expect(durabilities()).toEqual(['latched']);
  // One that is not latched beside it: asked for again later, the cache would be recorded again.
  await token('other', '/count');
  await later(TOLD_MS);
  expect(durabilities()).toEqual(['latched']);
  expect(told).toEqual(['/count', '/count']);
  expect(session.peerFaults.reports()).toEqual([]);
});

it('a configured topic stays as it was configured', async () => {
  const { heardTypes, told, subscribed, token, put, later, session } = await rig(undefined, [
    { topic: '/count', type: TYPE, qos: DEFAULT_QOS },
  ]);
  await token('robot', '/count', { type: OTHER, qos: LATCHED_QOS });
  await later(TOLD_MS);
  await put('/count', 1, OTHER);
  await put('/count', 2);
  expect([heardTypes, told, subscribed()]).toEqual([[TYPE], [], 1]);
  expect(session.peerFaults.reports()).toMatchObject([{ topic: '/count', kind: 'type' }]);
});

it('a topic is read on while publishers of another quality of service come and go', async () => {
  const { source, session, numbers, told, readers, subscribed, token, put, later } = await rig();
  await token('robot', '/tf');
  await later(TOLD_MS);
  const ours = readers();
  await put('/tf', 1);
  for (let i = 0; i < 3; i++) {
    const passing = await token('other', '/tf', { qos: SENSOR_QOS });
    await later(TOLD_MS);
    await passing.undeclare();
    await later(TOLD_MS);
  }
  await put('/tf', 4);
  expect([numbers, source.state().lost]).toEqual([[1, 4], { '/tf': 2 }]);
  expect([readers(), subscribed(), told]).toEqual([ours, 1, ['/tf']]);
  expect(session.peerFaults.reports()).toEqual([]);
});

it('a latched topic is not asked for its cache again because somebody published it once', async () => {
  const { numbers, subscribed, token, put, later } = await rig();
  const once = await token('person', '/map');
  await token('robot', '/map', { qos: LATCHED_QOS });
  await put('/map', 1);
  await later(TOLD_MS);
  expect(numbers).toEqual([1]);
  await once.undeclare();
  await later(TOLD_MS);
  expect([numbers, subscribed()]).toEqual([[1], 1]);
});

it('a topic that is latched from now on is read on without a gap, and each message once', async () => {
  const opening = Promise.withResolvers<void>();
  const { source, numbers, readers, token, put, later } = await rig(async (count) => {
    if (count === 2) await opening.promise;
  });
  await put('/count', 1);
  await token('other', '/count');
  await later(TOLD_MS);
  for (const n of [2, 4]) await put('/count', n);
  const before = readers();
  await token('robot', '/count', { qos: LATCHED_QOS });
  await later(TOLD_MS);
  await put('/count', 5);
  expect([numbers, readers()]).toEqual([[2, 4, 5], before]);
  opening.resolve();
  await later(TOLD_MS);
  // What the cache holds from before our time is new.
  expect(numbers).toEqual([2, 4, 5, 1]);
  for (const n of [6, 9]) await put('/count', n);
  expect(numbers.slice(4)).toEqual([6, 9]);
  expect(source.state().lost).toEqual({ '/count': 3 });
  expect(readers()).toHaveLength(1);
  expect(readers()).not.toEqual(before);
});

it('a topic that cannot be read as latched is read on as before, and tried again', async () => {
  const { source, numbers, reports, readers, token, put, later } = await rig(async (count) => {
    if (count === 2) throw new Error('refused');
  });
  await token('other', '/count');
  await later(TOLD_MS);
  const before = readers();
  await token('robot', '/count', { qos: LATCHED_QOS });
  await later(TOLD_MS);
  await put('/count', 1);
  expect([numbers, readers()]).toEqual([[1], before]);
  expect(reports).toEqual([expect.stringMatching(/^\/count: could not be read: .*refused/)]);
  await token('third');
  await later(TOLD_MS);
  await put('/count', 3);
  expect([numbers, source.state().lost]).toEqual([[1, 3], { '/count': 1 }]);
  expect(readers()).toHaveLength(1);
  expect(readers()).not.toEqual(before);
});

it('a topic that is released while it is read anew leaves no token behind', async () => {
  const opening = Promise.withResolvers<void>();
  const { released, readers, token, later } = await rig(async (count) => {
    if (count === 2) await opening.promise;
  });
  await token('base');
  const topics = [await token('other', '/count')];
  await later(TOLD_MS);
  topics.push(await token('robot', '/count', { qos: LATCHED_QOS }));
  await later(TOLD_MS);
  for (const topic of topics) await topic.undeclare();
  await later(TOLD_MS);
  await later(RELEASE_AFTER_MS);
  expect([released, readers()]).toEqual([['/count'], []]);
  opening.resolve();
  await later(TOLD_MS);
  expect(readers()).toEqual([]);
});
