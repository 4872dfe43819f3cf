/**
 * The far end of a bad network: a native session in a process of its own (and, with `ip netns exec`, in a
 * namespace of its own). Payloads begin with a sequence number and the time they were sent, two float64.
 * For each line on stdin it prints what it has received.
 */
import { createInterface } from 'node:readline';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';

export type FarTopic = { count: number; last: number; disorder: number; latenciesMs: number[] };
export type FarReport = { topics: Record<string, FarTopic>; dropped: number };

const endpoint = process.argv[2]!;
const clock = new SystemClock();
const keySpace = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, { clock });
const topics: Record<string, FarTopic> = {};
const subscription = await keySpace.subscribe(
  'net/*',
  (values) => {
    const now = performance.timeOrigin + performance.now();
    for (const { key, payload } of values) {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      const number = view.getFloat64(0, true);
      topics[key] ??= { count: 0, last: -1, disorder: 0, latenciesMs: [] };
      const topic = topics[key];
      if (number <= topic.last) topic.disorder += 1;
      topic.count += 1;
      topic.last = number;
      topic.latenciesMs.push(now - view.getFloat64(8, true));
    }
  },
  { depth: 100_000 },
);
await keySpace.queryable('far/echo', async (query) => ({
  payload: query.payload!,
  encoding: query.encoding,
}));
await keySpace.liveliness('far/alive');
process.stdout.write('{"ready":true}\n');
for await (const _ of createInterface({ input: process.stdin })) {
  const report: FarReport = { topics, dropped: subscription.dropped() };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
await keySpace.close();
