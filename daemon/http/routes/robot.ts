import type { FastifyInstance } from 'fastify';
import { METHODS, stopRobot, toWireTime } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { Done, errors, MapView, NoQuery } from '../schemas.ts';
import { stopAnswer } from '../stop-answer.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

/** Requests that the execution cell answers about the robot. */
export function robotRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus } = ports;
  app.post(
    '/v1/robot/stop',
    {
      schema: {
        operationId: 'stopRobot',
        summary: 'Stop the robot now and cancel every run; may be repeated',
        tags: ['robot'],
        body: StopBody,
        response: { 200: Done, ...errors },
      },
      config: { stops: true },
    },
    (request) => {
      const { reason } = stopOrderOf(request);
      return stopAnswer(stopRobot(ports, reason, callerOf(request).principal));
    },
  );

  app.get(
    '/v1/robot/map',
    {
      schema: {
        operationId: 'getRobotMap',
        summary: 'The occupancy map known so far; 204 where the robot has none',
        tags: ['robot'],
        querystring: NoQuery,
        response: { 200: MapView, 204: Type.Null(), ...errors },
      },
    },
    async (_request, reply) => {
      const map = await bus.request('execution', METHODS.execution.robotMap, {});
      if (!map) return reply.code(204).send();
      const { time, ...rest } = map;
      return { time_ns: toWireTime(time), ...rest };
    },
  );
}
