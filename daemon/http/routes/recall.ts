import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  EdgeError,
  type FoundText,
  METHODS,
  PerMinute,
  RECALL_KINDS,
  RECALL_LIMITS,
  type RecallAsker,
  type RecallHow,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { OWNER } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { CancelBody, errors, NoQuery, RunParams } from '../schemas.ts';

/** Longest wait for a rebuilt index; the work continues after that. */
const REBUILD_MS = 15_000;
const closed = { additionalProperties: false } as const;
const Kind = Type.Enum([...RECALL_KINDS]);

const RecallBody = Type.Object(
  {
    question: Type.String({
      minLength: 1,
      maxLength: RECALL_LIMITS.QUESTION_CHARS_MAX,
      description: 'in words; at least one letter or digit',
    }),
    kinds: Type.Optional(
      Type.Array(Kind, { minItems: 1, maxItems: RECALL_KINDS.length, description: 'absent: all' }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: RECALL_LIMITS.TEXTS_MAX,
        description: `texts at most; ${RECALL_LIMITS.TEXTS} where absent`,
      }),
    ),
    within_s: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e10, description: 'not older than this, seconds' }),
    ),
  },
  closed,
);

const TextView = Type.Object(
  {
    id: Type.String({ description: 'kind, colon, and where it comes from' }),
    kind: Kind,
    at_ns: Type.String({
      description: 'when it was said, or the file was changed; nanoseconds since the epoch',
    }),
    source: Type.String({ description: 'run, recording or file' }),
    score: Type.Number({ description: 'to be compared within one answer only' }),
    sha256: Type.String({ description: 'of the text' }),
    text: Type.String(),
  },
  { title: 'RecalledText' },
);
const found = {
  how: Type.Enum(['meaning', 'words', 'newest']),
  why: Type.String({ description: 'why not by meaning, and what to do; empty: by meaning' }),
  model: Type.String({ description: 'of the vectors; empty: none' }),
  waiting: Type.Integer({ description: 'texts that have no vector yet: they are found by their words only' }),
  unread: Type.Integer({ description: 'events and documents that are not read yet' }),
  notes: Type.Array(Type.String(), { description: 'what is missing' }),
  texts: Type.Array(TextView, { description: 'best first' }),
  sha256: Type.String({ description: 'over ids and digests of the texts, in their order' }),
};
const AnswerView = Type.Object({ recall_id: Type.String(), at_ns: Type.String(), ...found });
const AgainView = Type.Object({
  recorded: Type.Object({
    ...{ recall_id: Type.String(), at_ns: Type.String(), question: Type.String() },
    ...{ kinds: Type.Array(Kind), limit: Type.Integer(), tenant: Type.String(), principal: Type.String() },
    run_id: Type.Optional(Type.String({ description: 'the run whose agent asked' })),
    ...found,
  }),
  same: Type.Boolean({ description: 'the same texts in the same order' }),
  differences: Type.Array(Type.String(), { description: 'what differs, in words' }),
  now: Type.Object(found),
});
const StatusView = Type.Object({
  open: Type.Boolean({ description: 'false: nothing was asked for a while, and no memory is used' }),
  texts: Type.Integer(),
  waiting: Type.Integer({ description: 'texts that have no vector yet' }),
  model: Type.String({ description: 'empty: none' }),
  why: Type.String({ description: 'why it searches by words only; empty: it does not' }),
  notes: Type.Array(Type.String()),
});

/** Texts that are found again: what was said, noted, decided and written, by words and by meaning. */
export function recallRoutes(app: FastifyInstance, { bus, clock }: HttpPorts): void {
  const guests = new PerMinute(clock);
  /** Throws `quota.exceeded`. */
  const count = ({ all, tenant }: RecallAsker) => {
    const s = all ? 0 : guests.take(tenant, RECALL_LIMITS.GUEST_PER_MINUTE);
    if (s === 0) return;
    throw new EdgeError('quota.exceeded', {
      ...{ operation: 'recall', subject: tenant },
      message: `a guest asks at most ${RECALL_LIMITS.GUEST_PER_MINUTE} times a minute`,
      hint: `again in ${s} s`,
    });
  };
  app.post(
    '/v1/recall',
    {
      schema: {
        operationId: 'recall',
        summary: 'Find what was noted, answered, planned, decided or written before, by words and by meaning',
        description: 'The answer is recorded as an event, with the texts, before it is given.',
        tags: ['memory'],
        body: RecallBody,
        response: { 200: AnswerView, ...errors },
      },
    },
    async (request) => {
      const { question, kinds, limit, within_s } = request.body as Static<typeof RecallBody>;
      const by = askerOf(request);
      count(by);
      const answer = await bus.request('memory', METHODS.memory.recall, {
        question,
        ...(kinds === undefined ? {} : { kinds: [...new Set(kinds)] }),
        ...(limit === undefined ? {} : { limit }),
        ...(within_s === undefined ? {} : { withinS: within_s }),
        by,
      });
      return { recall_id: answer.recallId, at_ns: answer.at, ...shown(answer) };
    },
  );

  app.get(
    '/v1/recall/recorded/:id',
    {
      schema: {
        operationId: 'recallAgain',
        summary: 'A recorded recall, and the same question asked again of what was there then',
        tags: ['memory'],
        params: RunParams,
        querystring: NoQuery,
        response: { 200: AgainView, ...errors },
      },
    },
    async (request) => {
      const { id } = request.params as Static<typeof RunParams>;
      const body = { recallId: id, by: askerOf(request) };
      count(body.by);
      const { recorded, same, differences, now } = await bus.request(
        'memory',
        METHODS.memory.recallAgain,
        body,
      );
      const { recallId, at, question, kinds, limit, tenant, principal, runId } = recorded;
      return {
        recorded: {
          ...{ recall_id: recallId, at_ns: at, question, kinds, limit, tenant, principal },
          ...(runId === undefined ? {} : { run_id: runId }),
          ...shown(recorded),
        },
        ...{ same, differences, now: shown(now) },
      };
    },
  );

  app.get(
    '/v1/recall',
    {
      schema: {
        operationId: 'getRecall',
        summary: 'How many texts are found, and whether they are searched by meaning',
        tags: ['memory'],
        querystring: NoQuery,
        response: { 200: StatusView, ...errors },
      },
    },
    async () => await bus.request('memory', METHODS.memory.recallStatus, {}),
  );

  app.post(
    '/v1/recall/rebuild',
    {
      schema: {
        operationId: 'rebuildRecall',
        summary: 'Drop the index of recall and fill it again from the logs and documents',
        tags: ['memory'],
        body: CancelBody,
        response: {
          200: Type.Object({ done: Type.Boolean({ description: 'false: it continues' }) }),
          ...errors,
        },
      },
    },
    async () => {
      try {
        await bus.request('memory', METHODS.memory.recallRebuild, {}, REBUILD_MS);
        return { done: true };
      } catch (thrown) {
        if (thrown instanceof EdgeError && thrown.code === 'deadline.exceeded') return { done: false };
        throw thrown;
      }
    },
  );
}

/** The owner of the robot sees the texts of every tenant, as with SQL; a guest sees its own. */
function askerOf(request: FastifyRequest): RecallAsker {
  const { tenant, principal } = callerOf(request);
  return { tenant, principal, all: tenant === OWNER };
}

type Found = RecallHow & { readonly texts: readonly FoundText[]; readonly sha256: string };

function shown({ how, why, model, waiting, unread, notes, texts, sha256 }: Found) {
  const views = texts.map(({ at, ...text }) => ({ ...text, at_ns: at }));
  return { how, why, model, waiting, unread, notes, texts: views, sha256 };
}
