import fc from 'fast-check';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError, LIMITS, METHODS, type ModelOptions } from '../../contract/index.ts';
import { servePolicyRequests } from '../../daemon/execution/serving/desk-requests.ts';
import { ChatDesk } from '../../daemon/runtime/chat/chat-desk.ts';
import { readChatAsk } from '../../formats/openai/index.ts';
import { FakeLanguageModel, type ReplyOf } from '../fakes/fake-language-model.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { modelRig } from '../support/model-rig.ts';
import { until } from '../support/until.ts';

const GUEST = 'a-token-of-a-guest';

const schemaFormat = (schema: object) => ({ type: 'json_schema', json_schema: { name: 's', schema } });
const deep = (levels: number): object => (levels === 0 ? {} : { not: deep(levels - 1) });

/** The API over models that say what `reply` says, with policies beside them. */
async function inferenceRig(reply: ReplyOf) {
  const clock = new SystemClock();
  const eyes = new FakeLanguageModel('eyes', reply, { vision: true });
  const plain = new FakeLanguageModel('plain', reply);
  const models = modelRig([plain, eyes], { clock });
  const chat = new ChatDesk({
    models: models.router.forRun,
    names: () => ['plain', 'eyes'],
    clock,
    ids: models.router.options.ids,
    emit: models.router.options.emit,
  });
  const who = { principal: 'visitor', tenant: 'guests', roles: [] };
  const rig = await startRig(
    { auth: { kind: 'token', token: TOKEN, principals: [{ token: GUEST, who }] } },
    { chat, models: models.router },
  );
  const { desk, door } = await deskOf(clock, [specOf('hash', () => new HashPolicy())]);
  servePolicyRequests(
    {
      handle: (method, answer) =>
        void rig.answers.set(method, (body) => answer(body as never, 'runtime', 0, 0)),
    },
    desk,
    door,
  );
  const client = (apiKey = TOKEN) => new OpenAI({ baseURL: `${rig.url}/v1`, apiKey, maxRetries: 0 });
  return { rig, models, eyes, plain, chat, client };
}

