import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { ZenohVlaPolicy } from '../../adapters/zenoh/vla-policy.ts';
import {
  type ActionChunk,
  EdgeError,
  LIMITS,
  METHODS,
  type Observation,
  type Policy,
  type PolicyContext,
  type Reply,
} from '../../contract/index.ts';
import { callerName } from '../../daemon/execution/serving/caller-name.ts';
import { System2Door } from '../../daemon/execution/serving/system2-door.ts';
import { System2Queryables } from '../../daemon/execution/serving/system2-queryables.ts';
import { VlaQueryable } from '../../daemon/execution/serving/vla-queryable.ts';
import { ChatDesk } from '../../daemon/runtime/chat/chat-desk.ts';
import { serveChats } from '../../daemon/runtime/chat/chat-requests.ts';
import { ChatSessions } from '../../daemon/runtime/chat/chat-sessions.ts';
import { decodeVlaRequest } from '../../formats/inference/index.ts';
import { FakeLanguageModel, type ReplyOf } from '../fakes/fake-language-model.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { deskOf, specOf } from '../support/desk.ts';
import { modelRig } from '../support/model-rig.ts';

const MSGPACK = 'application/msgpack';
const JSON_TYPE = 'application/json';
const WHO: PolicyContext = { tenant: 'local', principal: 'zenoh', roles: [], origin: 'zenoh' };
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

/** Both cells in one process: models that say what `reply` says, asked over the key space. */
async function system2Rig(reply: ReplyOf, plan?: (body: unknown) => Promise<unknown>) {
  const model = new FakeLanguageModel('small', reply);
  const models = modelRig([model]);
  const { clock } = models;
  const chat = new ChatDesk({
    models: models.router.forRun,
    names: () => ['small'],
    clock,
    ids: models.router.options.ids,
    emit: models.router.options.emit,
  });
  const methods = new Map<string, (body: unknown) => Promise<unknown>>();
  serveChats(
    { handle: (name, answer) => void methods.set(name, (body) => answer(body, 'execution')) },
    new ChatSessions(chat, clock),
  );
  if (plan) methods.set(METHODS.runtime.inferPlan, plan);
  const asked: string[] = [];
  const bus = {
    request: async <T>(to: string, method: string, body: unknown): Promise<T> => {
      asked.push(method);
      const answer = methods.get(method);
      if (!answer) throw new EdgeError('cell.unavailable', { operation: method, subject: to });
      return (await answer(body)) as T;
    },
  };
  const fabric = new MemoryFabric();
  const [server, asker] = [new MemoryKeySpace(clock, fabric), new MemoryKeySpace(clock, fabric)];
  let ids = 0;
  const door = new System2Door({ bus, clock, id: () => `id-${++ids}`, context: WHO });
  await new System2Queryables({ prefix: 'r1', clock, door }).attach(server);
  const ask = async (
    what: string,
    body?: unknown,
    more: Partial<Parameters<MemoryKeySpace['query']>[1]> = {},
  ) => {
    return asker.query(`r1/ai/inference/${what}`, {
      ...(body === undefined ? {} : { payload: json(body), encoding: JSON_TYPE }),
      timeoutMs: 400_000,
      ...more,
    });
  };
  return { ask, clock, model, models, methods, asked };
}
const messages = [{ role: 'user', content: 'hi' }];

