import type { FastifyInstance } from 'fastify';
import { LIMITS, METHODS } from '../../../contract/index.ts';
import type { Static } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import { endUnheard } from '../end-unheard.ts';
import type { HttpPorts } from '../http-ports.ts';
import { judgedOrder } from '../judged-order.ts';
import { CancelBody, errors, PlayBody, PlayParams, PlayView, RateBody, SeekBody } from '../schemas.ts';
import { StopBody } from '../stop-order.ts';

/** Opening a large bag and joining the ROS graph come before the answer, milliseconds. */
const START_MS = 60_000;

/** Playing recordings: onto the bus of the execution cell, into ROS, into the key space. */
export function playRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus, judgeAction } = ports;
  app.post(
    '/v1/plays',
    {
      schema: {
        operationId: 'startPlay',
        summary: 'Play a recording of this host onto the bus, into ROS or into Zenoh; one at a time',
        tags: ['robot'],
        body: PlayBody,
        response: { 201: PlayView, ...errors },
      },
    },
    async (request, reply) => {
      const { start_s, delay_s, duration_s, clock_hz, allow_commands, ...rest } = request.body as Static<
        typeof PlayBody
      >;
      const order = {
        loop: false,
        topics: [],
        ...rest,
        startS: start_s ?? 0,
        delayS: delay_s,
        durationS: duration_s,
        clockHz: clock_hz,
        allowCommands: allow_commands,
      };
      const { path, rate, loop, topics, to = 'bus' } = order;
      const facts = { motion: 'play', path, to, rate, loop, topics };
      const view = await judgedOrder(
        reply,
        { operation: 'play', subject: path, stops: ports.runtime.stops },
        // What carries no commands moves nothing.
        async () => allow_commands && judgeAction?.({ tool: 'bag.play', facts }, callerOf(request)),
        (wantedAtMs) => bus.request('execution', METHODS.execution.bagPlay, order, START_MS, wantedAtMs),
        {
          after: ({ play_id: id }) =>
            endUnheard(ports, METHODS.execution.bagPlayStop, { id, by: callerOf(request).principal }),
        },
      );
      return reply.code(201).send(view);
    },
  );

  app.get(
    '/v1/plays/:id',
    {
      schema: {
        operationId: 'getPlay',
        summary: 'How far a play is',
        tags: ['robot'],
        params: PlayParams,
        response: { 200: PlayView, ...errors },
      },
    },
    async (request) =>
      bus.request('execution', METHODS.execution.bagPlayState, request.params as Static<typeof PlayParams>),
  );

  app.post(
    '/v1/plays/:id/stop',
    {
      schema: {
        operationId: 'stopPlay',
        summary: 'End a play',
        tags: ['robot'],
        params: PlayParams,
        body: StopBody,
        response: { 200: PlayView, ...errors },
      },
      config: { stops: true },
    },
    async (request) =>
      bus.request('execution', METHODS.execution.bagPlayStop, {
        ...(request.params as Static<typeof PlayParams>),
        by: callerOf(request).principal,
      }),
  );

  const steer = (
    action: 'pause' | 'resume' | 'seek' | 'rate',
    operationId: string,
    summary: string,
    body: typeof StopBody | typeof CancelBody | typeof SeekBody | typeof RateBody,
  ) =>
    app.post(
      `/v1/plays/:id/${action}`,
      {
        schema: {
          operationId,
          summary,
          tags: ['robot'],
          params: PlayParams,
          body,
          response: { 200: PlayView, ...errors },
        },
        config: { stops: action === 'pause' },
      },
      async (request, reply) => {
        const { id } = request.params as Static<typeof PlayParams>;
        const { position_s, rate } = (request.body ?? {}) as { position_s?: number; rate?: number };
        const order = { id, action, positionS: position_s, rate, by: callerOf(request).principal };
        const give = (wantedAtMs?: number) =>
          bus.request(
            'execution',
            METHODS.execution.bagPlayControl,
            order,
            LIMITS.CELL_REQUEST_MS,
            wantedAtMs,
          );
        if (action === 'pause') return give();
        const {
          path,
          to,
          rate: before,
        } = await bus.request('execution', METHODS.execution.bagPlayState, { id });
        const facts = { motion: 'play', path, to, rate: rate ?? before, position_s };
        return judgedOrder(
          reply,
          { operation: `${action} play`, subject: path, stops: ports.runtime.stops },
          async () => judgeAction?.({ tool: 'bag.play', facts }, callerOf(request)),
          give,
        );
      },
    );
  steer('pause', 'pausePlay', 'Hold a play where it is', StopBody);
  steer('resume', 'resumePlay', 'Continue a held play', CancelBody);
  steer(
    'seek',
    'seekPlay',
    'Continue from another place of the bag, with what latched topics held there',
    SeekBody,
  );
  steer('rate', 'setPlayRate', 'Play faster or slower', RateBody);
}