describe('POST /v1/chat/completions, asked by the openai client', () => {
  let rig: Rig;
  let parts: Awaited<ReturnType<typeof inferenceRig>>;
  let reply: ReplyOf = () => ({ text: 'hello there' });
  beforeEach(async () => {
    reply = () => ({ text: 'hello there' });
    parts = await inferenceRig((request, options, call) => reply(request, options, call));
    ({ rig } = parts);
  });
  afterEach(() => rig.stop());
  const messages = [{ role: 'user' as const, content: 'hi' }];

  it('answers whole, with tokens, and is logged under the tenant who pays', async () => {
    const answer = await parts
      .client()
      .chat.completions.create({ model: 'auto', messages, max_tokens: 9, seed: 4 });
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'plain',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello there' } }],
      usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    });
    expect(parts.plain.asked[0]).toMatchObject({
      maxTokens: 9,
      seed: 4,
      purpose: 'chat',
      messages: [{ role: 'user', text: 'hi' }],
    });
    expect(parts.models.of('model.called')[0]).toMatchObject({
      tenant: 'local',
      purpose: 'chat',
      model: 'plain',
    });
    expect(parts.models.of('model.returned')[0]).toMatchObject({ tenant: 'local', ok: true, tokens_in: 10 });
    expect(parts.models.events.every(({ run_id }) => run_id === undefined)).toBe(true);
    await parts.client(GUEST).chat.completions.create({ model: 'auto', messages });
    expect(parts.models.of('model.called').at(-1)).toMatchObject({ tenant: 'guests' });
  });

  it('lists the models that can be asked for by name', async () => {
    const names: string[] = [];
    for await (const { id } of parts.client().models.list()) names.push(id);
    expect(names).toEqual(['plain', 'eyes']);
  });

  it('streams words and calls as they come, and the tokens where they are asked for', async () => {
    const call = { id: 'call-1', name: 'robot_drive', argumentsText: '{"metres":1}' };
    reply = (_request, { onDelta }) => {
      for (const word of ['I ', 'drive']) onDelta?.({ kind: 'text', text: word });
      onDelta?.({ kind: 'thinking', text: 'hm' });
      return { text: 'I drive', toolCalls: [call], stopReason: 'tool_calls' };
    };
    const tools = [
      {
        type: 'function' as const,
        function: { name: 'robot_drive', description: 'drives', parameters: { type: 'object' } },
      },
    ];
    const stream = await parts.client().chat.completions.create({
      ...{ model: 'plain', messages, tools, tool_choice: 'required' as const, stream: true as const },
      stream_options: { include_usage: true },
    });
    const words: string[] = [];
    const calls: unknown[] = [];
    let finish: string | null | undefined;
    let usage: unknown;
    for await (const chunk of stream) {
      expect(chunk.object).toBe('chat.completion.chunk');
      const [choice] = chunk.choices;
      if (choice?.delta.content) words.push(choice.delta.content);
      calls.push(...(choice?.delta.tool_calls ?? []));
      finish = choice?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    expect(words).toEqual(['I ', 'drive']);
    expect(calls).toEqual([
      {
        index: 0,
        id: 'call-1',
        type: 'function',
        function: { name: 'robot_drive', arguments: '{"metres":1}' },
      },
    ]);
    expect(finish).toBe('tool_calls');
    expect(usage).toMatchObject({ total_tokens: 15 });
    expect(parts.plain.asked[0]).toMatchObject({ toolChoice: 'required', tools: [{ name: 'robot_drive' }] });
  });

  it('sends a picture to a model that sees, and never fetches an address', async () => {
    const see = (url: string) =>
      parts.client().chat.completions.create({
        model: 'auto',
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'what is this?' },
              { type: 'image_url', image_url: { url } },
            ],
          },
        ],
      });
    const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0]).toString('base64');
    expect((await see(`data:image/jpeg;base64,${jpeg}`)).model).toBe('eyes');
    expect(parts.eyes.asked[0]!.messages[0]!.images).toEqual([
      { mime: 'image/jpeg', data: new Uint8Array([0xff, 0xd8, 0xff, 0xe0]) },
    ]);
    await expect(see('http://169.254.169.254/latest/meta-data')).rejects.toMatchObject({ status: 400 });
    expect(parts.eyes.asked).toHaveLength(1);
  });

  it('passes a schema for the answer on, and a conversation with calls and their results', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } } };
    await parts.client().chat.completions.create({
      model: 'plain',
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      messages: [
        { role: 'system', content: 'be brief' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'done' },
      ],
    });
    expect(parts.plain.asked[0]).toMatchObject({
      answerSchema: schema,
      messages: [
        { role: 'system', text: 'be brief' },
        { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'f', argumentsText: '{}' }] },
        { role: 'tool', text: 'done', callId: 'c1' },
      ],
    });
  });

  it('says what went wrong with a status: before the first word, and after it', async () => {
    const error = new EdgeError('quota.exceeded', {
      operation: 'spend',
      subject: 't',
      message: 'nothing left',
    });
    reply = () => ({ fail: error });
    const ask = (stream: boolean) =>
      parts.client().chat.completions.create({ model: 'plain', messages, stream });
    for (const stream of [false, true]) await expect(ask(stream)).rejects.toMatchObject({ status: 429 });
    const nobody = parts.client().chat.completions.create({ model: 'gpt-4', messages });
    await expect(nobody).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining('plain, eyes'),
    });
    await expect(
      parts.client('wrong').chat.completions.create({ model: 'auto', messages }),
    ).rejects.toMatchObject({ status: 401 });
    reply = (_request, { onDelta }) => {
      onDelta?.({ kind: 'text', text: 'I ' });
      return {
        fail: new EdgeError('model.failed', {
          operation: 'complete',
          subject: 'm',
          message: 'the stream broke',
        }),
      };
    };
    const heard: string[] = [];
    const broken = async () => {
      const stream = await parts.client().chat.completions.create({ model: 'plain', messages, stream: true });
      for await (const chunk of stream) heard.push(chunk.choices[0]?.delta.content ?? '');
    };
    await expect(broken()).rejects.toThrow(/the stream broke/);
    expect(heard).toEqual(['I ']);
  });

  it('ends the call of the model when the caller hangs up, and the next one is served', async () => {
    let seen: ModelOptions | undefined;
    reply = (_request, options) => {
      seen = options;
      options.onDelta?.({ kind: 'text', text: 'I ' });
      return new Promise((_resolve, reject) => {
        options.signal?.addEventListener('abort', () =>
          reject(new EdgeError('run.cancelled', { operation: 'complete', subject: 'm' })),
        );
      });
    };
    const stream = await parts.client().chat.completions.create({ model: 'plain', messages, stream: true });
    for await (const _ of stream) break;
    await until(() => seen?.signal?.aborted === true, 'the call of the model to end');
    reply = () => ({ text: 'next' });
    const next = await parts.client().chat.completions.create({ model: 'plain', messages });
    expect(next.choices[0]!.message.content).toBe('next');
  });

  it('answers for a silent model by the deadline of the caller', async () => {
    reply = () => new Promise(() => {});
    const body = { model: 'plain', messages, deadline_ms: 60 };
    const late = await rig.post('/v1/chat/completions', body);
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ code: 'deadline.exceeded' });
  });

  it('lets one caller have a few calls open, and others go on', async () => {
    const open: (() => void)[] = [];
    reply = () => new Promise((resolve) => open.push(() => resolve({ text: 'late' })));
    const asked = Array.from({ length: LIMITS.CHATS_PER_CALLER_MAX }, () =>
      rig.post('/v1/chat/completions', { messages }),
    );
    await until(() => open.length === LIMITS.CHATS_PER_CALLER_MAX, 'calls to be open');
    const more = await rig.post('/v1/chat/completions', { messages });
    expect(more.status).toBe(503);
    expect(await more.json()).toMatchObject({ code: 'cell.overloaded', retryable: true });
    reply = () => ({ text: 'for the guest' });
    const guest = await parts.client(GUEST).chat.completions.create({ model: 'eyes', messages });
    expect(guest.choices[0]!.message.content).toBe('for the guest');
    for (const done of open) done();
    for (const answer of await Promise.all(asked)) expect(answer.status).toBe(200);
  });

  it.each([
    ['/messages', { messages: [] }],
    ['/messages/0/role', { messages: [{ role: 'robot', content: 'x' }] }],
    ['/top_p', { messages, top_p: 0.5 }],
    ['/n', { messages, n: 2 }],
    ['/stop', { messages, stop: ['\n'] }],
    ['/temperature', { messages, temperature: 3 }],
    ['/deadline_ms', { messages, deadline_ms: -1 }],
    ['/guided_choice', { messages, guided_choice: ['a'] }],
    ['/tool_choice', { messages, tool_choice: 'required' }],
    ['/max_tokens', { messages, max_tokens: '5' }],
    ['/pattern', { messages, response_format: schemaFormat({ type: 'string', pattern: '^(a+)+$' }) }],
    ['/schema', { messages, response_format: schemaFormat(deep(200)) }],
  ])('refuses a wish that it would not hear, naming %s', async (path, body) => {
    const refused = await rig.post('/v1/chat/completions', body);
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { message: string }).message).toContain(path);
    expect(parts.plain.asked).toEqual([]);
  });

  it('reads any JSON as a request or refuses it as one', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('messages', 'tools', 'tool_choice', 'response_format', 'stream_options'),
        (value, key) => {
          for (const body of [
            value,
            { messages, [key]: value },
            { messages: [{ role: 'user', content: value }] },
          ]) {
            try {
              readChatAsk(body);
            } catch (error) {
              expect(error).toMatchObject({ name: 'EdgeError', code: 'schema.invalid' });
            }
          }
        },
      ),
    );
  });
});

