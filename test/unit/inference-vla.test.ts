import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { ZenohVlaPolicy } from '../../adapters/zenoh/vla-policy.ts';
import {
  type ActionChunk,
  EdgeError,
  LIMITS,
  type Observation,
  type Policy,
  type Reply,
} from '../../contract/index.ts';
import { callerName } from '../../daemon/execution/serving/caller-name.ts';
import { VlaQueryable } from '../../daemon/execution/serving/vla-queryable.ts';
import { decodeVlaRequest } from '../../formats/inference/index.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { deskOf, specOf } from '../support/desk.ts';

const MSGPACK = 'application/msgpack';
const JSON_TYPE = 'application/json';
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const read = (reply: Reply | undefined) => {
  if (!reply?.ok) throw new Error(JSON.stringify(reply));
  return JSON.parse(new TextDecoder().decode(reply.value.payload)) as Record<string, unknown>;
};
const le = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const f32 = (...values: number[]) => ({
  shape: [values.length],
  dtype: 'float32',
  data: le(Float32Array.of(...values)),
});

describe('ai/inference/vla', () => {
  const observation: Observation = {
    tensors: {
      scan: { shape: [1, 36], data: new Float32Array(36).fill(1.25) },
      state: { shape: [4], data: Float32Array.of(1, 2, 3, 4) },
    },
    stamp: 42n,
  };
  const body = (more: object = {}) =>
    encode({
      tensors: Object.fromEntries(
        Object.entries(observation.tensors).map(([name, { shape, data }]) => [
          name,
          { shape, dtype: 'float32', data: le(data) },
        ]),
      ),
      stamp: '42',
      ...more,
    });

  async function vlaRig(policies: Parameters<typeof deskOf>[1]) {
    const clock = new ManualClock();
    const fabric = new MemoryFabric();
    const [server, asker] = [new MemoryKeySpace(clock, fabric), new MemoryKeySpace(clock, fabric)];
    const rig = await deskOf(clock, policies);
    await new VlaQueryable({ prefix: 'r1', clock, ...rig }).attach(server);
    const ask = (what: string, payload?: Uint8Array) =>
      asker.query(`r1/ai/inference/vla${what}`, {
        ...(payload ? { payload, encoding: MSGPACK } : {}),
        timeoutMs: 60_000,
      });
    return { ...rig, ask, clock, asker };
  }

  it('asks the policy that is named, in the selector or in the payload, and lists them', async () => {
    const [a, b] = [new HashPolicy(), new HashPolicy()];
    const { ask } = await vlaRig([specOf('a', () => a), specOf('b', () => b)]);
    await ask('', body());
    await ask('?policy=b', body());
    await ask('', body({ policy: 'b' }));
    expect([a.calls, b.calls]).toEqual([1, 2]);
    expect(await ask('?policy=c', body())).toMatchObject([{ ok: false, error: { code: 'model.not_found' } }]);
    expect(await ask('?policy=a', body({ policy: 'b' }))).toMatchObject([
      { ok: false, error: { subject: '/policy' } },
    ]);
    expect(read((await ask('/policies'))[0])).toMatchObject({
      policies: [
        { name: 'a', calls: 1 },
        { name: 'b', calls: 2 },
      ],
    });
    expect(read((await ask('/schema'))[0])).toMatchObject({ title: 'ai/inference/vla' });
    expect(read((await ask('?policy=b'))[0])).toMatchObject({ name: 'b', output: [8, 2] });
  });

  it('lets one caller ask much, and another one is served all the same', async () => {
    const order: string[] = [];
    const slow: Policy & { next: (() => void)[] } = Object.assign(new HashPolicy(), {
      next: [] as (() => void)[],
    });
    slow.infer = (seen) =>
      new Promise<ActionChunk>((resolve) => {
        order.push(seen.task ?? '');
        slow.next.push(() => void new HashPolicy().infer(seen).then(resolve));
      });
    const { ask, clock } = await vlaRig([specOf('p', () => slow)]);
    const asked = Array.from({ length: 12 }, (_, i) =>
      ask('?caller=greedy', body({ task: `greedy ${i}`, deadline_ms: 30_000 })),
    );
    const modest = ask('?caller=modest', body({ task: 'modest', deadline_ms: 30_000 }));
    for (let i = 0; i < 9; i++) {
      await clock.advance(1);
      slow.next.shift()?.();
    }
    expect(await modest).toMatchObject([{ ok: true }]);
    expect(order.indexOf('modest')).toBeLessThan(3);
    const refused = (await Promise.all(asked)).filter(([reply]) => !reply?.ok);
    expect(refused).toHaveLength(4);
  });

  it('is cancelled by the name of the call', async () => {
    const deaf = new HashPolicy();
    deaf.infer = () => new Promise(() => {});
    const { ask, clock } = await vlaRig([specOf('p', () => deaf)]);
    const asked = ask('', body({ call: 'c-1', deadline_ms: 20_000 }));
    await clock.advance(1);
    expect(read((await ask('/cancel?call=c-1'))[0])).toEqual({ cancelled: true });
    expect(await asked).toMatchObject([{ ok: false, error: { code: 'run.cancelled' } }]);
  });

  it('carries pictures bit by bit, and what is fixed already', () => {
    const pixels = Uint8Array.from({ length: 24 }, (_, i) => i * 7);
    const picture = { shape: [2, 4, 3], dtype: 'uint8' };
    const told = {
      tensors: { x: f32(1) },
      images: { front: { ...picture, data: pixels } },
      prefix: { ...f32(1, 2), shape: [1, 2] },
    };
    const packed = decodeVlaRequest(encode(told), MSGPACK, 0n);
    expect(packed.observation.images!['front']).toEqual({ shape: [2, 4, 3], data: pixels });
    expect([...packed.prefix!.data]).toEqual([1, 2]);
    const text = {
      tensors: {},
      images: { front: { ...picture, data: Buffer.from(pixels).toString('base64') } },
    };
    expect(
      new Uint8Array(decodeVlaRequest(json(text), JSON_TYPE, 0n).observation.images!['front']!.data),
    ).toEqual(pixels);
    for (const odd of [
      { ...picture, shape: [2, 4, 4] },
      { ...picture, shape: [2, 4] },
      { ...picture, dtype: 'float32' },
      { ...picture, shape: [2, 5, 3] },
      { ...picture, shape: [1e9, 1e9, 3] },
    ]) {
      const refuse = () =>
        decodeVlaRequest(encode({ tensors: {}, images: { front: { ...odd, data: pixels } } }), MSGPACK, 0n);
      expect(refuse).toThrow(expect.objectContaining({ code: 'model.bad_observation' }));
    }
  });

  it('reads each type as the same numbers, wherever in the payload its bytes lie', () => {
    const values = [0, 1, 2.5, -3, 254];
    const arrays = {
      float32: Float32Array.from(values),
      float64: Float64Array.from(values),
      int32: Int32Array.from(values),
      uint8: Uint8Array.from([0, 1, 2, 3, 254]),
    };
    for (const [dtype, typed] of Object.entries(arrays))
      for (const task of ['', 'x', 'xx', 'xxx']) {
        const bytes = new Uint8Array(typed.buffer);
        const told = { task, tensors: { x: { shape: [5], dtype, data: bytes } } };
        const { tensors } = decodeVlaRequest(encode(told), MSGPACK, 0n).observation;
        expect([...tensors['x']!.data]).toEqual([...typed]);
        const short = { tensors: { x: { shape: [6], dtype, data: bytes } } };
        expect(() => decodeVlaRequest(encode(short), MSGPACK, 0n)).toThrow(/holds 5 values/);
      }
    for (const odd of [Number.NaN, Infinity, 1e300]) {
      const data = new Uint8Array(Float64Array.of(1, odd).buffer);
      const told = { tensors: { x: { shape: [2], dtype: 'float64', data } } };
      expect(() => decodeVlaRequest(encode(told), MSGPACK, 0n)).toThrow(/x\/data\/1: .*finite/);
    }
  });

  it('has so many values of all tensors together, and is refused before they are made', () => {
    const half = LIMITS.POLICY_VALUES_MAX / 2;
    const bytes = (count: number) => ({ shape: [count], dtype: 'uint8', data: new Uint8Array(count) });
    const asked = (...counts: number[]) =>
      encode({ tensors: Object.fromEntries(counts.map((count, i) => [`t${i}`, bytes(count)])) });
    expect(decodeVlaRequest(asked(half, half), MSGPACK, 0n).observation.tensors['t1']!.data).toHaveLength(
      half,
    );
    expect(() => decodeVlaRequest(asked(half, half, 1), MSGPACK, 0n)).toThrow(
      /t2\/shape: .*more than the 8388608 values/,
    );
  });

  it('refuses large JSON before it is read, and takes as much as MessagePack', () => {
    const data = new Uint8Array(3 * 1024 * 1024);
    const large = { tensors: {}, images: { front: { shape: [1024, 1024, 3], dtype: 'uint8', data } } };
    expect(decodeVlaRequest(encode(large), MSGPACK, 0n).observation.images!['front']!.data).toHaveLength(
      data.length,
    );
    const text = json({
      ...large,
      images: { front: { ...large.images.front, data: Buffer.from(data).toString('base64') } },
    });
    expect(() => decodeVlaRequest(text, JSON_TYPE, 0n)).toThrow(/the limit is 2097152/);
  });

  it.each([
    ['?a=1;caller=arm-7;b=2', 'arm-7'],
    ['caller=arm 7', 'anonymous'],
    [`caller=${'x'.repeat(65)}`, 'anonymous'],
    ['mycaller=x', 'anonymous'],
  ])('takes who asks from %s as %s', (parameters, name) => {
    expect(callerName(parameters.replace('?', ''), undefined)).toBe(name);
  });

  describe('as a policy of another node', () => {
    const connect = async (policies: Parameters<typeof deskOf>[1], policy?: string) => {
      const rig = await vlaRig(policies);
      const options = {
        key: 'r1/ai/inference/vla',
        caller: 'r2',
        clock: rig.clock,
        timeoutMs: 1_000,
        policy,
      };
      return { ...rig, open: () => ZenohVlaPolicy.connect({ ...options, keySpace: () => rig.asker }) };
    };

    it('gives bit-equal actions and describes itself as the far one does', async () => {
      const { open } = await connect(
        [specOf('a', () => new HashPolicy()), specOf('b', () => new HashPolicy())],
        'b',
      );
      const policy = await open();
      expect(policy.describe()).toMatchObject({ name: 'b', inputs: { scan: [1, 36] }, output: [8, 2] });
      expect(policy.reset).toBeUndefined();
      const chunk = await policy.infer(observation, 1_000);
      expect(chunk).toEqual(await new HashPolicy().infer(observation));
      await expect(policy.infer({ ...observation, tensors: {} }, 1_000)).rejects.toMatchObject({
        code: 'model.bad_observation',
      });
      await policy.close();
      await expect(policy.infer(observation, 1_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    });

    it('takes the first answer, and waits for nobody else at its key', async () => {
      const { open, asker } = await connect([specOf('a', () => new HashPolicy())]);
      const policy = await open();
      await asker.queryable('*/ai/inference/vla', () => new Promise(() => {}));
      expect(await policy.infer(observation, 1_000)).toEqual(await new HashPolicy().infer(observation));
    });

    it('begins an episode with the first question and after each reset, and once more when that question failed', async () => {
      const seen: string[] = [];
      let fail = true;
      class Remembers extends HashPolicy {
        override async infer(told: Observation): Promise<ActionChunk> {
          if (fail) throw new EdgeError('model.failed', { operation: 'infer', subject: 'p' });
          seen.push('infer');
          return super.infer(told);
        }
        async reset(): Promise<void> {
          seen.push('reset');
        }
      }
      const { open } = await connect([specOf('a', () => new Remembers())]);
      const policy = await open();
      await expect(policy.infer(observation, 1_000)).rejects.toMatchObject({ code: 'model.failed' });
      fail = false;
      seen.length = 0;
      await policy.infer(observation, 1_000);
      await policy.infer(observation, 1_000);
      await policy.reset?.();
      await policy.infer(observation, 1_000);
      expect(seen).toEqual(['reset', 'infer', 'infer', 'reset', 'infer']);
    });

    it('refuses the actions of another network than the one that described itself, and says when nobody is there', async () => {
      const policy = new HashPolicy();
      const { open, desk, asker } = await connect([specOf('a', () => policy)]);
      const far = await open();
      const other = new HashPolicy();
      other.describe = () => ({ ...new HashPolicy().describe(), hash: 'e'.repeat(64) });
      await desk.apply([specOf('a', () => other)]);
      await expect(far.infer(observation, 1_000)).rejects.toMatchObject({
        code: 'model.failed',
        message: expect.stringContaining('a different network answers'),
      });
      const nobody = {
        key: 'nobody/ai/inference/vla',
        caller: 'r2',
        clock: new ManualClock(),
        timeoutMs: 100,
        policy: undefined,
      };
      await expect(ZenohVlaPolicy.connect({ ...nobody, keySpace: () => asker })).rejects.toMatchObject({
        code: 'model.unavailable',
      });
      await expect(ZenohVlaPolicy.connect({ ...nobody, keySpace: () => undefined })).rejects.toMatchObject({
        code: 'model.unavailable',
      });
    });
  });
});
