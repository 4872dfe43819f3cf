import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError, type NewEvent } from '../../contract/index.ts';
import { ChatDesk } from '../../daemon/runtime/chat/chat-desk.ts';
import { request } from '../conformance/language-model.ts';
import { CALL, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { type ModelRig, modelRig } from '../support/model-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

/** Lets everything that needs no time come to its end. */
const passing = () => new Promise((resolve) => setImmediate(resolve));

function deskOf({ router }: ModelRig, emit = router.options.emit): ChatDesk {
  const names = () => router.entries.map(({ name }) => name);
  const { clock, ids } = router.options;
  return new ChatDesk({ models: router.forRun, names, clock, ids, emit });
}

describe('the end of a chat', () => {
  const { messages, maxTokens, temperature } = request();
  const ask = (desk: ChatDesk) =>
    desk.complete(
      {
        caller: 'c',
        context: PERSON,
        request: { messages, maxTokens, temperature, deadlineMs: 5_000 },
        model: 'auto',
      },
      {},
    );
  const models = () => modelRig([new FakeLanguageModel('m', () => ({ text: 'x' }))]);
  const isEnd = (events: readonly NewEvent[]) => events.some(({ kind }) => kind === 'model.returned');

  it('is durable before the answer goes out', async () => {
    const written = Promise.withResolvers<void>();
    let answered = false;
    const call = ask(
      deskOf(models(), async (events) => {
        if (isEnd(events)) await written.promise;
      }),
    );
    void call.then(() => {
      answered = true;
    });
    await passing();
    expect(answered).toBe(false);
    written.resolve();
    expect((await call).text).toBe('x');
  });

  it('that the log does not take is told', async () => {
    const desk = deskOf(models(), async (events) => {
      if (isEnd(events))
        throw new EdgeError('log.failed', { operation: 'append', subject: 'log', message: 'no room' });
    });
    await expect(ask(desk)).rejects.toMatchObject({ code: 'log.failed' });
  });
});

describe('a streamed chat', () => {
  const rigs: Rig[] = [];
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.stop();
  });

  async function clientOf(...list: readonly FakeLanguageModel[]) {
    const models = modelRig(list, { clock: new SystemClock() });
    const rig = await startRig({}, { chat: deskOf(models), models: models.router });
    rigs.push(rig);
    return new OpenAI({ baseURL: `${rig.url}/v1`, apiKey: TOKEN, maxRetries: 0 });
  }
  const body = {
    model: 'auto',
    messages: [{ role: 'user' as const, content: 'hi' }],
    temperature: 0,
    seed: 4,
  };

  /** What a client heard, and how it ended. */
  async function heard(client: OpenAI) {
    const words: string[] = [];
    const calls: string[] = [];
    let finish: string | null = null;
    let error = '';
    try {
      for await (const { choices } of await client.chat.completions.create({ ...body, stream: true })) {
        const [choice] = choices;
        if (choice?.delta.content) words.push(choice.delta.content);
        for (const call of choice?.delta.tool_calls ?? []) calls.push(call.function?.name ?? '');
        finish = choice?.finish_reason ?? finish;
      }
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    return { words, calls, finish, error };
  }

  const stalls = () =>
    new FakeLanguageModel('stalls', (_request, { onDelta }) => {
      onDelta?.({ kind: 'text', text: 'I see h' });
      return { fail: new EdgeError('deadline.exceeded', { operation: 'complete', subject: 'stalls' }) };
    });
  const sees = () => new FakeLanguageModel('sees', () => ({ text: 'a cube' }));

  it('that went on with another model ends with an error; asked whole, that model answers', async () => {
    const streamed = await heard(await clientOf(stalls(), sees()));
    expect(streamed).toEqual({
      words: ['I see h', 'a cube'],
      calls: [],
      finish: null,
      error: expect.stringMatching(/not part of the answer/),
    });
    const whole = await (await clientOf(stalls(), sees())).chat.completions.create(body);
    expect(whole.choices[0]!.message.content).toBe('a cube');
  });

  it('has its words when it is answered from the cache', async () => {
    const model = sees();
    const client = await clientOf(model);
    const first = await heard(client);
    expect(first).toEqual({ words: ['a cube'], calls: [], finish: 'stop', error: '' });
    expect(await heard(client)).toEqual(first);
    expect(model.asked).toHaveLength(1);
  });

  it('of a model that says its calls as text has the calls', async () => {
    const small = new FakeLanguageModel('small', (_request, { onDelta }) => {
      onDelta?.({ kind: 'text', text: `{"tool": "${CALL.name}", "arguments": {"metres": 1}}` });
      return { toolCalls: [CALL], stopReason: 'tool_calls' };
    });
    expect(await heard(await clientOf(small))).toMatchObject({
      calls: [CALL.name],
      finish: 'tool_calls',
      error: '',
    });
  });
});
