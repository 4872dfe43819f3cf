import { expect, it } from 'vitest';
import { DEFAULT_QOS, LATCHED_QOS, type Sample } from '../../contract/index.ts';
import { LatchedMemory } from '../../daemon/execution/attached/latched-memory.ts';
import { SampleFeed } from '../../daemon/execution/attached/sample-feed.ts';
import type { ToServers } from '../../io/attached/messages.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const TYPE = 'std_msgs/msg/String';
const sample = (topic: string, n: number): Sample => ({
  ...{ topic, type: TYPE, stamp: 0n, received: 0n },
  bytes: new Uint8Array([n]),
});

it('clients hear latched samples that were published before their server started', () => {
  const taps = new Map<string, (sample: Sample, origin: 'robot') => void>();
  const bus = {
    tap: (name: string, receive: (sample: Sample, origin: 'robot') => void) => {
      taps.set(name, receive);
      return () => {};
    },
    last: (topic: string) => (topic === '/known' ? sample('/known', 9) : undefined),
  };
  const memory = new LatchedMemory(bus);
  const spec = (topic: string, qos = LATCHED_QOS) => ({ topic, type: TYPE, qos });
  memory.declare([spec('/map'), spec('/known'), spec('/odom', DEFAULT_QOS), spec('/gone')]);
  for (const one of ['/map', '/odom', '/map', '/tf_static', '/tf_static', '/gone'].map(sample))
    taps.get('latched')!(one, 'robot');
  memory.release(['/gone']);
  const posted: ToServers[] = [];
  const feed = new SampleFeed({
    ...{ bus, clock: new ManualClock(), post: (message) => posted.push(message), now: () => 0n },
    ...{ schemaOf: () => '', publish: async () => {}, watchGraph: () => {} },
  });
  feed.start();
  feed.remember(memory.samples());
  const heard = (topic: string) => {
    posted.length = 0;
    feed.receive({ kind: 'latest', topic, ticket: 1 });
    return posted.flatMap((message) => (message.kind === 'sample' ? [...message.sample.bytes] : []));
  };
  // Of a map the newest; of the fixed transforms all, since several nodes publish them.
  expect(['/map', '/known', '/odom', '/tf_static', '/gone'].map(heard)).toEqual([[2], [9], [], [3, 4], []]);
});
