import { expect, it } from 'vitest';
import { makeAttachment } from '../../adapters/zenoh/ros/attachment.ts';
import { RosZenohSession, RosZenohSource } from '../../adapters/zenoh/ros/index.ts';
import { dataKey, tokenOf } from '../../adapters/zenoh/ros/names.ts';
import { qosText } from '../../adapters/zenoh/ros/qos-text.ts';
import { DEFAULT_QOS, type KeySpace } from '../../contract/core.ts';
import { DISCOVERED_NAMES_MAX, encodeAny, RELEASE_AFTER_MS, TypeBook } from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';

const TYPE = 'std_msgs/msg/UInt64';
/** Longer than a watcher of the graph waits for more changes. */
const TOLD_MS = 200;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A source that reads all it finds, beside one node that is always there and others that come and go. */
async function rig(gate: (count: number) => Promise<void> = async () => {}) {
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
  await source.open(
    [],
    ({ topic }) => heard.push(topic),
    () => {},
  );
  const theirs = new MemoryKeySpace(clock, fabric);
  let id = 0;
  const token = (node: string, topic?: string) =>
    theirs.liveliness(
      tokenOf({
        ...{ domain: 0, zid: 'abc', nodeId: node, entityId: `${id++}`, enclave: '', namespace: '/', node },
        kind: topic === undefined ? 'NN' : 'MP',
        ...(topic === undefined
          ? {}
          : { end: { name: topic, type: TYPE, hash: types.hash(TYPE), qos: qosText(DEFAULT_QOS) } }),
      }),
    );
  const put = async (topic: string, n: number) => {
    const attachment = makeAttachment(BigInt(n), 0n, new Uint8Array(16).fill(9));
    await theirs.put(dataKey(0, topic, TYPE, types.hash(TYPE)), encodeAny(TYPE, { data: n }), { attachment });
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
  const { reports, token, later, subscribed } = await rig();
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
  for (const name of ['/new', '/newer', '/out_1']) await token('robot', name);
  await later(TOLD_MS);
  await token('robot', '/newest');
  await later(TOLD_MS);
  expect(reports).toEqual([expect.stringMatching(/^\/new: .*4096 different topics.*restart.*ros\.deny/)]);
  expect(subscribed()).toBe(DISCOVERED_NAMES_MAX + 1);
});
