import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeError } from '../../adapters/zenoh/error-reply.ts';
import { EdgeError, LIMITS, type Policy } from '../../contract/index.ts';
import { VlaQueryable } from '../../daemon/execution/serving/vla-queryable.ts';
import { decodeVlaRequest, encodeChunk } from '../../formats/inference/index.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { deskOf, specOf } from '../support/desk.ts';

const MSGPACK = 'application/msgpack';
const JSON_TYPE = 'application/json';
const le = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const f32 = (...values: number[]) => ({
  shape: [values.length],
  dtype: 'float32',
  data: le(Float32Array.of(...values)),
});
const finite = fc.float({ noNaN: true, noDefaultInfinity: true });

describe('the payload of ai/inference/vla', () => {
  it('carries every finite float bit by bit, in MessagePack and in JSON', () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 1, maxLength: 50 }),
        fc.bigInt({ min: 0n, max: 9n ** 18n }),
        (values, stamp) => {
          const data = Float32Array.from(values);
          const shape = [1, data.length];
          const packed = encode({
            tensors: { x: { shape, dtype: 'float32', data: le(data) } },
            stamp: stamp.toString(),
          });
          const one = decodeVlaRequest(packed, MSGPACK, 5n).observation;
          expect(one.stamp).toBe(stamp);
          expect(one.tensors['x']!.shape).toEqual(shape);
          expect(le(one.tensors['x']!.data)).toEqual(le(data));
          // JSON has no -0; it is the only float that JSON changes.
          const text = json({ tensors: { x: { shape, dtype: 'float32', data: [...data] } } });
          const two = decodeVlaRequest(text, `${JSON_TYPE};utf-8`, 5n).observation;
          expect(le(two.tensors['x']!.data)).toEqual(le(data.map((v) => v + 0)));
          expect(two.stamp).toBe(5n);
        },
      ),
    );
  });

  it('takes the other number types, 64-bit integers, task and deadline', () => {
    const u8 = { shape: [2, 1], dtype: 'uint8', data: Uint8Array.of(0, 255) };
    const f64 = { shape: [1], dtype: 'float64', data: new Uint8Array(Float64Array.of(0.5).buffer) };
    const i32 = { shape: [1n], dtype: 'int32', data: new Uint8Array(Int32Array.of(-7).buffer) };
    const body = {
      tensors: { u8, f64, i32 },
      task: 'go',
      stamp: 1_700_000_000_000_000_001n,
      deadline_ms: 250,
    };
    const request = decodeVlaRequest(encode(body, { useBigInt64: true }), MSGPACK, 0n);
    expect(request.deadlineMs).toBe(250);
    expect(request.observation).toMatchObject({ task: 'go', stamp: 1_700_000_000_000_000_001n });
    expect(Object.values(request.observation.tensors).map((t) => [...t.data])).toEqual([
      [0, 255],
      [0.5],
      [-7],
    ]);
  });

  it.each([
    ['/tensors/x/data/1', { tensors: { x: f32(1, Number.NaN) } }],
    ['/tensors/x/data/0', { tensors: { x: f32(Number.POSITIVE_INFINITY) } }],
    ['/tensors/x/data', { tensors: { x: { ...f32(1, 2), shape: [3] } } }],
    ['/tensors/x/data', { tensors: { x: { ...f32(1, 2), data: new Uint8Array(7) } } }],
    ['/tensors/x/data', { tensors: { x: { ...f32(1), data: ['1'] } } }],
    ['/tensors/x/shape/0', { tensors: { x: { ...f32(1), shape: [0] } } }],
    ['/tensors/x/shape', { tensors: { x: { ...f32(1), shape: 'x' } } }],
    ['/tensors/x/dtype', { tensors: { x: { ...f32(1), dtype: 'float8' } } }],
    ['/tensors/x', { tensors: { x: [1, 2] } }],
    ['/tensors', { tensors: {} }],
    ['/tensors', {}],
    ['/extra', { tensors: { x: f32(1) }, extra: 1 }],
    ['/stamp', { tensors: { x: f32(1) }, stamp: '-1' }],
    ['/stamp', { tensors: { x: f32(1) }, stamp: 1.5 }],
    ['/task', { tensors: { x: f32(1) }, task: 'x'.repeat(5000) }],
    ['/deadline_ms', { tensors: { x: f32(1) }, deadline_ms: 0 }],
    ['/deadline_ms', { tensors: { x: f32(1) }, deadline_ms: 1e9 }],
    ['/', [1, 2]],
  ])('is refused with the path %s', (path, body) => {
    const refuse = () => decodeVlaRequest(encode(body), MSGPACK, 0n);
    expect(refuse).toThrow(expect.objectContaining({ code: 'model.bad_observation', subject: path }));
  });

  it('is refused above the limit, before it is read', () => {
    const big = new Uint8Array(LIMITS.POLICY_PAYLOAD_BYTES_MAX + 1);
    expect(() => decodeVlaRequest(big, MSGPACK, 0n)).toThrow(/the limit is/);
  });

  it('never fails in any other way, whatever the bytes', () => {
    const good = encode({ tensors: { x: f32(1, 2, 3) }, stamp: '7', task: 't' });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.boolean(),
        (flips, cut) => {
          const bytes = good.slice(0, cut ? (flips[0]?.[0] ?? 0) : good.length);
          for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
          for (const encoding of [MSGPACK, JSON_TYPE]) {
            try {
              decodeVlaRequest(bytes, encoding, 0n);
            } catch (error) {
              expect(error).toMatchObject({ name: 'EdgeError', code: 'model.bad_observation' });
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('does not send actions that are not finite', () => {
    const actions = { shape: [1, 1], data: Float32Array.of(Number.NaN) };
    const chunk = { actions, stepMs: 50, stamp: 0n, policyHash: 'h' };
    expect(() => encodeChunk(chunk, MSGPACK)).toThrow(expect.objectContaining({ code: 'model.failed' }));
  });
});

describe('serving a policy', () => {
  const observation = {
    scan: { shape: [1, 36], data: new Float32Array(36).fill(2.5) },
    state: { shape: [4], data: Float32Array.of(1, -2, 3, 0.1) },
  };
  const body = encode({
    tensors: Object.fromEntries(
      Object.entries(observation).map(([name, t]) => [
        name,
        { shape: t.shape, dtype: 'float32', data: le(t.data) },
      ]),
    ),
    stamp: '42',
    deadline_ms: 100,
  });

  async function serve(policy: Policy) {
    const [clock, fabric] = [new ManualClock(), new MemoryFabric()];
    const [server, asker] = [new MemoryKeySpace(clock, fabric), new MemoryKeySpace(clock, fabric)];
    const rig = await deskOf(clock, [specOf(policy.describe().name, () => policy)]);
    await new VlaQueryable({ prefix: 'robot/r1', clock, ...rig }).attach(server);
    const ask = (payload?: Uint8Array, encoding = MSGPACK) =>
      asker.query('robot/r1/ai/inference/vla', {
        ...(payload ? { payload, encoding } : {}),
        timeoutMs: 5_000,
      });
    return { clock, ask };
  }

  it('gives bit-equal actions', async () => {
    const { ask } = await serve(new HashPolicy());
    const [reply] = await ask(body);
    if (!reply?.ok) throw new Error(JSON.stringify(reply));
    expect(reply.value.encoding).toBe(MSGPACK);
    const answer = decode(reply.value.payload) as {
      actions: { data: Uint8Array; shape: number[] };
      stamp: string;
    };
    const chunk = await new HashPolicy().infer({ tensors: observation, stamp: 42n });
    expect(answer.actions.data).toEqual(le(chunk.actions.data));
    expect(answer).toMatchObject({
      stamp: '42',
      step_ms: 50,
      policy_hash: 'f'.repeat(64),
      actions: { shape: [8, 2] },
    });
  });

  it('answers a question without payload with the description', async () => {
    const { ask } = await serve(new HashPolicy());
    const [reply] = await ask();
    if (!reply?.ok) throw new Error(JSON.stringify(reply));
    expect(JSON.parse(new TextDecoder().decode(reply.value.payload))).toMatchObject({
      name: 'hash',
      inputs: { scan: [1, 36], state: [4] },
      output: [8, 2],
      step_ms: 50,
    });
  });

  it('answers for a deaf policy when the deadline is over, refuses a ninth question, and recovers', async () => {
    let finish: (() => void)[] = [];
    const policy = new HashPolicy();
    const deaf: Policy = {
      describe: () => policy.describe(),
      close: () => policy.close(),
      infer: (o) => new Promise((resolve) => finish.push(() => resolve(policy.infer(o)))),
    };
    const { clock, ask } = await serve(deaf);
    const asked = Array.from({ length: 9 }, () => ask(body));
    const [ninth] = await asked[8]!;
    expect(ninth).toMatchObject({ ok: false, error: { code: 'cell.overloaded', retryable: true } });
    await clock.advance(101);
    expect(await asked[0]).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    for (const done of finish) done();
    finish = [];
    await clock.advance(1);
    const next = ask(body);
    await clock.advance(1);
    for (const done of finish) done();
    expect(await next).toMatchObject([{ ok: true }]);
  });

  it('passes on typed errors of the policy and survives one that throws at once', async () => {
    const { ask } = await serve(new HashPolicy());
    expect(await ask(encode({ tensors: { scan: f32(1) } }))).toMatchObject([
      {
        ok: false,
        error: { code: 'model.bad_observation', message: expect.stringContaining('/tensors/scan') },
      },
    ]);
    const broken = new HashPolicy();
    broken.infer = () => {
      throw new Error('at once');
    };
    expect(await (await serve(broken)).ask(body)).toMatchObject([
      { ok: false, error: { message: 'at once' } },
    ]);
  });
});

describe('error replies', () => {
  it('of strangers become typed errors', () => {
    const decoded = decodeError(new TextEncoder().encode('no luck'), 'text/plain', 'k');
    expect(decoded).toMatchObject({ code: 'zenoh.failed', message: 'no luck' });
    expect(decodeError(new TextEncoder().encode('Timeout'), 'zenoh/string', 'k')).toMatchObject({
      code: 'deadline.exceeded',
    });
    expect(decodeError(new Uint8Array(0), '', 'k')).toMatchObject({ code: 'zenoh.failed' });
    expect(decodeError(encode({ code: 'no.such', operation: 'x' }), MSGPACK, 'k')).toMatchObject({
      code: 'zenoh.failed',
    });
    expect(
      decodeError(encode(new EdgeError('run.limit', { operation: 'o', subject: 's' }).toBody()), MSGPACK, 'k')
        .code,
    ).toBe('run.limit');
  });
});
