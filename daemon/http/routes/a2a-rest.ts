import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type A2aApi, parseJson } from '../../../contract/index.ts';
import { callerOf } from '../caller.ts';
import { saysStop } from '../says-stop.ts';
import { stopOrderOf } from '../stop-order.ts';
import { a2aCaller, goneOf, sendEvents } from './a2a-answers.ts';

/** Under this path stand the requests of the HTTP+JSON binding of the Agent2Agent protocol, version 1.0. */
export const A2A_REST = '/a2a/http';
const VERSION = '1.0';
const TYPE = 'application/a2a+json';

type RpcError = { readonly code: number; readonly message: string; readonly data?: unknown };
type RpcAnswer = { readonly result?: object; readonly error?: RpcError };
type Params = Readonly<Record<string, unknown>>;

/**
 * The HTTP+JSON binding: each request is a method of the JSON-RPC binding with another form, so both have the same rights,
 * limits and refusals. A cancel counts with any body.
 */
export async function a2aRestRoutes(
  app: FastifyInstance,
  a2a: A2aApi,
  baseOf: (request: FastifyRequest) => string,
): Promise<void> {
  const hidden = { schema: { hide: true } };
  await app.register(
    async (scope) => {
      scope.addContentTypeParser(TYPE, { parseAs: 'string' }, async (_: unknown, body: string) =>
        parseJson(body),
      );
      const answering =
        (method: string, paramsOf: (request: FastifyRequest) => unknown) =>
        async (request: FastifyRequest, reply: FastifyReply) => {
          const { 'a2a-version': version } = request.headers;
          const { gone, signal } = goneOf(reply);
          const answered = await a2a.call({
            body: { jsonrpc: '2.0', id: 1, method, params: paramsOf(request) },
            version: typeof version === 'string' && version !== '' ? version : VERSION,
            base: baseOf(request),
            who: a2aCaller(callerOf(request)),
            gone: signal,
          });
          if (answered.kind === 'stream') return sendEvents(request, reply, gone, answered.events, eventOf);
          const { result, error } = answered.body as RpcAnswer;
          const body = error ? errorBody(error) : (result ?? {});
          return reply
            .code(error ? statusOf(error) : 200)
            .type(TYPE)
            .send(JSON.stringify(body));
        };
      const idOf = ({ params }: FastifyRequest) => (params as { id: string }).id;
      const bodyOf = ({ body }: FastifyRequest) => body ?? {};
      scope.get(
        '/extendedAgentCard',
        hidden,
        answering('GetExtendedAgentCard', () => ({})),
      );
      const said = {
        ...hidden,
        config: { stopsWith: (body: unknown) => saysStop(`${A2A_REST}/message::send`, body) },
      };
      scope.post('/message::send', said, answering('SendMessage', bodyOf));
      scope.post('/message::stream', said, answering('SendStreamingMessage', bodyOf));
      scope.get('/tasks', hidden, answering('ListTasks', listParams));
      scope.get(
        '/tasks/:id',
        hidden,
        answering('GetTask', (request) => ({ id: idOf(request) })),
      );
      scope.post(
        '/tasks/:id([^:/]+)::cancel',
        { ...hidden, config: { stops: true } },
        answering('CancelTask', (request) => {
          const { reason } = stopOrderOf(request);
          return { id: idOf(request), ...(reason === '' ? {} : { metadata: { reason } }) };
        }),
      );
      for (const method of ['GET', 'POST'] as const)
        scope.route({
          ...{ method, url: '/tasks/:id([^:/]+)::subscribe', ...hidden },
          handler: answering('SubscribeToTask', (request) => ({ id: idOf(request) })),
        });
      const configs = '/tasks/:id/pushNotificationConfigs';
      const configOf = ({ params }: FastifyRequest) => {
        const { id, config } = params as { id: string; config: string };
        return { taskId: id, id: config };
      };
      const set = (request: FastifyRequest) => ({ ...Object(bodyOf(request)), taskId: idOf(request) });
      scope.post(configs, hidden, answering('CreateTaskPushNotificationConfig', set));
      scope.get(
        configs,
        hidden,
        answering('ListTaskPushNotificationConfigs', (request) => ({ taskId: idOf(request) })),
      );
      scope.get(`${configs}/:config`, hidden, answering('GetTaskPushNotificationConfig', configOf));
      // Clients send the header of a body, and none.
      await scope.register(async (own) => {
        own.removeAllContentTypeParsers();
        own.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null));
        own.delete(`${configs}/:config`, hidden, answering('DeleteTaskPushNotificationConfig', configOf));
      });
    },
    { prefix: A2A_REST },
  );
}

/** What a query may say, as numbers where the protocol has numbers; the endpoint judges it. */
function listParams({ query }: FastifyRequest): Params {
  const { pageSize, historyLength, ...rest } = query as Record<string, string>;
  const number = (name: string, text: string | undefined) =>
    text === undefined ? {} : { [name]: Number(text) };
  return { ...rest, ...number('pageSize', pageSize), ...number('historyLength', historyLength) };
}

function eventOf(event: object): string {
  const { result, error } = event as RpcAnswer;
  return error
    ? `event: error\ndata: ${JSON.stringify(errorBody(error))}\n\n`
    : `data: ${JSON.stringify(result)}\n\n`;
}

const TASK_NOT_FOUND = -32_001;
const INTERNAL: ReadonlySet<number> = new Set([-32_603, -32_006]);
/** Errors of the form of a request; the others say that this robot or the state of the task forbids it. */
const FORM: ReadonlySet<number> = new Set([-32_700, -32_600, -32_601, -32_602, -32_005]);

function statusOf({ code }: RpcError): number {
  if (code === TASK_NOT_FOUND) return 404;
  return INTERNAL.has(code) ? 500 : 400;
}

/** As `google.rpc.Status` in JSON, which the protocol wants. */
function errorBody(error: RpcError): object {
  const { code, message, data } = error;
  const status =
    code === TASK_NOT_FOUND
      ? 'NOT_FOUND'
      : INTERNAL.has(code)
        ? 'INTERNAL'
        : FORM.has(code)
          ? 'INVALID_ARGUMENT'
          : 'FAILED_PRECONDITION';
  return { error: { code: statusOf(error), status, message, details: Array.isArray(data) ? data : [] } };
}