describe('ai/inference/chat', () => {
  it('answers in the words of the OpenAI API, in JSON and in MessagePack', async () => {
    const { ask, model } = await system2Rig(() => ({ text: 'hello' }));
    const [one] = await ask('chat', { messages, max_tokens: 7 });
    expect(read(one)).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { content: 'hello' } }],
    });
    const [two] = await ask('chat', undefined, { payload: encode({ messages }), encoding: MSGPACK });
    if (!two?.ok) throw new Error(JSON.stringify(two));
    expect(two.value.encoding).toBe(MSGPACK);
    expect(decode(two.value.payload)).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
    expect(model.asked.map(({ maxTokens }) => maxTokens)).toEqual([7, 1024]);
  });

  it('streams: each piece as it comes, and the whole answer last', async () => {
    let go = () => {};
    const { ask } = await system2Rig(async (_request, { onDelta }) => {
      onDelta?.({ kind: 'text', text: 'hel' });
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      onDelta?.({ kind: 'text', text: 'lo' });
      return { text: '' };
    });
    const seen: unknown[] = [];
    const replies = await ask(
      'chat',
      { messages, stream: true, stream_options: { include_usage: true } },
      {
        onReply: (reply) => {
          seen.push((read(reply)['choices'] as { delta?: { content?: string } }[])[0]?.delta?.content);
          if (seen.length === 1) go();
        },
      },
    );
    expect(seen.slice(0, 2)).toEqual(['hel', 'lo']);
    expect(replies.map((reply) => read(reply)['object'])).toEqual([
      ...Array(4).fill('chat.completion.chunk'),
      'chat.completion',
    ]);
    expect(read(replies.at(-2))).toMatchObject({ choices: [], usage: { total_tokens: 15 } });
  });

  it('describes itself at a key of its own', async () => {
    const { ask } = await system2Rig(() => ({ text: '' }));
    for (const what of ['chat', 'plan']) {
      const [schema] = await ask(`${what}/schema`);
      expect(read(schema)).toMatchObject({
        title: `ai/inference/${what}`,
        $defs: { request: { type: 'object' } },
      });
    }
    expect(await ask('chat')).toMatchObject([{ ok: false, error: { code: 'schema.invalid' } }]);
  });

  it('answers by the deadline of the caller when the model is silent, ends the call, and serves the next one', async () => {
    let signal: AbortSignal | undefined;
    let silent = true;
    const { ask, clock } = await system2Rig((_request, options) => {
      signal = options.signal;
      return silent ? new Promise(() => {}) : { text: 'there' };
    });
    const asked = ask('chat', { messages, deadline_ms: 200 });
    await clock.advance(1);
    await clock.advance(300);
    expect(await asked).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    expect(signal?.aborted).toBe(true);
    silent = false;
    expect(read((await ask('chat', { messages }))[0])).toMatchObject({
      choices: [{ message: { content: 'there' } }],
    });
  });

  it('answers by the deadline when the other cell is deaf, and says at once when it is away', async () => {
    const { ask, clock, methods } = await system2Rig(() => ({ text: 'x' }));
    methods.set(METHODS.runtime.chatOpen, () => new Promise(() => {}));
    const asked = ask('chat', { messages, deadline_ms: 150 });
    await clock.advance(1);
    await clock.advance(151);
    expect(await asked).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    methods.delete(METHODS.runtime.chatOpen);
    expect(await ask('chat', { messages })).toMatchObject([
      { ok: false, error: { code: 'cell.unavailable', retryable: true } },
    ]);
  });

  it('is cancelled by the name that its caller gave it', async () => {
    let aborted = false;
    const { ask, clock } = await system2Rig((_request, { signal }) => {
      signal?.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    });
    const asked = ask('chat', { messages, call: 'mine-1' });
    await clock.advance(10);
    expect(read((await ask('chat/cancel?call=other'))[0])).toEqual({ cancelled: false });
    expect(read((await ask('chat/cancel?call=mine-1'))[0])).toEqual({ cancelled: true });
    expect(await asked).toMatchObject([{ ok: false, error: { code: 'run.cancelled' } }]);
    await clock.advance(10);
    expect(aborted).toBe(true);
  });

  it('lets a caller have a few calls open; who names itself otherwise is served', async () => {
    const open: (() => void)[] = [];
    const { ask, clock } = await system2Rig(
      () => new Promise((resolve) => open.push(() => resolve({ text: 'done' }))),
    );
    const greedy = Array.from({ length: LIMITS.CHATS_PER_CALLER_MAX }, () =>
      ask('chat?caller=greedy', { messages }),
    );
    await clock.advance(1);
    expect(await ask('chat?caller=greedy', { messages })).toMatchObject([
      { ok: false, error: { code: 'cell.overloaded' } },
    ]);
    const modest = ask('chat', { messages }, { attachment: new TextEncoder().encode('caller: modest') });
    await clock.advance(1);
    // The model has four places: the modest one is next in turn when one is free.
    open.shift()!();
    await clock.advance(1);
    open.at(-1)!();
    await clock.advance(1);
    expect(read((await modest)[0])).toMatchObject({ object: 'chat.completion' });
    for (const done of open) done();
    await clock.advance(1);
    await Promise.all(greedy);
  });

  it.each([
    ['no JSON', new TextEncoder().encode('{'), JSON_TYPE],
    ['MessagePack that is cut', encode({ messages }).slice(0, 9), MSGPACK],
    ['a million containers', new Uint8Array(1_000_000).fill(0x91), MSGPACK],
    ['an array that claims four billion items', Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), MSGPACK],
    ['more than the limit', new Uint8Array(LIMITS.CHAT_REQUEST_BYTES_MAX + 1), MSGPACK],
    ['a list', json([1]), JSON_TYPE],
  ])('refuses %s with words', async (_, payload, encoding) => {
    const { ask, model } = await system2Rig(() => ({ text: '' }));
    expect(await ask('chat', undefined, { payload, encoding })).toMatchObject([
      { ok: false, error: { code: 'schema.invalid' } },
    ]);
    expect(await ask('plan', undefined, { payload, encoding })).toMatchObject([
      {
        ok: false,
        error: { code: expect.stringMatching(/schema.invalid|model.bad_observation|cell.unavailable/) },
      },
    ]);
    expect(model.asked).toEqual([]);
  });
});

describe('ai/inference/plan', () => {
  const plan = { goal: 'go', steps: [] };

  it('hands the question over raw, under the rights of who asks, and gives the plan', async () => {
    let asked: unknown;
    const { ask } = await system2Rig(
      () => ({ text: '' }),
      async (body) => {
        asked = body;
        return { plan, run_id: 'r', model: 'm', model_id: 'm', dropped: [] };
      },
    );
    const [reply] = await ask('plan', { goal: 'go', steps_max: 3, deadline_ms: 500 });
    expect(read(reply)).toMatchObject({ plan, model: 'm' });
    expect(asked).toMatchObject({
      ask: { goal: 'go', steps_max: 3 },
      context: WHO,
      deadlineMs: 500,
      callId: 'id-1',
    });
  });

  it('answers by the deadline when nothing comes, and tells the other cell that nobody waits', async () => {
    const { ask, clock, asked } = await system2Rig(
      () => ({ text: '' }),
      () => new Promise(() => {}),
    );
    const question = ask('plan', { goal: 'go', deadline_ms: 80 });
    await clock.advance(1);
    await clock.advance(81);
    expect(await question).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    expect(asked).toContain(METHODS.runtime.planCancel);
  });

  it('passes typed errors on: nothing plans here, the goal cannot be had', async () => {
    const { ask, methods } = await system2Rig(() => ({ text: '' }));
    expect(await ask('plan', { goal: 'go' })).toMatchObject([
      { ok: false, error: { code: 'cell.unavailable' } },
    ]);
    methods.set(METHODS.runtime.inferPlan, async () => {
      throw new EdgeError('model.failed', { operation: 'plan', subject: 'x', message: 'no such plan came' });
    });
    expect(await ask('plan', { goal: 'go' })).toMatchObject([
      { ok: false, error: { code: 'model.failed', message: 'no such plan came' } },
    ]);
  });
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
        message: expect.stringContaining('another network answers'),
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
