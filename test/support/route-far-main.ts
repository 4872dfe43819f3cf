/**
 * Who reads the routes of a robot from the far end of a network: counts what comes of each key, by the numbers of
 * its notes, and how long after its stamp. For each line on stdin it prints what it has received.
 */
import { createInterface } from 'node:readline';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { decodeNote } from '../../daemon/execution/routes/note.ts';

export type FarKey = { count: number; latenciesMs: number[] };
export type FarKeys = Record<string, FarKey>;

const [endpoint = '', keyExpr = ''] = process.argv.slice(2);
const clock = new SystemClock();
const keySpace = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, { clock });
const keys: FarKeys = {};
await keySpace.subscribe(
  keyExpr,
  (values) => {
    const now = performance.timeOrigin + performance.now();
    for (const { key, attachment } of values) {
      keys[key] ??= { count: 0, latenciesMs: [] };
      keys[key].count += 1;
      const { stamp } = decodeNote(attachment);
      if (stamp !== undefined) keys[key].latenciesMs.push(now - Number(stamp) / 1e6);
    }
  },
  { depth: 100_000 },
);
process.stdout.write('{"ready":true}\n');
for await (const _ of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(keys)}\n`);
await keySpace.close();
