import type { FastifyInstance, FastifyReply } from 'fastify';
import { EdgeError, LIMITS, METHODS } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { PLAN_SCHEMA, servedBody } from '../../../formats/inference/index.ts';
import { callerOf } from '../caller.ts';
import { chatRoutes } from '../chat-stream.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';
import { vlaRoute } from './vla.ts';

const closed = { additionalProperties: false } as const;
const Any = Type.Object({}, { additionalProperties: true });
const NameParams = Type.Object(
  { name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }) },
  closed,
);
const CallBody = Type.Object({ call: Type.String({ minLength: 1, maxLength: 64 }) }, closed);
const NoBody = Type.Object({}, closed);
/** Extra time for the cell to report that it was late, milliseconds. */
const SPARE_MS = 1_000;
const PLAN_MS = 60_000;

/** Inference for programs on the robot and beside it: policies, plans, models. */
export function inferenceRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus } = ports;
  const { execution } = METHODS;
  const describe = (operationId: string, summary: string, more: object) => ({
    schema: { operationId, summary, tags: ['inference'], ...more },
  });
  chatRoutes(app, ports);

  app.get(
    '/v1/inference/policies',
    describe(
      'listInferencePolicies',
      'Policies of this robot: what they take and give, who waits, how long it takes',
      {
        querystring: NoQuery,
        response: { 200: Type.Object({ policies: Type.Array(Any) }, closed), ...errors },
      },
    ),
    async () => {
      const { policies } = await bus.request('execution', execution.policyList, {});
      return { policies: policies.map(servedBody) };
    },
  );

  app.post(
    '/v1/inference/policies/:name/reload',
    describe('reloadInferencePolicy', 'Make a policy again from where it came from; no question fails', {
      params: NameParams,
      body: NoBody,
      response: { 200: Any, ...errors },
    }),
    async (request) => {
      const { name } = request.params as Static<typeof NameParams>;
      const spare = LIMITS.POLICY_COMPILE_MS + SPARE_MS;
      return servedBody(await bus.request('execution', execution.policyReload, { name }, spare));
    },
  );

  vlaRoute(app, ports);

  app.post(
    '/v1/inference/vla/cancel',
    describe('cancelInferVla', 'End a question by the name that it gave as call', {
      body: CallBody,
      response: { 200: Type.Object({ cancelled: Type.Boolean() }, closed), ...errors },
    }),
    async (request) =>
      bus.request('execution', execution.policyCancel, request.body as Static<typeof CallBody>),
  );

  app.post(
    '/v1/inference/plan',
    describe('inferPlan', 'A typed plan for a goal, made and checked, not carried out', {
      body: Type.Unsafe(PLAN_SCHEMA.$defs.request),
      response: { 200: Any, ...errors },
    }),
    async (request, reply) => {
      const { plans } = ports;
      if (!plans) throw noPlans();
      const { deadline_ms: given, call: _, ...ask } = request.body as Record<string, unknown>;
      const deadlineMs = typeof given === 'number' ? given : PLAN_MS;
      const { signal, over } = untilGone(reply);
      try {
        return await plans.infer(ask, callerOf(request), deadlineMs, { signal });
      } finally {
        over();
      }
    },
  );
}

/** Aborts when the caller hangs up. */
function untilGone(reply: FastifyReply): { readonly signal: AbortSignal; over(): void } {
  const abort = new AbortController();
  const gone = () => {
    if (!reply.raw.writableFinished) abort.abort();
  };
  reply.raw.once('close', gone);
  return { signal: abort.signal, over: () => void reply.raw.off('close', gone) };
}

function noPlans(): EdgeError {
  return new EdgeError('run.not_supported', {
    operation: 'plan',
    subject: 'plan',
    message: 'nothing plans on this robot',
    hint: 'configure a model: [[models]] in docs/models.md',
  });
}
