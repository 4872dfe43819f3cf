import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/lerobot/onnx-policy.ts';
import type { Clock } from '../../contract/index.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { policyConformance } from '../conformance/policy.ts';
import { tinyModel } from '../support/tiny-model.ts';

const directory = mkdtempSync(join(tmpdir(), 'policy-'));
const clock = new SystemClock();
const DRIVE = join(import.meta.dirname, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx');
afterAll(() => rmSync(directory, { recursive: true }));

policyConformance('ONNX, a network of two operations', () => OnnxPolicy.load(tinyModel(directory), clock));
policyConformance('ONNX, the driving network', () => OnnxPolicy.load(DRIVE, clock));
policyConformance('the analytic driver', () => Promise.resolve(new PursuitPolicy()));

describe('an ONNX policy', () => {
  it('computes what its network says', async () => {
    const policy = await OnnxPolicy.load(tinyModel(directory), clock);
    const chunk = await policy.infer(
      { tensors: { x: { shape: [1, 4], data: Float32Array.of(1, -2, 3.5, 0) } }, stamp: 1n },
      1_000,
    );
    expect([...chunk.actions.data]).toEqual([2, -4, 7, 0]);
    await policy.close();
  });

  it.each([
    ['a file that is not there', () => join(directory, 'missing.onnx'), /missing\.onnx/],
    [
      'a network that is not the one of its card',
      () => tinyModel(directory, { hash: 'f'.repeat(64) }),
      /SHA-256/,
    ],
    ['a file that is no network', () => garbage(), /onnx|protobuf|parse|load/i],
  ])('refuses %s with model.unavailable', async (_, path, message) => {
    await expect(OnnxPolicy.load(path(), clock)).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(message),
    });
  });

  it('refuses, when it is loaded, a network whose result has not the shape of its card', async () => {
    await expect(OnnxPolicy.load(tinyModel(directory, { output: [4, 1] }), clock)).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/gave shape \[2, 2\], its card says \[4, 1\]/),
    });
  });

  it('settles by the deadline and works again afterwards with a new thread', async () => {
    // A deadline that is over before any thread can answer, on every machine.
    const hasty = new SystemClock();
    const over: Clock = {
      now: () => hasty.now(),
      monotonicMs: () => hasty.monotonicMs(),
      every: (ms, fire) => hasty.every(ms, fire),
      after(ms, fire) {
        if (ms > 0) return hasty.after(ms, fire);
        queueMicrotask(fire);
        return { cancel() {} };
      },
    };
    const policy = await OnnxPolicy.load(tinyModel(directory), over);
    const observation = { tensors: { x: { shape: [1, 4], data: new Float32Array(4) } }, stamp: 1n };
    await expect(policy.infer(observation, 0)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect((await policy.infer(observation, 5_000)).actions.data).toHaveLength(4);
    await policy.close();
    await expect(policy.infer(observation, 1_000)).rejects.toMatchObject({ code: 'model.failed' });
  });
});

function garbage(): string {
  const bytes = 'this is no network';
  const path = join(directory, 'garbage.onnx');
  writeFileSync(path, bytes);
  writeFileSync(
    `${path}.json`,
    JSON.stringify({
      name: 'garbage',
      sha256: hashOf(bytes),
      inputs: { x: [1, 4] },
      output: { name: 'a', shape: [2, 2] },
      step_ms: 50,
    }),
  );
  return path;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
