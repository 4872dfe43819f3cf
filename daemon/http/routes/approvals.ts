import type { FastifyInstance } from 'fastify';
import {
  type Approval,
  isSamePerson,
  LIMITS,
  type PolicyContext,
  UUID_PATTERN,
  withDeadline,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { rolesOf } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Nanoseconds = Type.String({ description: 'nanoseconds since the epoch' });

const ApprovalView = Type.Object(
  {
    approval_id: Type.String(),
    run_id: Type.Optional(Type.String()),
    point: Type.String({ description: 'intent, tool, model or egress' }),
    subject: Type.String({ description: 'what has to be agreed to' }),
    reason: Type.String({ description: 'why it has to be' }),
    facts: Type.Record(Type.String(), Type.Unknown(), { description: 'its arguments' }),
    tenant: Type.String(),
    principal: Type.String({ description: 'the caller that needs it' }),
    asked_ts: Nanoseconds,
    expires_ts: Nanoseconds,
    state: Type.Enum(['waiting', 'allowed', 'denied', 'expired']),
    by: Type.Optional(Type.String()),
    roles: Type.Array(Type.String(), {
      description: 'one of these is needed to answer; empty: as a policy says',
    }),
  },
  { title: 'Approval' },
);
const ListedApproval = Type.Object(
  {
    ...ApprovalView.properties,
    answerable: Type.Enum(['yes', 'own', 'role'], {
      description:
        'for this caller. role: it has none of the roles, and is refused; own: asked in its own name, which the built-in policies refuse; yes: policies decide at the answer',
    }),
  },
  { title: 'ListedApproval' },
);
const Query = Type.Object(
  { all: Type.Optional(Type.Boolean({ description: 'the answered ones too' })) },
  closed,
);
const Params = Type.Object(
  { id: Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7 of an approval' }) },
  closed,
);
const Body = Type.Object(
  {
    decision: Type.Enum(['allow', 'deny']),
    reason: Type.Optional(Type.String({ maxLength: 512, description: 'why, for the log' })),
  },
  closed,
);

/** Approvals that wait for a person, and their answers. */
export function approvalRoutes(app: FastifyInstance, { approvals, clock, governance }: HttpPorts): void {
  if (!approvals) return;
  app.get(
    '/v1/approvals',
    {
      schema: {
        operationId: 'listApprovals',
        summary: 'What waits for the word of a person, the oldest first',
        tags: ['governance'],
        querystring: Query,
        response: { 200: Type.Object({ approvals: Type.Array(ListedApproval) }), ...errors },
      },
    },
    async (request) => {
      const { all } = request.query as Static<typeof Query>;
      const who = callerOf(request);
      const roles = rolesOf(who, { governance });
      const found = approvals.approvals(all === undefined ? {} : { all });
      const theirs = found.filter((one) => one.tenant === who.tenant);
      return { approvals: theirs.map((one) => ({ ...one, answerable: answerable(one, who, roles) })) };
    },
  );

  app.post(
    '/v1/approvals/:id/answer',
    {
      schema: {
        operationId: 'answerApproval',
        summary: 'Agree or refuse; the run continues or gets the refusal. Policies say who may',
        tags: ['governance'],
        params: Params,
        body: Body,
        response: { 200: ApprovalView, ...errors },
      },
    },
    async (request) => {
      const { id } = request.params as Static<typeof Params>;
      const { decision, reason } = request.body as Static<typeof Body>;
      const answered = approvals.answer(id, decision, callerOf(request), reason ?? '');
      return await withDeadline(clock, LIMITS.API_REQUEST_MS, answered, 'answer approval', id);
    },
  );
}

function answerable(
  approval: Approval,
  who: PolicyContext,
  roles: readonly string[],
): 'yes' | 'own' | 'role' {
  if (approval.roles.length > 0 && !approval.roles.some((role) => roles.includes(role))) return 'role';
  return isSamePerson(approval.principal, who.principal) ? 'own' : 'yes';
}
