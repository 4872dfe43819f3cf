/** Another node of the robot, in a process of its own: asks a policy over Zenoh, and an echo beside it. */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { ZenohVlaPolicy } from '../../adapters/zenoh/vla-policy.ts';
import { randomObservation } from './random-observation.ts';

export type AskOrder = { readonly seed: number; readonly count: number };
export type AskReport = {
  /** Of each question, milliseconds: over the queryable, and of an echo of as many bytes. */
  readonly ms: readonly number[];
  readonly echoMs: readonly number[];
  /** Bits of the actions, hexadecimal. */
  readonly actions: readonly string[];
};

const [endpoint, key] = process.argv.slice(2) as [string, string];
const clock = new SystemClock();
const keySpace = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, { clock });
const policy = await ZenohVlaPolicy.connect({
  ...{ key, keySpace: () => keySpace, caller: 'bench', clock, policy: undefined, timeoutMs: 5_000 },
});
const echoed = new Uint8Array(512);

process.on('message', async ({ seed, count }: AskOrder) => {
  const report: { ms: number[]; echoMs: number[]; actions: string[] } = { ms: [], echoMs: [], actions: [] };
  for (let i = 0; i < count; i++) {
    const observation = randomObservation(policy.describe(), seed + i);
    const began = performance.now();
    const { actions } = await policy.infer(observation, 5_000);
    report.ms.push(performance.now() - began);
    const { data } = actions;
    report.actions.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'));
    const beganEcho = performance.now();
    await keySpace.query(`${key}-echo`, { payload: echoed, timeoutMs: 5_000, target: 'best_matching' });
    report.echoMs.push(performance.now() - beganEcho);
  }
  process.send!(report satisfies AskReport);
});
process.on('disconnect', () => void keySpace.close().then(() => process.exit(0)));
process.send!('ready');
