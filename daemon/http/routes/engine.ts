import type { FastifyInstance } from 'fastify';
import { EdgeError, type EngineApi, type EngineView } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const EngineBox = Type.Object(
  {
    engine: Type.String({ description: 'model that it serves' }),
    state: Type.Enum(['waiting', 'starting', 'ready', 'sleeping', 'failed', 'stopped']),
    reason: Type.String(),
    pid: Type.Optional(Type.Integer()),
    restarts: Type.Integer(),
    revision: Type.String({ description: 'of the model, as it was checked' }),
    running: Type.Integer({ description: 'calls of this daemon that it works on' }),
    waiting: Type.Integer({ description: 'calls that wait for it to wake' }),
    memory: Type.Object(
      {
        kind: Type.Enum(['gpu', 'host', 'unknown']),
        free_bytes: Type.Optional(Type.Integer()),
        floor_bytes: Type.Integer(),
      },
      closed,
    ),
    log: Type.Array(Type.String(), { description: 'its last lines' }),
  },
  { ...closed, title: 'Engine' },
);
const Order = Type.Object({ order: Type.Enum(['sleep', 'wake', 'restart']) }, closed);
const NoBody = Type.Object({}, closed);

/** The model server that this daemon runs. */
export function engineRoutes(app: FastifyInstance, { engine }: HttpPorts): void {
  const api = (): EngineApi => {
    const now = engine?.();
    if (now) return now;
    throw new EdgeError('model.not_found', {
      operation: 'find engine',
      subject: 'engine',
      message: 'this daemon runs no engine',
      hint: '[engine] in the configuration, see docs/engine.md',
    });
  };
  const describe = (operationId: string, summary: string) => ({ operationId, summary, tags: ['models'] });

  app.get(
    '/v1/engine',
    {
      schema: {
        ...describe('getEngine', 'The model server that this daemon runs: state, pin, memory, last lines'),
        querystring: NoQuery,
        response: { 200: EngineBox, ...errors },
      },
    },
    async () => engineBox(api().engine()),
  );

  app.post(
    '/v1/engine/:order',
    {
      schema: {
        ...describe('orderEngine', 'Have it sleep when its calls are over, wake, or start again'),
        params: Order,
        body: NoBody,
        response: { 200: EngineBox, ...errors },
      },
    },
    async (request) => {
      const { order } = request.params as Static<typeof Order>;
      if (order === 'sleep') return engineBox(await api().sleep());
      if (order === 'wake') return engineBox(await api().wake());
      return engineBox(await api().restart('asked for through the API'));
    },
  );
}

function engineBox({ pid, memory, log, ...view }: EngineView): Static<typeof EngineBox> {
  const { kind, freeBytes, floorBytes } = memory;
  return {
    ...view,
    ...(pid === undefined ? {} : { pid }),
    memory: {
      kind,
      ...(freeBytes === undefined ? {} : { free_bytes: freeBytes }),
      floor_bytes: floorBytes,
    },
    log: [...log],
  };
}
