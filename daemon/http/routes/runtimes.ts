import type { FastifyInstance } from 'fastify';
import { EdgeError, type RuntimesApi, type RuntimeView } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const View = Type.Object(
  {
    name: Type.String(),
    state: Type.Enum(['connected', 'lost', 'absent'], {
      description: 'lost: its connection is gone and its session is kept for a while',
    }),
    peer: Type.String({ description: 'address and port of its last connection' }),
    version: Type.String({ description: 'as it says' }),
    language: Type.String({ description: 'as it says' }),
    agents: Type.Array(Type.String()),
    session: Type.String(),
    connections: Count('since the daemon started'),
    resumed: Count('connections that continued a session'),
    refused: Count('connections that were closed since they broke the contract'),
    reason: Type.String({ description: 'why the last session ended' }),
    waiting_messages: Count('not acknowledged by it'),
    waiting_bytes: Count('the same in bytes'),
    runs: Type.Array(
      Type.Object({
        run_id: Type.String(),
        app: Type.String(),
        agent: Type.String(),
        state: Type.Enum(['waiting', 'spawning', 'working']),
        calls: Count('tool calls in this attempt'),
        open_calls: Count('in progress'),
        said: Type.String({ description: 'the last characters of its stream' }),
      }),
    ),
    program: Type.Optional(
      Type.Object(
        {
          what: Type.String({ description: 'what is started' }),
          state: Type.Enum(['running', 'waiting', 'stopped'], {
            description: 'waiting: it ended and is started again after a pause',
          }),
          pid: Type.Optional(Type.Integer()),
          starts: Count('since the daemon started'),
          why: Type.String({ description: 'why it ended last; empty: it did not' }),
          sandbox: Type.String({ description: 'profile; empty or none: without one' }),
        },
        { description: 'absent: it is started elsewhere, and dials in' },
      ),
    ),
  },
  { title: 'Runtime' },
);
const NAME = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' });

/** Foreign runtimes: programs that dial in and execute runs (`contract/RUNTIME.md`). */
export function runtimeRoutes(app: FastifyInstance, { runtimes }: HttpPorts): void {
  app.get(
    '/v1/runtimes',
    {
      schema: {
        operationId: 'listRuntimes',
        summary: 'Foreign runtimes: who may dial in, who is connected, and what each executes',
        tags: ['runs'],
        response: { 200: Type.Object({ runtimes: Type.Array(View) }), ...errors },
      },
    },
    async () => ({ runtimes: (runtimes?.runtimes() ?? []).map(toJson) }),
  );
  app.get(
    '/v1/runtimes/:name',
    {
      schema: {
        operationId: 'getRuntime',
        summary: 'One foreign runtime',
        tags: ['runs'],
        params: Type.Object({ name: NAME }),
        response: { 200: View, ...errors },
      },
    },
    async (request) => {
      const { name } = request.params as { name: string };
      const found = runtimes?.runtimes().find((one) => one.name === name);
      if (!found) throw unknown(name);
      return toJson(found);
    },
  );
  app.post(
    '/v1/runtimes/:name/disconnect',
    {
      schema: {
        operationId: 'disconnectRuntime',
        summary: 'End the session of a runtime; its runs continue as their applications say',
        tags: ['runs'],
        params: Type.Object({ name: NAME }),
        body: Type.Object(
          { reason: Type.Optional(Type.String({ maxLength: 256 })) },
          { additionalProperties: false },
        ),
        response: { 200: View, ...errors },
      },
    },
    async (request) => {
      const { name } = request.params as { name: string };
      const { reason } = request.body as { reason?: string };
      return toJson(known(runtimes, name).disconnect(name, reason ?? `${callerOf(request).principal} asked`));
    },
  );
}

function known(runtimes: RuntimesApi | undefined, name: string): RuntimesApi {
  if (!runtimes) throw unknown(name);
  return runtimes;
}

function unknown(name: string): EdgeError {
  return new EdgeError('runtime.not_found', {
    ...{ operation: 'find runtime', subject: name },
    hint: `add [[runtimes.accept]] with name = "${name}" to the configuration`,
  });
}

function toJson(view: RuntimeView) {
  const { program } = view;
  const started = program ? { program: { ...program } } : {};
  return { ...view, ...started, agents: [...view.agents], runs: view.runs.map((run) => ({ ...run })) };
}
