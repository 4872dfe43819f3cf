import type { FastifyInstance } from 'fastify';
import { EdgeError, type PlansApi, type PlanView } from '../../../contract/index.ts';
import { Plan, PlanAsk } from '../../../contract/plan.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Steps = Type.Array(
  Type.Object(
    {
      step_id: Type.String(),
      subgoal: Type.String(),
      params: Type.Record(Type.String(), Type.Unknown()),
      deadline_ms: Type.Integer({ description: 'robot time' }),
      fallback: Type.String(),
      state: Type.Enum(['pending', 'running', 'succeeded', 'already', 'failed', 'skipped']),
      reason: Type.String(),
      attempt: Type.Integer(),
    },
    closed,
  ),
);
const PlanBox = Type.Object(
  {
    run_id: Type.String({ description: 'the run that carries it out' }),
    status: Type.String(),
    goal: Type.String(),
    dry_run: Type.Boolean(),
    revision: Type.Integer({ description: 'plans before this one' }),
    replans: Type.Integer(),
    reason: Type.String(),
    plan: Type.Optional(Plan),
    model: Type.Optional(Type.String()),
    steps: Steps,
    dropped: Type.Array(Type.Object({ subgoal: Type.String(), reason: Type.String() }, closed)),
    given_up: Type.Array(Type.String(), { description: 'why plans were abandoned, oldest first' }),
  },
  { ...closed, title: 'PlanStatus' },
);
const ListQuery = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'default 20' })) },
  closed,
);
const Params = Type.Object(
  { runId: Type.String({ pattern: '^[0-9a-f-]{36}$', description: 'run of the plan' }) },
  closed,
);
/** Default time limit, milliseconds. */
const ASK_MS = 60_000;

/** Plans: made only (`dry_run`, answered with the plan), or made and carried out (answered with the run). */
export function planRoutes(app: FastifyInstance, { plans }: HttpPorts): void {
  const api = (): PlansApi => {
    if (plans) return plans;
    throw new EdgeError('intent.unknown_type', {
      operation: 'plan',
      subject: 'plan',
      message: 'this robot makes no plans',
      hint: 'planning.enabled in the configuration',
    });
  };
  const describe = (operationId: string, summary: string) => ({ operationId, summary, tags: ['plans'] });

  app.post(
    '/v1/plans',
    {
      schema: {
        ...describe('makePlan', 'Plan for a goal; with dry_run answered with the plan, else with its run'),
        body: PlanAsk,
        response: { 200: PlanBox, ...errors },
      },
    },
    async (request, reply) => {
      const ask = request.body as PlanAsk;
      const who = callerOf(request);
      if (ask.dry_run !== true) return planBox(api().view((await api().open(ask, who)).run.run_id));
      const gone = new AbortController();
      const hungUp = () => {
        if (!reply.raw.writableFinished) gone.abort();
      };
      reply.raw.once('close', hungUp);
      try {
        const made = await api().infer(ask, who, ask.deadline_ms ?? ASK_MS, { signal: gone.signal });
        return planBox(api().view(made.run_id));
      } finally {
        reply.raw.off('close', hungUp);
      }
    },
  );

  app.get(
    '/v1/plans',
    {
      schema: {
        ...describe('listPlans', 'Plans of this robot, the newest first'),
        querystring: ListQuery,
        response: { 200: Type.Object({ plans: Type.Array(PlanBox) }, closed), ...errors },
      },
    },
    async (request) => {
      const { limit = 20 } = request.query as Static<typeof ListQuery>;
      return { plans: (plans?.list(limit) ?? []).map(planBox) };
    },
  );

  app.get(
    '/v1/plans/:runId',
    {
      schema: {
        ...describe('getPlan', 'A plan step by step: which is running, which failed and why'),
        params: Params,
        response: { 200: PlanBox, ...errors },
      },
    },
    async (request) => planBox(api().view((request.params as Static<typeof Params>).runId)),
  );
}

function planBox({ made, steps, given_up, ...view }: PlanView): Static<typeof PlanBox> {
  return {
    ...view,
    ...(made ? { plan: made.plan } : {}),
    ...(made?.model === undefined ? {} : { model: made.model }),
    steps: steps.map((step) => ({ ...step, params: { ...step.params } })),
    dropped: made?.dropped ?? [],
    given_up: [...given_up],
  };
}
