import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { EdgeError, LIMITS, METHODS, type PolicyContext, type Reply } from '../../contract/index.ts';
import { System2Door } from '../../daemon/execution/serving/system2-door.ts';
import { System2Queryables } from '../../daemon/execution/serving/system2-queryables.ts';
import { ChatDesk } from '../../daemon/runtime/chat/chat-desk.ts';
import { serveChats } from '../../daemon/runtime/chat/chat-requests.ts';
import { ChatSessions } from '../../daemon/runtime/chat/chat-sessions.ts';
import { FakeLanguageModel, type ReplyOf } from '../fakes/fake-language-model.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { modelRig } from '../support/model-rig.ts';

const MSGPACK = 'application/msgpack';
const JSON_TYPE = 'application/json';
const WHO: PolicyContext = { tenant: 'local', principal: 'zenoh', roles: [], origin: 'zenoh' };
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const read = (reply: Reply | undefined) => {
  if (!reply?.ok) throw new Error(JSON.stringify(reply));
  return JSON.parse(new TextDecoder().decode(reply.value.payload)) as Record<string, unknown>;
};

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
    { handle: (name, answer) => void methods.set(name, (body) => answer(body as never, 'execution', 0, 0)) },
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
      return { text: 'hello' };
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

  it('ends a stream with an error where pieces went out that are none of the answer; whole it is good', async () => {
    const { ask } = await system2Rig((_request, { onDelta }) => {
      onDelta?.({ kind: 'text', text: 'I see h' });
      return { text: 'a cube' };
    });
    const replies = await ask('chat', { messages, stream: true });
    expect(replies.at(-1)).toMatchObject({ ok: false, error: { code: 'model.failed' } });
    expect(read((await ask('chat', { messages }))[0])).toMatchObject({
      choices: [{ message: { content: 'a cube' } }],
    });
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
