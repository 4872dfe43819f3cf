import type { FastifyInstance } from 'fastify';
import type { CellsView } from '../cells-view.ts';
import { askControllers } from '../controller-metrics.ts';
import type { HttpConfig, HttpPorts } from '../http-ports.ts';
import type { LogReaders } from '../log-readers.ts';
import type { Metrics } from '../metrics.ts';
import { askPolicies } from '../policy-metrics.ts';
import { asText, errors, Health, NoQuery, StatusSchema } from '../schemas.ts';
import { askCells, statusView } from '../status-view.ts';

export type StatusDeps = {
  readonly ports: HttpPorts;
  readonly config: HttpConfig;
  readonly cells: CellsView;
  readonly logs: LogReaders;
  readonly metrics: Metrics;
};

/** Health, status and figures. */
export function statusRoutes(
  app: FastifyInstance,
  { ports, config, cells, logs, metrics }: StatusDeps,
): void {
  for (const [path, hide] of [
    ['/health', false],
    ['/healthz', true],
  ] as const) {
    app.get(
      path,
      {
        config: { open: true },
        schema: {
          hide,
          operationId: 'health',
          summary: 'This process answers; says nothing about the robot and needs no token',
          tags: ['status'],
          security: [],
          querystring: NoQuery,
          response: { 200: Health, ...errors },
        },
      },
      async () => ({ status: 'ok' }),
    );
  }

  app.get(
    '/v1/status',
    {
      schema: {
        operationId: 'status',
        summary: 'All cells and what they do; a part whose cell is down says so and hides nothing else',
        tags: ['status'],
        querystring: NoQuery,
        response: { 200: StatusSchema, ...errors },
      },
    },
    () => statusView(ports, config, cells, logs),
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Figures for Prometheus',
        tags: ['status'],
        querystring: NoQuery,
        response: { 200: asText(['text/plain'], 'Prometheus exposition format'), ...errors },
      },
    },
    async (_request, reply) => {
      const [parts, policies, controllers] = await Promise.all([
        askCells(ports),
        askPolicies(ports.bus),
        askControllers(ports.bus),
      ]);
      const text = await metrics.scrape(
        parts,
        cells.all(),
        logs.lastSeqs(),
        ports.models?.models(),
        ports.telemetry?.(),
        ports.engine?.()?.engine(),
        policies,
        controllers,
        ports.a2a?.push?.(),
      );
      return reply.type(metrics.contentType).send(text);
    },
  );
}
