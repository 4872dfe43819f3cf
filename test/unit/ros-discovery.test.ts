import { describe, expect, it } from 'vitest';
import { discoveredTopics } from '../../adapters/ros/discovery.ts';
import { joinSources, learnDefinition } from '../../adapters/ros/learn-definition.ts';
import { parameter } from '../../cli/commands/ros.ts';
import type { EndpointInfo, GraphSnapshot, Qos, RosApi } from '../../contract/core.ts';
import { decodeAny, encodeAny } from '../../formats/ros2/index.ts';
import { qosForPublishers, qosMismatches } from '../../formats/ros2/qos.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STRING = 'std_msgs/msg/String';
const qos = (more: Partial<Qos> = {}): Qos => ({
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
  ...more,
});
const by = (node: string, more: Partial<Qos> = {}, type = STRING): EndpointInfo => ({
  node,
  type,
  qos: qos(more),
});
const graphOf = (topics: Record<string, EndpointInfo[]>): GraphSnapshot => ({
  nodes: [],
  services: [],
  actions: [],
  topics: Object.entries(topics).map(([topic, publishers]) => ({
    topic,
    types: [],
    publishers,
    subscribers: [],
  })),
});

describe('what discovery bridges', () => {
  const rules = {
    allow: ['/**'],
    deny: ['/secret/**'],
    known: new Set(['/configured']),
    ownNodes: new Set(['/edge']),
  };
  it('is allowed, not denied, not hidden, not ours, and a message', () => {
    const graph = graphOf({
      '/scan': [by('/laser', { reliability: 'best_effort' }), by('/edge')],
      '/secret/key': [by('/a')],
      '/configured': [by('/a')],
      '/ours': [by('/edge')],
      '/nobody': [],
      '/move/_action/feedback': [by('/a', {}, 'x_msgs/action/Move_FeedbackMessage')],
      '/odd': [by('/a', {}, 'not a type')],
    });
    const found = discoveredTopics(graph, rules);
    expect(found.map(({ topic }) => topic)).toEqual(['/scan']);
    expect(found[0]!.qos).toMatchObject({ reliability: 'best_effort', durability: 'volatile' });
    expect(discoveredTopics(graph, { ...rules, allow: [] })).toEqual([]);
  });
  it('two types under one name: the first is heard, the other is named', () => {
    const graph = graphOf({ '/two': [by('/a'), by('/b', {}, 'std_msgs/msg/Int32')] });
    expect(discoveredTopics(graph, rules)[0]).toMatchObject({
      type: STRING,
      otherTypes: ['std_msgs/msg/Int32'],
    });
  });
});

describe('quality of service', () => {
  const policies: Partial<Qos>[] = [
    {},
    { reliability: 'best_effort' },
    { durability: 'transient_local' },
    { deadlineMs: 100 },
    { deadlineMs: 50, liveliness: 'manual_by_topic' },
    { livelinessLeaseMs: 1_000 },
  ];
  it('asked for as all publishers offer it always fits, and no stricter one is left out needlessly', () => {
    for (const a of policies)
      for (const b of policies) {
        const chosen = qosForPublishers([qos(a), qos(b)], 10);
        expect(qosMismatches(qos(a), chosen)).toEqual([]);
        expect(qosMismatches(qos(b), chosen)).toEqual([]);
        const bothReliable = [a, b].every(({ reliability }) => reliability !== 'best_effort');
        expect(chosen.reliability).toBe(bothReliable ? 'reliable' : 'best_effort');
      }
  });
  it('each policy that does not fit is named with both sides', () => {
    const offered = qos({ reliability: 'best_effort', deadlineMs: 200, livelinessLeaseMs: 500 });
    const asked = qos({
      durability: 'transient_local',
      deadlineMs: 100,
      liveliness: 'manual_by_topic',
      livelinessLeaseMs: 400,
    });
    expect(qosMismatches(offered, asked)).toEqual([
      { policy: 'reliability', offered: 'best_effort', requested: 'reliable' },
      { policy: 'durability', offered: 'volatile', requested: 'transient_local' },
      { policy: 'deadline', offered: '200 ms', requested: '100 ms' },
      { policy: 'liveliness', offered: 'automatic', requested: 'manual_by_topic' },
      { policy: 'liveliness_lease', offered: '500 ms', requested: '400 ms' },
    ]);
    expect(qosMismatches(asked, offered).map(({ policy }) => policy)).toEqual([]);
  });
});

