import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
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

  const zeros = { tensors: { x: { shape: [1, 4], data: new Float32Array(4) } }, stamp: 1n };

  /** With the clock, and how often a thread has loaded the network. */
  async function counted(hasty: Clock) {
    const seen = { loads: 0 };
    const onProvider = () => {
      seen.loads += 1;
    };
    return { seen, policy: await OnnxPolicy.load(tinyModel(directory), hasty, { onProvider }) };
  }

  it('settles by the deadline, and costs nobody the thread that all share', async () => {
    const { policy, seen } = await counted(hastyClock(new Set([0])));
    for (let i = 0; i < 3; i++)
      await expect(policy.infer(zeros, 0)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect((await policy.infer(zeros, 10_000)).actions.data).toHaveLength(4);
    expect(seen.loads).toBe(1);
    await policy.close();
    await expect(policy.infer(zeros, 1_000)).rejects.toMatchObject({ code: 'model.failed' });
  });

  it('has another thread in place of one that stays silent; nobody waits for it beyond his deadline', async () => {
    const over = new Set([0, 5_000]);
    const { policy, seen } = await counted(hastyClock(over));
    await expect(policy.infer(zeros, 1_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/abandoned/),
    });
    over.delete(5_000);
    await expect(policy.infer(zeros, 0)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect(seen.loads).toBe(1);
    expect((await policy.infer(zeros, 15_000)).actions.data).toHaveLength(4);
    expect(seen.loads).toBe(2);
    await policy.close();
  });

  it('computes nothing that nobody waits for any more: who is late again and again delays no other', async () => {
    const posted = vi.spyOn(Worker.prototype, 'postMessage');
    const { policy } = await counted(hastyClock(new Set([0])));
    const late = Array.from({ length: 20 }, () => policy.infer(zeros, 0));
    await Promise.all(late.map((one) => expect(one).rejects.toMatchObject({ code: 'deadline.exceeded' })));
    expect((await policy.infer(zeros, 10_000)).actions.data).toHaveLength(4);
    // The first of them was with the thread already.
    expect(posted).toHaveBeenCalledTimes(2);
    posted.mockRestore();
    await policy.close();
  });
});

describe('a process with ONNX policies', () => {
  /** Terminated, one of some fifty threads took its process along. */
  const ENDINGS = 80;

  // A thread that is terminated within ONNX Runtime aborts its whole process: on a robot, the cell that drives it.
  it('outlives policies that are closed while their networks are loaded and run', async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    const script = join(import.meta.dirname, '..', 'support', 'onnx-endings.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [
      script,
      tinyModel(directory),
      `${ENDINGS}`,
      `${seed}`,
    ]).catch((error) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    expect(stdout).toBe(`${ENDINGS} policies ended\n`);
  }, 120_000);

  it('is told at once that a policy was closed, asked in the same moment', async () => {
    const policy = await OnnxPolicy.load(tinyModel(directory), clock);
    const asked = policy.infer(
      { tensors: { x: { shape: [1, 4], data: new Float32Array(4) } }, stamp: 1n },
      60_000,
    );
    await Promise.all([
      expect(asked).rejects.toMatchObject({ code: 'model.failed', message: expect.stringMatching(/closed/) }),
      policy.close(),
    ]);
  });
});

/** Timers of these lengths are over as soon as nothing goes on without the thread, before it can have answered. */
function hastyClock(over: ReadonlySet<number>): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    every: (ms, fire) => clock.every(ms, fire),
    after(ms, fire) {
      if (!over.has(ms)) return clock.after(ms, fire);
      let live = true;
      const soon = async () => {
        for (let turn = 0; turn < 100; turn++) await Promise.resolve();
        if (live) fire();
      };
      void soon();
      return {
        cancel() {
          live = false;
        },
      };
    },
  };
}

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
