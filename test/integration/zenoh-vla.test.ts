import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { EdgeError, Policy } from '../../contract/index.ts';
import { System2Queryables } from '../../daemon/execution/serving/system2-queryables.ts';
import { VlaQueryable } from '../../daemon/execution/serving/vla-queryable.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';
import { system2Door } from '../support/inference-doors.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** A Python eclipse-zenoh client asks policies that this process serves, being the router as well. */
const DRIVE = join(import.meta.dirname, '../../apps/turtlebot-maze/policy/drive.onnx');
const ASKED = 100;
const clock = new SystemClock();
const faults: EdgeError[] = [];
const policies = new Map<string, Policy>();
let router: NativeKeySpace;
let endpoint: string;

beforeAll(async () => {
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
  router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, deps);
  policies.set('hash', new HashPolicy());
  policies.set('drive', await OnnxPolicy.load(DRIVE, clock));
  for (const [name, policy] of policies) {
    const rig = await deskOf(clock, [specOf(policy.describe().name, () => policy)]);
    await new VlaQueryable({ prefix: `robot/${name}`, clock, ...rig }).attach(router);
  }
});
afterAll(async () => {
  await router.close();
  for (const policy of policies.values()) await policy.close();
});

function floats(hex: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(hex, 'hex')).buffer);
}

describe.each(['hash', 'drive'])('a Python peer asking the policy "%s"', (name) => {
  const key = `robot/${name}/ai/inference/vla`;

  it.each([
    ['MessagePack', [], 'application/msgpack'],
    ['JSON', ['json'], 'application/json'],
  ])('gets actions bit-equal to the policy in process, over %s', async (_format, extra, encoding) => {
    const policy = policies.get(name)!;
    const { inputs, output, hash } = policy.describe();
    const peer = new ZenohPeer('vla', endpoint, key, '7', String(ASKED), ...extra);
    expect(await peer.exited).toBe(0);
    expect(peer.lines.filter((line) => 'error' in line)).toEqual([]);
    const answers = peer.lines.filter((line) => 'actions' in line);
    expect(answers).toHaveLength(ASKED);
    for (const answer of answers) {
      const given = Object.entries(answer['inputs'] as Record<string, string>);
      const tensors = Object.fromEntries(
        given.map(([input, hex]) => [input, { shape: inputs[input]!, data: floats(hex) }]),
      );
      const chunk = await policy.infer({ tensors, stamp: BigInt(String(answer['stamp'])) }, 5_000);
      const { data } = chunk.actions;
      expect(answer['actions']).toBe(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
      );
      expect(answer).toMatchObject({
        shape: [...output],
        step_ms: chunk.stepMs,
        stamp: chunk.stamp.toString(),
        policy_hash: hash,
        encoding,
      });
    }
    // Different observations, different actions: equality above is not that of a constant.
    expect(new Set(answers.map((a) => a['actions'])).size).toBeGreaterThan(ASKED / 2);
    expect(peer.lines[0]).toMatchObject({ description: { inputs, output, policy_hash: hash } });
  });

  it('is refused NaN, what is no MessagePack, and unknown fields, with typed errors', async () => {
    const peer = new ZenohPeer('refused', endpoint, key);
    expect(await peer.exited).toBe(0);
    const errors = peer.lines.map((line) => line['error'] as Record<string, unknown>);
    expect(errors.map((e) => [e['code'], e['retryable']])).toEqual(
      Array(3).fill(['model.bad_observation', false]),
    );
    expect(errors.map((e) => e['subject'])).toEqual([
      expect.stringMatching(/^\/tensors\/\w+\/data\/0$/),
      '/',
      '/extra',
    ]);
    for (const error of errors) {
      expect(Object.keys(error).sort()).toEqual([
        'code',
        'hint',
        'message',
        'operation',
        'retryable',
        'subject',
      ]);
    }
    expect(faults).toEqual([]);
  });
});

it('streams the answer of a model to a Python peer that asks for its pieces, and gives it whole to one that does not', async () => {
  const door = system2Door(clock, (_request, { onDelta }) => {
    for (const text of ['hel', 'lo ', 'there']) onDelta?.({ kind: 'text', text });
    return { text: 'hello there' };
  });
  await new System2Queryables({ prefix: 'robot/words', clock, door }).attach(router);
  const peer = new ZenohPeer('chat', endpoint, 'robot/words/ai/inference/chat');
  expect(await peer.exited).toBe(0);
  type Piece = { object: string; choices: { delta?: { content?: string }; message?: unknown }[] };
  const [whole, pieces, last, refused, schema] = peer.lines as unknown as [
    { answers: Piece[] },
    { answers: Piece[] },
    { last: Piece[] },
    { error: object },
    { schema: string },
  ];
  expect(whole.answers.map(({ object }) => object)).toEqual(['chat.completion']);
  expect(pieces.answers.at(-1)?.object).toBe('chat.completion');
  const words = pieces.answers.slice(0, -1).map(({ choices }) => choices[0]?.delta?.content ?? '');
  expect(words.join('')).toBe('hello there');
  expect(last.last.at(-1)?.object).toBe('chat.completion');
  expect(refused.error).toMatchObject({ code: 'schema.invalid', subject: '/n' });
  expect(schema.schema).toBe('ai/inference/chat');
});
