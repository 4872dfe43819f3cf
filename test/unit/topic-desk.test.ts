import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_QOS, LIMITS, type Sample } from '../../contract/index.ts';
import { TopicDesk } from '../../daemon/execution/attached/topic-desk.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { decodeAny, encodeAny, schemaFor } from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const TEXT = 'std_msgs/msg/String';
const LAMP = 'acme_msgs/msg/Lamp';
const LAMP_TEXT = 'bool on';

describe('topics for requests of the API', () => {
  let clock: ManualClock;
  let bus: SampleBus;
  let desk: TopicDesk;
  let published: Sample[];
  beforeEach(() => {
    clock = new ManualClock();
    bus = new SampleBus({ clock, ledger: new Ledger() });
    published = [];
    desk = new TopicDesk({
      ...{ bus, clock },
      topics: () => [{ topic: '/lamp', type: LAMP, qos: { ...DEFAULT_QOS, durability: 'transient_local' } }],
      schemaOf: (type) => schemaFor(type)?.data,
      publish: async (sample) => void published.push(sample),
    });
  });
  const say = (data: string, received: bigint, topic = '/note') =>
    bus.publish({ topic, type: TEXT, stamp: received, received, bytes: encodeAny(TEXT, { data }) });

  it('lists what is offered and what came', () => {
    say('hello', 1n);
    expect(desk.list()).toMatchObject([
      { topic: '/lamp', type: LAMP, latched: true, readable: false },
      { topic: '/note', type: TEXT, latched: false, readable: true },
    ]);
  });

  it('gives the newest message, or waits for the first one after a time', async () => {
    say('one', 1n);
    expect(await desk.next({ topic: '/note', waitMs: 0 })).toMatchObject({ message: { data: 'one' } });
    const next = desk.next({ topic: '/note', afterNs: 1n, waitMs: 1_000 });
    say('elsewhere', 2n, '/other');
    say('two', 3n);
    expect(await next).toMatchObject({ message: { data: 'two' }, received: 3n });
    const none = desk.next({ topic: '/note', afterNs: 3n, waitMs: 1_000 });
    clock.advance(1_000);
    expect(await none).toBeUndefined();
  });

  it('bounds what waits and what is shown', async () => {
    const ask = () => desk.next({ topic: '/note', afterNs: 0n, waitMs: 1_000 });
    await expect(ask()).rejects.toMatchObject({ code: 'api.not_found' });
    say('before', 0n);
    const waiting = Array.from({ length: LIMITS.TOPIC_WAITS_MAX }, ask);
    await expect(ask()).rejects.toMatchObject({ code: 'cell.overloaded' });
    say('for all', 1n);
    expect((await Promise.all(waiting)).every((sample) => sample?.received === 1n)).toBe(true);
    say('x'.repeat(LIMITS.TOPIC_JSON_BYTES_MAX), 2n);
    await expect(ask()).rejects.toMatchObject({
      code: 'limit.exceeded',
      hint: expect.stringContaining('/v1/live'),
    });
  });

  it('publishes any type whose definition is known or given, and names what does not fit', async () => {
    expect(await desk.publish({ topic: '/note', type: TEXT, message: { data: 'hi' } })).toBe(11);
    const lamp = { topic: '/lamp', type: LAMP, message: { on: true } };
    await expect(desk.publish(lamp)).rejects.toMatchObject({ code: 'sample.unknown_type' });
    await desk.publish({ ...lamp, definition: LAMP_TEXT });
    expect(published.map(({ topic }) => topic)).toEqual(['/note', '/lamp']);
    expect(decodeAny(LAMP, published[1]!.bytes, LAMP_TEXT)).toEqual({ on: true });
    for (const [order, message] of [
      [{ ...lamp, type: 'Lamp' }, 'expected a type like std_msgs/msg/String, found Lamp'],
      [{ topic: '/note', type: TEXT, message: { text: '' } }, '/text: no such field'],
      [
        { topic: '/note', type: TEXT, message: { data: Number.NaN } },
        '/message/data: must be a finite number',
      ],
    ] as const)
      await expect(desk.publish(order)).rejects.toMatchObject({ message });
    say('known', 1n, '/lamp');
    await expect(desk.publish({ ...lamp, definition: LAMP_TEXT })).rejects.toMatchObject({
      message: `/lamp has messages of ${TEXT}, not of ${LAMP}`,
    });
    await expect(
      desk.publish({ ...lamp, type: TEXT, message: {}, definition: 'no such thing' }),
    ).resolves.toBe(9);
    expect(published).toHaveLength(3);
  });

  it.each([
    ['one long array', 'uint8[4000000000] x', {}],
    ['arrays of arrays', 'a/B[1000] x\n===\nMSG: a/B\na/C[1000] x\n===\nMSG: a/C\nfloat64[1000] x', {}],
    ['many empty messages', 'a/B[4000000000] x\n===\nMSG: a/B\n', {}],
    [
      'many elements of a list',
      'a/B[] x\n===\nMSG: a/B\nfloat64[10000] x',
      { x: Array.from({ length: 10_000 }, () => ({})) },
    ],
  ])(
    'refuses a message that its definition makes longer than the memory: %s',
    async (_, definition, message) => {
      await expect(desk.publish({ topic: '/lamp', type: LAMP, message, definition })).rejects.toMatchObject({
        code: 'sample.malformed',
        message: expect.stringContaining(String(LIMITS.TOPIC_JSON_BYTES_MAX)),
      });
      expect(published).toEqual([]);
    },
  );
});
