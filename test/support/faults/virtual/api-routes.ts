import Fastify, { type FastifyInstance } from 'fastify';
import type { A2aApi } from '../../../../contract/index.ts';
import { setCaller } from '../../../../daemon/http/caller.ts';
import { errorReply } from '../../../../daemon/http/error-reply.ts';
import type { HttpPorts } from '../../../../daemon/http/http-ports.ts';
import { a2aRestRoutes } from '../../../../daemon/http/routes/a2a-rest.ts';
import { runRoutes } from '../../../../daemon/http/routes/runs.ts';
import { topicRoutes } from '../../../../daemon/http/routes/topics.ts';
import { toJson } from '../../../../daemon/http/to-json.ts';
import { compileValidator } from '../../../../daemon/http/validation.ts';
import type { VirtualDaemon } from './daemon.ts';
import { CALLER, type VirtualRuntime } from './runtime.ts';

/** Of each life of the runtime cell. */
const made = new WeakMap<VirtualRuntime, Promise<FastifyInstance>>();

/** Routes of the API that programs and agents use, with their schemas; only the socket is missing. */
function routesOf(daemon: VirtualDaemon, runtime: VirtualRuntime): Promise<FastifyInstance> {
  const known = made.get(runtime);
  if (known) return known;
  const making = makeRoutes(daemon, runtime);
  made.set(runtime, making);
  return making;
}

async function makeRoutes(daemon: VirtualDaemon, runtime: VirtualRuntime): Promise<FastifyInstance> {
  const clock = daemon.api.process;
  const app = Fastify({ logger: false });
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(() => toJson);
  app.setReplySerializer(toJson);
  app.setErrorHandler((error, { method, url, id }, reply) => {
    const { status, body } = errorReply(error, `${method} ${url}`, id);
    return reply.code(status).send(body);
  });
  app.addHook('onRequest', async (request) => setCaller(request, CALLER));
  runRoutes(app, { runtime: runtime.cell, clock } as unknown as HttpPorts);
  topicRoutes(app, { bus: runtime.bus } as unknown as HttpPorts);
  await a2aRestRoutes(app, await a2aOf(daemon, runtime), () => 'http://r1');
  await app.ready();
  return app;
}

/** This robot as an A2A agent. */
export async function a2aOf(daemon: VirtualDaemon, { cell, ids, push }: VirtualRuntime): Promise<A2aApi> {
  const { A2aEndpoint } = await import('../../../../adapters/a2a/server/index.ts');
  return new A2aEndpoint({
    ...{ robot: 'r1', version: '1', clock: daemon.api.process, runtime: cell, push },
    ...{ apps: () => cell.apps.serving(), newId: () => ids.next<string>() },
    message: async (run, text, who, id) =>
      void (await cell.control.message(run, { kind: 'follow_up', text }, who, { messageId: id })),
  });
}

export type ApiRequest = {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly type?: string;
  readonly body?: string;
};
export type ApiAnswer = { readonly status: number; readonly body: string };

/** One request to the API of this daemon: read when its process runs; never answered where that dies first. */
export function request(daemon: VirtualDaemon, { method, url, type, body }: ApiRequest): Promise<ApiAnswer> {
  return daemon.api.ask(async (runtime) => {
    const app = await routesOf(daemon, runtime);
    const headers = { 'content-type': type ?? 'application/json' };
    const answer = await app.inject({
      ...{ method, url },
      ...(body === undefined ? {} : { headers, payload: body }),
    });
    return { status: answer.statusCode, body: answer.body };
  }, url);
}
