/**
 * Another node of the robot, in a process of its own: for each observation it asks the policy over Zenoh, an echo of as
 * many bytes, and the same policy directly in its own process, one after the other.
 */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { ZenohVlaPolicy } from '../../adapters/zenoh/vla-policy.ts';
import type { ActionChunk } from '../../contract/core.ts';
import { randomObservation } from './random-observation.ts';

export type AskOrder = { readonly seed: number; readonly count: number };
export type AskReport = {
  /** Of each question, milliseconds. */
  readonly askedMs: readonly number[];
  readonly echoMs: readonly number[];
  readonly directMs: readonly number[];
  /** Questions whose actions had other bits than the direct ones. */
  readonly unequal: number;
};

const [endpoint, key, model] = process.argv.slice(2) as [string, string, string];
const clock = new SystemClock();
const keySpace = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, { clock });
const direct = await OnnxPolicy.load(model, clock);
const asked = await ZenohVlaPolicy.connect({
  ...{ key, keySpace: () => keySpace, caller: 'bench', clock, policy: undefined, timeoutMs: 5_000 },
});
const echoed = new Uint8Array(512);

process.on('message', async ({ seed, count }: AskOrder) => {
  const [askedMs, echoMs, directMs]: [number[], number[], number[]] = [[], [], []];
  let unequal = 0;
  for (let i = 0; i < count; i++) {
    const observation = randomObservation(direct.describe(), seed + i);
    const far = await timed(askedMs, () => asked.infer(observation, 5_000));
    await timed(echoMs, () =>
      keySpace.query(`${key}-echo`, { payload: echoed, timeoutMs: 5_000, target: 'best_matching' }),
    );
    const near = await timed(directMs, () => direct.infer(observation, 5_000));
    if (bits(far) !== bits(near)) unequal += 1;
  }
  process.send!({ askedMs, echoMs, directMs, unequal } satisfies AskReport);
});
process.on('disconnect', () => void keySpace.close().then(() => process.exit(0)));
process.send!('ready');

async function timed<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  into.push(performance.now() - began);
  return result;
}

function bits({ actions: { data } }: ActionChunk): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
}
