/** Closes policies while their networks are loaded or asked, again and again; says how often at the end. */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { seeded } from '../../scripts/policy/random.ts';

const [path, times, seed] = process.argv.slice(2);
const random = seeded(Number(seed));
const clock = new SystemClock();
const question = { tensors: { x: { shape: [1, 4], data: new Float32Array(4) } }, stamp: 1n };

let ended = 0;
for (; ended < Number(times); ended++) {
  const policy = await OnnxPolicy.load(path!, clock);
  const asked = policy.infer(question, 1_000).catch(() => undefined);
  // The question is with the thread.
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  const until = performance.now() + random.between(0, 1.5);
  while (performance.now() < until);
  await policy.close();
  await asked;
}
process.stdout.write(`${ended} policies ended\n`);