describe('POST /v1/inference/vla', () => {
  let parts: Awaited<ReturnType<typeof inferenceRig>>;
  beforeEach(async () => {
    parts = await inferenceRig(() => ({ text: '' }));
  });
  afterEach(() => parts.rig.stop());
  const data = Array.from({ length: 36 }, (_, i) => Math.fround(i / 7));
  const observation = {
    scan: { shape: [1, 36], dtype: 'float32', data },
    state: {
      shape: [4],
      dtype: 'float32',
      data: Buffer.from(Float32Array.of(1, 2, 3, 4).buffer).toString('base64'),
    },
  };

  it('answers with the very actions of the policy, for numbers and for base64', async () => {
    const answer = await parts.rig.post('/v1/inference/vla', {
      tensors: observation,
      stamp: '42',
      policy: 'hash',
    });
    expect(answer.status).toBe(200);
    const direct = await new HashPolicy().infer({
      tensors: {
        scan: { shape: [1, 36], data: Float32Array.from(data) },
        state: { shape: [4], data: Float32Array.of(1, 2, 3, 4) },
      },
      stamp: 42n,
    });
    expect(await answer.json()).toEqual({
      actions: { shape: [8, 2], dtype: 'float32', data: Array.from(direct.actions.data) },
      step_ms: 50,
      stamp: '42',
      policy_hash: 'f'.repeat(64),
    });
  });

  it('lists policies and makes one anew', async () => {
    const listed = await (await parts.rig.get('/v1/inference/policies')).json();
    expect(listed).toMatchObject({
      policies: [{ name: 'hash', kind: 'test', state: 'ready', inputs: { state: [4] } }],
    });
    expect((await parts.rig.post('/v1/inference/policies/hash/reload', {})).status).toBe(200);
    expect((await parts.rig.post('/v1/inference/policies/other/reload', {})).status).toBe(404);
    const cancelled = await parts.rig.post('/v1/inference/vla/cancel', { call: 'nobody' });
    expect(await cancelled.json()).toEqual({ cancelled: false });
  });

  it.each([
    ['NaN', { tensors: { ...observation, state: { shape: [4], dtype: 'float32', data: ['NaN', 0, 0, 0] } } }],
    [
      'another shape',
      { tensors: { ...observation, state: { shape: [5], dtype: 'float32', data: [1, 2, 3, 4] } } },
    ],
    ['a field that nobody knows', { tensors: observation, actions: 1 }],
    [
      'text that is no base64',
      { tensors: { ...observation, state: { shape: [4], dtype: 'float32', data: '%%%' } } },
    ],
  ])('refuses %s with 400, and goes on', async (_, body) => {
    expect((await parts.rig.post('/v1/inference/vla', body)).status).toBe(400);
    expect((await parts.rig.post('/v1/inference/vla', { tensors: observation })).status).toBe(200);
  });

  it('says that the execution cell is away, and that nothing plans here', async () => {
    parts.rig.answers.delete(METHODS.execution.policyInfer);
    expect((await parts.rig.post('/v1/inference/vla', { tensors: observation })).status).toBe(503);
    const plan = await parts.rig.post('/v1/inference/plan', { goal: 'go' });
    expect(await plan.json()).toMatchObject({ code: 'run.not_supported' });
  });
});
