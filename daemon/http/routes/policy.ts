import type { FastifyInstance } from 'fastify';
import {
  EdgeError,
  fromWireTime,
  LIMITS,
  type PolicyView,
  toMs,
  withDeadline,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { OWNER, rolesOf } from '../access.ts';
import { callerOf } from '../caller.ts';
import {
  GrantSchema,
  GrantsSchema,
  PolicyQuery,
  PolicySchema,
  QuotasSchema,
  RejudgeBody,
  RejudgedSchema,
  SignedGrantBody,
} from '../governance-schemas.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const GrantParams = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$', description: 'grant; a slash as %2F' }),
  },
  closed,
);
const RevokeBody = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 512 })) }, closed);
/** Policies in force, remaining quotas, and grants. */
export function policyRoutes(app: FastifyInstance, { governance, clock }: HttpPorts): void {
  if (!governance) return;
  const settle = <T>(work: Promise<T>, operation: string) =>
    withDeadline(clock, LIMITS.API_REQUEST_MS, work, operation, 'policies');
  const answer = (operationId: string, summary: string, told: object) => ({
    operationId,
    summary,
    tags: ['governance'],
    response: { 200: told, ...errors },
  });

  app.get(
    '/v1/policy',
    {
      schema: {
        ...answer(
          'showPolicy',
          'Policies in force: hash, files, ids; why the files of now are not in force, and what is instead',
          PolicySchema,
        ),
        querystring: PolicyQuery,
      },
    },
    async (request) => {
      const { text } = request.query as Static<typeof PolicyQuery>;
      const view = governance.policy();
      return text === true && callerOf(request).tenant === OWNER ? view : withoutTexts(view);
    },
  );
  app.post(
    '/v1/policy/reload',
    {
      schema: answer(
        'reloadPolicy',
        'Read the policy files again; a fault keeps what is in force',
        PolicySchema,
      ),
    },
    async (request) => {
      requireOperator(callerOf(request).roles, 'has the policies read again');
      return withoutTexts(await settle(governance.reload(), 'reload policies'));
    },
  );
  app.post(
    '/v1/policy/rejudge',
    {
      schema: {
        ...answer(
          'rejudge',
          'Judge the history again, in a process of its own; other policies than those in force need an operator; changes nothing',
          RejudgedSchema,
        ),
        body: RejudgeBody,
      },
    },
    async (request) => {
      const { since_ts, policies } = request.body as Static<typeof RejudgeBody>;
      // The text is parsed and judged by this robot: who governs it may ask for that.
      if (policies)
        requireOperator(
          rolesOf(callerOf(request), { governance }),
          'has the history judged by other policies',
        );
      const asked = { sinceMs: toMs(fromWireTime(since_ts)), ...(policies ? { policies } : {}) };
      return await settle(governance.rejudge(asked), 'rejudge');
    },
  );
  app.get(
    '/v1/quotas',
    {
      schema: answer('listQuotas', 'What tenants have spent, what is left and when it renews', QuotasSchema),
    },
    async (request) => {
      const { tenant, roles } = callerOf(request);
      return {
        quotas: governance.quotas(tenant === 'local' && roles.includes('operator') ? undefined : tenant),
      };
    },
  );
  app.get(
    '/v1/grants',
    { schema: answer('listGrants', 'Rights on loan, and how long they last', GrantsSchema) },
    async (request) => {
      const { tenant } = callerOf(request);
      return { grants: governance.grants().filter((grant) => tenant === 'local' || grant.tenant === tenant) };
    },
  );
  app.post(
    '/v1/grants',
    { schema: { ...answer('installGrant', 'Take a signed grant', GrantSchema), body: SignedGrantBody } },
    async (request) => await settle(governance.install(request.body), 'install grant'),
  );
  app.post(
    '/v1/grants/:id/revoke',
    {
      schema: {
        ...answer('revokeGrant', 'End a grant now', GrantSchema),
        params: GrantParams,
        body: RevokeBody,
      },
    },
    async (request) => {
      const { id } = request.params as Static<typeof GrantParams>;
      const { reason } = request.body as Static<typeof RevokeBody>;
      return await settle(governance.revoke(id, callerOf(request), reason ?? ''), 'revoke grant');
    },
  );
}

function withoutTexts(view: PolicyView): PolicyView {
  return { ...view, policies: view.policies.map(({ id, effect, line }) => ({ id, effect, line })) };
}

function requireOperator(roles: readonly string[], does: string): void {
  if (roles.includes('operator')) return;
  throw new EdgeError('policy.denied', {
    operation: 'govern',
    subject: 'policies',
    message: `only an operator ${does}`,
  });
}
