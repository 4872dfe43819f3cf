import { expect, it } from 'vitest';
import type { Sample, TopicSpec } from '../../contract/index.ts';
import { ClientTopics } from '../../daemon/execution/attached/client-topics.ts';
import { RobotSink } from '../../daemon/execution/door/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const sample = (topic: string): Sample => ({
  ...{ topic, type: 'std_msgs/msg/Empty', stamp: 1n, received: 1n, bytes: new Uint8Array(4) },
});

it('a topic that clients no longer publish to gives its place to another', async () => {
  const clock = new ManualClock();
  const open = new Set<string>();
  const topics = new ClientTopics({
    clock,
    path: {
      refusal: () => undefined,
      send: () => ({ verdict: 'sent' }) as never,
      advertise: async ({ topic }: TopicSpec) => void open.add(topic),
      withdraw: async (topic) => void open.delete(topic),
    },
  });
  for (let n = 0; n < 256; n++) await topics.publish(sample(`/trial/${n}`));
  await expect(topics.publish(sample('/more'))).rejects.toMatchObject({ code: 'robot.not_supported' });
  await clock.advance(60_000);
  await topics.publish(sample('/trial/0'));
  await topics.publish(sample('/more'));
  expect([open.size, open.has('/trial/0'), open.has('/trial/1'), open.has('/more')]).toEqual([
    ...[256, true, false, true],
  ]);
  await topics.publish(sample('/trial/1'));
  expect([open.size, open.has('/trial/2')]).toEqual([256, false]);
});

it('a topic of several senders stays until all are done with it', async () => {
  const withdrawn: string[] = [];
  const sink = new RobotSink({
    advertise: async () => {},
    offer: () => true,
    withdraw: async (topic) => void withdrawn.push(topic),
    close: async () => {},
  });
  const spec = { topic: '/goal', type: 'std_msgs/msg/Empty', qos: {} } as unknown as TopicSpec;
  await sink.advertise(spec);
  await sink.advertise(spec);
  await sink.withdraw('/goal');
  expect(withdrawn).toEqual([]);
  await sink.withdraw('/goal');
  expect(withdrawn).toEqual(['/goal']);
});
