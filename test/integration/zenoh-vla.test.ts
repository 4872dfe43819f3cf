import { afterAll, beforeAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { serveVla } from '../../adapters/zenoh/vla-queryable.ts';
import type { EdgeError } from '../../contract/index.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** A Python eclipse-zenoh client asks a policy that this process serves, being the router as well. */
const clock = new SystemClock();
const policy = new HashPolicy();
const faults: EdgeError[] = [];
let router: NativeKeySpace;
let endpoint: string;

beforeAll(async () => {
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
  router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, deps);
  await serveVla(router, policy, { prefix: 'robot/r1', clock });
});
afterAll(() => router.close());

function floats(hex: unknown): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(String(hex), 'hex')).buffer);
}

it.each([
  ['MessagePack', [], 'application/msgpack'],
  ['JSON', ['json'], 'application/json'],
])(
  'a Python peer gets actions bit-equal to the policy in process, over %s',
  async (_name, extra, encoding) => {
    const count = 100;
    const peer = new ZenohPeer('vla', endpoint, 'robot/r1/ai/inference/vla', '7', String(count), ...extra);
    expect(await peer.exited).toBe(0);
    const answers = peer.lines.filter((line) => 'actions' in line);
    expect(answers).toHaveLength(count);
    for (const answer of answers) {
      const tensors = {
        scan: { shape: [1, 36], data: floats(answer['scan']) },
        state: { shape: [4], data: floats(answer['state']) },
      };
      const chunk = await policy.infer({ tensors, stamp: BigInt(String(answer['stamp'])) });
      expect(answer['actions']).toBe(Buffer.from(chunk.actions.data.buffer).toString('hex'));
      expect(answer).toMatchObject({
        shape: [...chunk.actions.shape],
        step_ms: chunk.stepMs,
        stamp: chunk.stamp.toString(),
        policy_hash: chunk.policyHash,
        encoding,
      });
    }
    expect(new Set(answers.map((a) => a['actions'])).size).toBe(count);
  },
);

it('refuses NaN, what is no MessagePack, and unknown fields with typed errors, and describes itself', async () => {
  const peer = new ZenohPeer('vla', endpoint, 'robot/r1/ai/inference/vla', '8', '1');
  expect(await peer.exited).toBe(0);
  const errors = peer.lines
    .filter((line) => 'error' in line)
    .map((line) => line['error'] as Record<string, unknown>);
  expect(errors).toHaveLength(3);
  expect(errors.map((e) => [e['code'], e['retryable']])).toEqual(
    Array(3).fill(['model.bad_observation', false]),
  );
  expect(errors.map((e) => e['subject'])).toEqual(['/tensors/scan/data/0', '/', '/extra']);
  expect(Object.keys(errors[0]!).sort()).toEqual([
    'code',
    'hint',
    'message',
    'operation',
    'retryable',
    'subject',
  ]);
  expect(await peer.until((line) => 'description' in line)).toMatchObject({
    description: { name: 'hash', inputs: { scan: [1, 36], state: [4] }, output: [8, 2], step_ms: 50 },
  });
  expect(faults).toEqual([]);
});
