import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { EdgeError } from '../../contract/index.ts';

/** Two sessions, a large value and a query between them; prints what came and what was reported, as JSON. */
const [, , port] = process.argv;
const clock = new SystemClock();
const faults: EdgeError[] = [];
const deps = { clock, onFault: (fault: EdgeError) => void faults.push(fault) };
const endpoint = `tcp/127.0.0.1:${port}`;
const there = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, deps);
const here = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, deps);
let bytes = 0;
await there.subscribe('tight/value', (values) => {
  for (const { payload } of values) bytes = payload.byteLength;
});
await there.queryable('tight/ask', async () => ({ payload: new Uint8Array(3), encoding: 'text/plain' }));
let answered = false;
for (let tries = 0; tries < 100 && (bytes === 0 || !answered); tries++) {
  const frame = await here.allocate(1_000_000);
  await here.put('tight/value', frame.fill(7));
  answered ||= (await here.query('tight/ask', { timeoutMs: 1_000 })).some(({ ok }) => ok);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
await Promise.all([here.close(), there.close()]);
process.stdout.write(JSON.stringify({ bytes, answered, faults: faults.map((fault) => fault.toBody()) }));
