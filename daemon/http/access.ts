import type { FastifyRequest } from 'fastify';
import { EdgeError, type PolicyContext } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

/** Whose robot it is. */
export const OWNER = 'local';
const OPERATOR_ROLE = 'operator';

/** Their handlers ask the policies, or check a signature: in the name of the caller. */
const JUDGED: ReadonlySet<string> = new Set([
  'POST /v1/intents',
  'POST /v1/runs/:id/messages',
  'POST /v1/runs/:id/fork',
  'POST /v1/approvals/:id/answer',
  'POST /v1/grants',
  'POST /v1/grants/:id/revoke',
  'POST /v1/chat/completions',
  'POST /v1/inference/plan',
  'POST /v1/plans',
  'POST /a2a',
  // The same agent, which shows a caller its own tasks only.
  ...['POST /a2a/http/message::send', 'POST /a2a/http/message::stream', 'GET /a2a/http/extendedAgentCard'],
  ...['GET /a2a/http/tasks', 'GET /a2a/http/tasks/:id', 'POST /a2a/http/tasks/:id([^:/]+)::cancel'],
  ...['GET /a2a/http/tasks/:id([^:/]+)::subscribe', 'POST /a2a/http/tasks/:id([^:/]+)::subscribe'],
  ...['GET', 'POST'].map((method) => `${method} /a2a/http/tasks/:id/pushNotificationConfigs`),
  ...['GET', 'DELETE'].map((method) => `${method} /a2a/http/tasks/:id/pushNotificationConfigs/:config`),
]);
/** An agent believes what a person writes to it: only for operators, and within their own tenant. */
const TELLS = 'POST /v1/questions/:questionId/answer';
/** MCP judges each call itself, and what it returns is about this robot as a whole. */
const JUDGED_HERE: ReadonlySet<string> = new Set(['GET /mcp', 'POST /mcp', 'DELETE /mcp']);
/** They stop the robot: every caller may do that to its own runs. The handler of a session finds only those. */
const STOPS_RUN: ReadonlySet<string> = new Set([
  ...['POST /v1/runs/:id/cancel', 'POST /v1/runs/:id/pause', 'POST /v1/sessions/:id/stop'],
]);
/** Every token of this robot may stop it. */
const STOPS: ReadonlySet<string> = new Set([
  ...['POST /v1/robot/stop', 'POST /v1/arm/stop', 'POST /v1/controllers/:name/stop'],
]);
/** Its handler asks for a role of its own. */
const RELEASES = 'POST /v1/estop/release';
/** They change nothing, and need a body. */
const READS: ReadonlySet<string> = new Set([
  ...['POST /v1/query', 'POST /v1/policy/rejudge', 'POST /v1/recall'],
  ...['POST /v1/inference/vla', 'POST /v1/inference/vla/cancel'],
]);
/** Paths that a guest tenant sees; their handlers show only the caller's own data, and data of no one. */
const GUESTS: ReadonlySet<string> = new Set([
  // It gives a caller what the caller has.
  ...['POST /v1/console/codes', 'GET /v1/me'],
  ...['GET /v1/runs', 'GET /v1/approvals', 'GET /v1/questions', 'GET /v1/quotas', 'GET /v1/grants'],
  ...['GET /v1/policy', 'GET /v1/skills', 'GET /v1/models', 'GET /v1/schedules', 'GET /v1/arm'],
  ...['POST /v1/recall', 'GET /v1/recall/recorded/:id'],
  ...['GET /v1/arm/figure', 'GET /v1/robot/map', 'GET /metrics'],
]);

/**
 * The rights of a token, besides policies. Direct control (motions, recordings, ROS, tools of others) is an
 * operator's of this robot; other tokens may read, stop, and request anything that policies judge. A
 * guest, of another tenant, sees and touches its own runs and nothing of anybody else's. A route that is in none
 * of the lists is closed to both.
 */
export function checkAccess(
  request: FastifyRequest,
  who: PolicyContext,
  { runtime, governance }: Pick<HttpPorts, 'runtime' | 'governance'>,
): void {
  const url = request.routeOptions.url;
  if (url === undefined) return;
  const route = `${request.method} ${url}`;
  const owner = who.tenant === OWNER;
  const roles = rolesOf(who, { governance });
  const operator = roles.includes(OPERATOR_ROLE);
  if (owner && operator) return;
  if (JUDGED.has(route) || STOPS_RUN.has(route) || ofRun(url)) {
    if (!owner && ofRun(url)) ownRun(request, who, runtime);
    if (request.method === 'GET' || JUDGED.has(route) || STOPS_RUN.has(route) || operator) return;
  } else if (STOPS.has(route) || (route === RELEASES && owner) || (route === TELLS && operator)) return;
  else if (owner && (request.method === 'GET' || READS.has(route) || JUDGED_HERE.has(route))) return;
  else if (GUESTS.has(route)) return;
  throw new EdgeError('policy.denied', {
    operation: 'authorise',
    subject: route,
    message: owner ? 'only an operator does this' : `${who.tenant} is a guest here: this is not shared`,
    hint: 'ask for it as an intent, which policies judge; docs/policies.md says what a token opens',
  });
}

/** Under a grant only its roles count. */
export function rolesOf(
  who: PolicyContext,
  { governance }: { readonly governance?: HttpPorts['governance'] | undefined },
): readonly string[] {
  return who.lease === undefined ? who.roles : (governance?.rolesOf(who) ?? []);
}

function ofRun(url: string): boolean {
  return url.startsWith('/v1/runs/:id');
}

/** Runs of others do not exist for the caller. Throws `run.not_found`. */
function ownRun(request: FastifyRequest, who: PolicyContext, runtime: HttpPorts['runtime']): void {
  for (const [name, id] of Object.entries(request.params as Record<string, string>)) {
    if (name === 'sha256') continue;
    if (runtime.run(id).intent.policy_ctx.tenant !== who.tenant)
      throw new EdgeError('run.not_found', { operation: 'find run', subject: id.slice(0, 64) });
  }
}
