import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { IntentRequest, LIMITS, RunState, withDeadline } from '../../../contract/index.ts';
import type { Static } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { saysStop } from '../says-stop.ts';
import { asText, errors, RunDetailsView, RunParams, RunsQuery, RunsView, SubmittedView } from '../schemas.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

/** Intents and runs. */
export function runRoutes(app: FastifyInstance, { runtime, clock }: HttpPorts): void {
  const settle = <T>(work: Promise<T>, operation: string, subject: string) =>
    withDeadline(clock, LIMITS.API_REQUEST_MS, work, operation, subject);

  app.post(
    '/v1/intents',
    {
      schema: {
        operationId: 'submitIntent',
        summary: 'Ask the robot for something; opens a run',
        tags: ['runs'],
        body: IntentRequest,
        response: { 200: SubmittedView, 201: SubmittedView, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/intents', body) },
    },
    async (request, reply) => {
      const context = callerOf(request);
      const submitted = await settle(runtime.submit(request.body, context), 'submit intent', 'runtime');
      return reply
        .code(submitted.duplicate ? 200 : 201)
        .header('location', `/v1/runs/${submitted.run.run_id}`)
        .send(submitted);
    },
  );

  app.get(
    '/v1/runs',
    {
      schema: {
        operationId: 'listRuns',
        summary: 'Runs, newest first',
        tags: ['runs'],
        querystring: RunsQuery,
        response: { 200: RunsView, ...errors },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      const wanted = request.query as Static<typeof RunsQuery>;
      return { runs: runtime.runs(tenant === 'local' ? wanted : { ...wanted, tenant }) };
    },
  );

  app.get(
    '/v1/runs/:id',
    {
      schema: {
        operationId: 'getRun',
        summary: 'One run',
        tags: ['runs'],
        params: RunParams,
        response: { 200: RunDetailsView, ...errors },
      },
    },
    async (request) => runtime.run((request.params as Static<typeof RunParams>).id),
  );

  app.post(
    '/v1/runs/:id/cancel',
    {
      schema: {
        operationId: 'cancelRun',
        summary: 'Stop the robot, then end the run; a finished run stays as it is',
        tags: ['runs'],
        params: RunParams,
        body: StopBody,
        response: { 200: RunState, ...errors },
      },
      config: { stops: true },
    },
    async (request) => {
      const { id } = request.params as Static<typeof RunParams>;
      const { reason } = stopOrderOf(request);
      return settle(runtime.cancel(id, reason, callerOf(request).principal), 'cancel run', id);
    },
  );

  app.get(
    '/v1/runs/:id/decisions',
    {
      schema: {
        operationId: 'getRunDecisions',
        summary: 'What was decided, one JSON line each, without ids and times: equal runs give equal text',
        tags: ['runs'],
        params: RunParams,
        response: { 200: asText(['application/x-ndjson'], 'decisions'), ...errors },
      },
    },
    async (request, reply) => {
      const parts = runtime.decisions((request.params as Static<typeof RunParams>).id);
      return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(parts));
    },
  );
}