describe('a definition told by a publisher', () => {
  const sources = [
    { type_name: 'own_msgs/msg/Part', encoding: 'msg', raw_file_contents: 'int32 size\n' },
    { type_name: 'own_msgs/msg/Whole', encoding: 'msg', raw_file_contents: 'Part part\nstring name\n' },
  ];
  it('is joined so that it reads its messages', () => {
    const definition = joinSources('own_msgs/msg/Whole', sources)!;
    const value = { part: { size: 3 }, name: 'äö' };
    const bytes = encodeAny('own_msgs/msg/Whole', value, definition);
    expect(decodeAny('own_msgs/msg/Whole', bytes, definition)).toEqual(value);
  });
  it('is not taken where a part is missing or is no .msg text', () => {
    expect(joinSources('own_msgs/msg/Other', sources)).toBeUndefined();
    expect(
      joinSources('own_msgs/msg/Whole', [{ ...sources[0]!, encoding: 'idl' }, sources[1]!]),
    ).toBeUndefined();
  });
});

describe('a definition asked of publishers', () => {
  const TYPE = 'own_msgs/msg/Whole';
  const source = { type_name: TYPE, encoding: 'msg', raw_file_contents: 'string name\n' };
  const hashed = (node: string): EndpointInfo => ({ ...by(node, {}, TYPE), typeHash: 'RIHS01_ab' });
  const nameless = hashed('_NODE_NAME_UNKNOWN_');

  /** Asks `first`, then whom the graph shows; `answer` is that of every node. */
  function asking(first: EndpointInfo[], seen: EndpointInfo[], answer: () => Promise<object>) {
    const clock = new ManualClock();
    const calls: string[] = [];
    const call = async (name: string) => {
      calls.push(name);
      return (await answer()) as Record<string, never>;
    };
    const api = { services: { call }, graph: { snapshot: async () => graphOf({ '/a': seen }) } };
    let learned: string | undefined | 'open' = 'open';
    const spec = { topic: '/a', type: TYPE };
    void learnDefinition(api as unknown as RosApi, clock, spec, first, 1_000).then((found) => {
      learned = found;
    });
    /** In small steps: each answer has its turn before the next pause begins. */
    const pass = async (ms: number) => {
      for (let i = 0; i < ms; i += 50) await clock.advance(50);
    };
    return { pass, calls, learned: () => learned };
  }
  const tells = async () => ({ successful: true, type_sources: [source] });

  it('waits for the name of a node that may tell', async () => {
    const { pass, calls, learned } = asking([nameless], [hashed('/late')], tells);
    await pass(50);
    expect([calls, learned()]).toEqual([[], 'open']);
    await pass(150);
    expect([calls, learned()]).toEqual([['/late/get_type_description'], 'string name\n']);
  });

  it('asks a node again that did not answer, until the time is over', async () => {
    let refusals = 2;
    const late = async () => (refusals-- > 0 ? Promise.reject(new Error('not yet')) : await tells());
    const patient = asking([hashed('/slow')], [hashed('/slow')], late);
    await patient.pass(500);
    expect([patient.calls.length, patient.learned()]).toEqual([3, 'string name\n']);
    const deaf = asking([hashed('/deaf')], [hashed('/deaf')], () => Promise.reject(new Error('deaf')));
    await deaf.pass(900);
    expect(deaf.learned()).toBe('open');
    await deaf.pass(300);
    expect(deaf.learned()).toBeUndefined();
  });

  it('does not wait for nodes that cannot tell, or said that they do not', async () => {
    const old = asking([by('/old', {}, TYPE)], [], tells);
    await old.pass(50);
    expect([old.calls, old.learned()]).toEqual([[], undefined]);
    const refusing = asking([hashed('/no')], [], async () => ({ successful: false, type_sources: [] }));
    await refusing.pass(50);
    expect([refusing.calls.length, refusing.learned()]).toEqual([1, undefined]);
  });
});

it('parameters are read from the command line as ROS reads them', () => {
  expect(parameter('true')).toEqual({ kind: 'bool', value: true });
  expect(parameter('9007199254740993')).toEqual({ kind: 'integer', value: '9007199254740993' });
  expect(parameter('0.4')).toEqual({ kind: 'double', value: 0.4 });
  expect(parameter('7.0')).toEqual({ kind: 'double', value: 7 });
  expect(parameter('left')).toEqual({ kind: 'string', value: 'left' });
  expect(parameter('[1, 2]')).toEqual({ kind: 'integers', value: [1, 2] });
  expect(parameter('[1.0, 2]')).toEqual({ kind: 'doubles', value: [1, 2] });
  expect(parameter('["a"]')).toEqual({ kind: 'strings', value: ['a'] });
  expect(() => parameter('[1, "a"]')).toThrow(/one kind/);
});
