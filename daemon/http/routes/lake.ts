import type { FastifyInstance } from 'fastify';
import { EdgeError, METHODS } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { CancelBody, errors, NoQuery } from '../schemas.ts';

/** Longest wait for a rebuilt lake; a log of days takes minutes. */
const REBUILD_MS = 15_000;
/** A move that runs is turned round, or a new one starts: both lakes are closed first. */
const MOVE_MS = 30_000;

const RebuildView = Type.Object({
  done: Type.Boolean({ description: 'false: it continues; the status shows how far the lake is behind' }),
});
const Place = Type.Union([Type.Literal('embedded'), Type.Literal('remote')]);
const MoveView = Type.Object({
  to: Place,
  state: Type.Union([Type.Literal('copying'), Type.Literal('waiting'), Type.Literal('done')], {
    description: 'waiting: it failed for the reason, and is tried again',
  }),
  slices: Type.Integer({ description: 'pieces of tables that are equal on both sides' }),
  of: Type.Integer({ description: 'pieces, as far as they are counted' }),
  copied: Type.Integer({ description: 'rows that were copied since the start of the daemon' }),
  reason: Type.String(),
  tables: Type.Array(
    Type.Object({
      name: Type.String(),
      rows: Type.Integer(),
      digest: Type.String({ description: 'over all rows and columns, equal on both sides' }),
    }),
    { description: 'the proof, once the move is done' },
  ),
});
const LakeView = Type.Object({
  ready: Type.Boolean(),
  reason: Type.String(),
  kind: Type.Optional(Type.Union([Type.Literal('ducklake'), Type.Literal('duckdb')])),
  place: Type.Optional(Place),
  path: Type.Optional(Type.String({ description: 'of the catalogue, or s3:// of the files' })),
  why: Type.Optional(Type.String()),
  move: Type.Optional(MoveView),
});

/** Requests that the memory cell answers about the lakehouse itself. */
export function lakeRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.get(
    '/v1/lake',
    {
      schema: {
        operationId: 'getLake',
        summary: 'Where the lakehouse lives, and how far a move of it is',
        tags: ['memory'],
        querystring: NoQuery,
        response: { 200: LakeView, ...errors },
      },
    },
    async () => {
      const { ready, reason, lake, move } = await bus.request('memory', METHODS.memory.status, {});
      return { ready, reason, ...(lake ?? {}), ...(move ? { move } : {}) };
    },
  );

  app.post(
    '/v1/lake/move',
    {
      schema: {
        operationId: 'moveLake',
        summary: 'Move the lakehouse to the configured servers, or back into the data directory',
        description: 'It starts the move, which continues after a restart; GET /v1/lake shows how far it is.',
        tags: ['memory'],
        body: Type.Object({ to: Place }, { additionalProperties: false }),
        response: { 200: MoveView, ...errors },
      },
    },
    async (request) =>
      await bus.request(
        'memory',
        METHODS.memory.move,
        request.body as { to: 'embedded' | 'remote' },
        MOVE_MS,
      ),
  );

  app.post(
    '/v1/lake/rebuild',
    {
      schema: {
        operationId: 'rebuildLake',
        summary: 'Drop the lakehouse and fill it again from the logs and recordings',
        tags: ['memory'],
        body: CancelBody,
        response: { 200: RebuildView, ...errors },
      },
    },
    async () => {
      try {
        await bus.request('memory', METHODS.memory.rebuild, {}, REBUILD_MS);
        return { done: true };
      } catch (thrown) {
        if (thrown instanceof EdgeError && thrown.code === 'deadline.exceeded') return { done: false };
        throw thrown;
      }
    },
  );
}
