import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type A2aApi, EdgeError, LIMITS, OPERATOR, parseJson } from '../../../contract/index.ts';
import { cancelIn } from '../../../formats/a2a-cancel.ts';
import { callerOf, isKnown } from '../caller.ts';
import type { Connections } from '../connections.ts';
import type { HttpConfig, HttpPorts } from '../http-ports.ts';
import { type BodyEnd, readBody } from '../read-body.ts';
import { saysStop } from '../says-stop.ts';
import { endUnread } from '../stop-order.ts';
import { a2aCaller, goneOf, sendEvents } from './a2a-answers.ts';
import { a2aRestRoutes } from './a2a-rest.ts';

/** This robot as an agent of the Agent2Agent protocol (docs/a2a.md). Where the configuration says no, no route is added. */
export async function a2aRoutes(
  app: FastifyInstance,
  { a2a, clock }: HttpPorts,
  { publicUrl }: HttpConfig,
  connections: Pick<Connections, 'linger'>,
): Promise<void> {
  if (!a2a) return;
  const baseOf = ({ host }: FastifyRequest) => (publicUrl ?? `http://${host}`).replace(/\/+$/, '');
  app.get(
    '/.well-known/agent-card.json',
    // Follows another protocol: not part of the API document.
    { schema: { hide: true }, config: { openWithoutToken: true } },
    async (request, reply) => {
      // Guests of another tenant see as much of what is installed as clients without a token.
      const isOwn = isKnown(request) && callerOf(request).tenant === OPERATOR.tenant;
      const card = await a2a.card(baseOf(request), versionOf(request), isOwn);
      return sendJson(reply.header('vary', 'A2A-Version, Authorization'), card);
    },
  );
  await a2aRestRoutes(app, a2a, baseOf);
  await app.register(async (scope) => {
    // A cancel is carried out in whatever form it comes, also where it is too long, cut short, or its end never comes.
    scope.addHook('onRequest', async (request, reply) => {
      const most = LIMITS.API_BODY_BYTES_MAX;
      const isCancel = (bytes: Buffer) => cancelIn(bytes.toString()) !== undefined;
      const { bytes, end } = await readBody(request.raw, clock, most, isCancel);
      const body = parsed(bytes.toString());
      // All other orders count only whole.
      if (end !== 'whole' && cancelIn(body) === undefined) throw notWhole(end);
      request.body = body;
      endUnread(request, reply, end !== 'whole', connections);
    });
    scope.post(
      '/a2a',
      {
        schema: { hide: true },
        config: { stopsWith: (body) => cancelIn(body) !== undefined || saysStop('/a2a', body) },
      },
      (request, reply) => answer(a2a, request, reply, baseOf(request)),
    );
  });
}

async function answer(a2a: A2aApi, request: FastifyRequest, reply: FastifyReply, base: string) {
  const { gone, signal } = goneOf(reply);
  const { body } = request;
  const call = {
    body,
    version: versionOf(request),
    base,
    who: a2aCaller(callerOf(request)),
    gone: signal,
  };
  const answered = await a2a.call(call);
  if (answered.kind === 'answer') return sendJson(reply, answered.body);
  return sendEvents(request, reply, gone, answered.events, (event) => `data: ${JSON.stringify(event)}\n\n`);
}

function notWhole(end: BodyEnd): EdgeError {
  const most = LIMITS.API_BODY_BYTES_MAX;
  const isLonger = end === 'longer';
  return new EdgeError(isLonger ? 'api.too_large' : 'schema.invalid', {
    operation: 'read body',
    subject: '/a2a',
    message: isLonger ? `the body is longer than ${most} bytes` : 'the body broke off',
  });
}

/** As text: the schema of an answer is that of the protocol, not of the API. */
function sendJson(reply: FastifyReply, body: object): FastifyReply {
  return reply.type('application/json').send(JSON.stringify(body));
}

function versionOf({ headers }: FastifyRequest): string | undefined {
  const { 'a2a-version': version } = headers;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

/** Text that is not JSON stays text: the answer says so. */
function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
