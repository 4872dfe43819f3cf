import type { FastifyInstance } from 'fastify';
import { EdgeError, type Question } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { saysStop } from '../says-stop.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Nanoseconds = Type.String({ description: 'nanoseconds since the epoch' });

const QuestionView = Type.Object(
  {
    question_id: Type.String(),
    run_id: Type.String(),
    text: Type.String(),
    choices: Type.Array(Type.String(), { description: 'the answer is one of these; empty: free text' }),
    fallback: Type.Optional(Type.String({ description: 'what counts when no answer comes' })),
    tenant: Type.String(),
    principal: Type.String({ description: 'the caller of the run' }),
    asked_ts: Nanoseconds,
    expires_ts: Nanoseconds,
    state: Type.Enum(['waiting', 'answered', 'expired', 'withdrawn']),
    answer: Type.Optional(Type.String()),
    by: Type.Optional(Type.String()),
    approval: Type.Optional(
      Type.Boolean({ description: 'the answer is an approval: policies say who may give it' }),
    ),
  },
  { title: 'Question' },
);

const Filter = Type.Object(
  { all: Type.Optional(Type.Enum(['true', 'false'], { description: 'the settled ones too' })) },
  closed,
);
const AnswerBody = Type.Object({ answer: Type.String({ minLength: 1, maxLength: 2048 }) }, closed);
const Params = Type.Object(
  { questionId: Type.String({ pattern: '^[0-9a-f-]{36}$', description: 'question' }) },
  closed,
);

/** Questions of runs to people, and the answers. */
export function questionRoutes(app: FastifyInstance, { questions }: HttpPorts): void {
  app.get(
    '/v1/questions',
    {
      schema: {
        operationId: 'listQuestions',
        summary: 'Questions of runs to people: those that wait, the oldest first',
        tags: ['runs'],
        querystring: Filter,
        response: { 200: Type.Object({ questions: Type.Array(QuestionView) }), ...errors },
      },
    },
    async (request) => {
      const { all } = request.query as Static<typeof Filter>;
      const { tenant } = callerOf(request);
      const found = questions?.questions({ all: all === 'true' }) ?? [];
      return { questions: found.filter((question) => question.tenant === tenant).map(shown) };
    },
  );

  app.post(
    '/v1/questions/:questionId/answer',
    {
      schema: {
        operationId: 'answerQuestion',
        summary: 'Answer a question; the run continues. The same answer may be given again',
        tags: ['runs'],
        params: Params,
        body: AnswerBody,
        response: { 200: QuestionView, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/questions/:questionId/answer', body) },
    },
    async (request) => {
      const { questionId } = request.params as Static<typeof Params>;
      const { answer } = request.body as Static<typeof AnswerBody>;
      if (!questions) throw new EdgeError('question.not_found', { operation: 'answer', subject: questionId });
      const who = callerOf(request);
      return shown(await questions.answerQuestion(questionId, answer, who));
    },
  );
}

function shown(question: Question): Record<string, unknown> {
  return Object.fromEntries(Object.entries(question).filter(([, value]) => value !== undefined));
}
