import type { FastifyInstance } from 'fastify';
import {
  EdgeError,
  type ModelsApi,
  type ModelView,
  toolTrial,
  trialCall,
  wordsTrial,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' });
const ModelParams = Type.Object({ name: Name }, closed);
/** The longest that a person may wait for a test, milliseconds. */
const TEST_MS_MAX = 120_000;
const TestBody = Type.Object(
  {
    prompt: Type.Optional(Type.String({ minLength: 1, maxLength: 16_384 })),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_096, description: 'default 64' })),
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: TEST_MS_MAX, description: 'default 60000; of each request' }),
    ),
    tool_call: Type.Optional(
      Type.Boolean({ description: 'ask for a call of a tool too; nothing is carried out' }),
    ),
  },
  closed,
);
const NoBody = Type.Object({}, closed);
const ModelBox = Type.Object(
  {
    name: Type.String(),
    kind: Type.String(),
    url: Type.String(),
    model_id: Type.String(),
    state: Type.Enum(['up', 'failing', 'down', 'sleeping', 'resting', 'unknown']),
    reason: Type.String(),
    failures_in_row: Type.Integer({
      description: 'failed calls and health checks without an answer, since it last answered',
    }),
    vision: Type.Boolean(),
    tools: Type.Boolean(),
    context: Type.Integer({ description: 'tokens' }),
    latency: Type.Enum(['low', 'any']),
    cost_in: Type.Number({ description: 'US dollars per million tokens' }),
    cost_out: Type.Number({ description: 'US dollars per million tokens' }),
    places: Type.Integer({ description: 'calls at a time' }),
    running: Type.Integer(),
    waiting: Type.Integer({ description: 'calls of this daemon that wait for a place' }),
    server_running: Type.Optional(Type.Number()),
    server_waiting: Type.Optional(Type.Number()),
    cache_usage: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    calls: Type.Integer(),
    failures: Type.Integer(),
    tokens_in: Type.Integer(),
    tokens_out: Type.Integer(),
    cost_usd: Type.Number(),
    first_token_ms: Type.Optional(Type.Number({ description: 'running mean' })),
    tokens_per_second: Type.Optional(Type.Number({ description: 'running mean' })),
  },
  { ...closed, title: 'Model' },
);
/** The list has two parts: for clients of the OpenAI API, and with all details. */
const ListedBox = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('model'),
    created: Type.Integer(),
    owned_by: Type.String(),
  },
  closed,
);
const ModelsBox = Type.Object(
  { object: Type.Literal('list'), data: Type.Array(ListedBox), models: Type.Array(ModelBox) },
  closed,
);
const TestBox = Type.Object(
  {
    model: Type.String(),
    model_id: Type.String(),
    text: Type.String(),
    tokens_in: Type.Integer(),
    tokens_out: Type.Integer(),
    duration_ms: Type.Number(),
    first_token_ms: Type.Optional(Type.Number()),
    tokens_per_second: Type.Optional(Type.Number()),
    tool_call: Type.Optional(
      Type.Object({ ok: Type.Boolean(), call: Type.String(), reason: Type.String() }, closed),
    ),
  },
  closed,
);

/** Models that agents use: their health, and a test. */
export function modelRoutes(app: FastifyInstance, { models }: HttpPorts): void {
  const describe = (operationId: string, summary: string) => ({ operationId, summary, tags: ['models'] });
  const api = () => {
    if (models) return models;
    throw new EdgeError('model.not_found', { operation: 'find model', subject: 'models' });
  };

  app.get(
    '/v1/models',
    {
      schema: {
        ...describe(
          'listModels',
          'Models with health, queue, latency and cost; their servers are asked first',
        ),
        querystring: NoQuery,
        response: { 200: ModelsBox, ...errors },
      },
    },
    async () => {
      const views = (await models?.refresh()) ?? [];
      const data = views.map(({ name, kind }) => ({ id: name, object: 'model', created: 0, owned_by: kind }));
      return { object: 'list', data, models: views.map(modelBox) };
    },
  );

  app.post(
    '/v1/models/:name/test',
    {
      schema: {
        ...describe('testModel', 'One prompt to one model, past queue, cache and fallback'),
        params: ModelParams,
        body: TestBody,
        response: { 200: TestBox, ...errors },
      },
    },
    async (request) => {
      const { name } = request.params as Static<typeof ModelParams>;
      const body = request.body as Static<typeof TestBody>;
      const words = wordsTrial(body.timeout_ms ?? 60_000);
      const { answer, durationMs } = await api().test(name, {
        ...words,
        ...(body.prompt === undefined ? {} : { messages: [{ role: 'user', text: body.prompt }] }),
        maxTokens: body.max_tokens ?? words.maxTokens,
      });
      const called = body.tool_call === true ? await toolCallOf(api(), name, words.deadlineMs) : undefined;
      const { firstTokenMs, tokensOut } = answer;
      const seconds = firstTokenMs === undefined ? 0 : (durationMs - firstTokenMs) / 1_000;
      return {
        model: answer.model,
        model_id: answer.modelId,
        text: answer.text,
        tokens_in: answer.tokensIn,
        tokens_out: tokensOut,
        duration_ms: durationMs,
        ...(firstTokenMs === undefined ? {} : { first_token_ms: firstTokenMs }),
        ...(seconds > 0 && tokensOut > 1 ? { tokens_per_second: (tokensOut - 1) / seconds } : {}),
        ...(called === undefined ? {} : { tool_call: called }),
      };
    },
  );

  app.post(
    '/v1/models/:name/wake',
    {
      schema: {
        ...describe('wakeModel', 'Wake a sleeping engine; answers when it is awake'),
        params: ModelParams,
        body: NoBody,
        response: { 200: Type.Object({ awake: Type.Boolean() }, closed), ...errors },
      },
    },
    async (request) => {
      await api().wake((request.params as Static<typeof ModelParams>).name);
      return { awake: true };
    },
  );
}

/** Whether it calls a tool; a model that does not is no error of the test. */
async function toolCallOf(
  models: ModelsApi,
  name: string,
  timeoutMs: number,
): Promise<{ ok: boolean; call: string; reason: string }> {
  try {
    const call = trialCall((await models.test(name, toolTrial(timeoutMs))).answer);
    return { ok: call !== '', call, reason: call === '' ? 'it called none' : '' };
  } catch (thrown) {
    return { ok: false, call: '', reason: EdgeError.from(thrown, 'model.failed', 'complete', name).message };
  }
}

export function modelBox(view: ModelView): Static<typeof ModelBox> {
  const { health, firstTokenMs, tokensPerSecond } = view;
  return {
    ...{ name: view.name, kind: view.kind, url: view.url, model_id: view.modelId },
    ...{ state: view.state, reason: view.reason, failures_in_row: view.failuresInRow },
    ...{ vision: view.vision, tools: view.tools },
    ...{ context: view.context, latency: view.latency, cost_in: view.costIn, cost_out: view.costOut },
    ...{ places: view.places, running: view.running, waiting: view.waiting },
    ...(health?.running === undefined ? {} : { server_running: health.running }),
    ...(health === undefined ? {} : { server_waiting: health.queueDepth }),
    ...(health?.cacheUsage === undefined ? {} : { cache_usage: health.cacheUsage }),
    ...{ calls: view.calls, failures: view.failures, tokens_in: view.tokensIn, tokens_out: view.tokensOut },
    cost_usd: view.costUsd,
    ...(firstTokenMs === undefined ? {} : { first_token_ms: firstTokenMs }),
    ...(tokensPerSecond === undefined ? {} : { tokens_per_second: tokensPerSecond }),
  };
}
