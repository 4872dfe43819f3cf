import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type ArmState,
  type CallAsk,
  type CancelRequest,
  type GoalOf,
  type GripperArgs as GripperRequest,
  goalOfGripper,
  goalOfManeuver,
  goalOfNavigateBody,
  goalOfTrajectory,
  LIMITS,
  type ManeuverArgs as ManeuverRequest,
  METHODS,
  MOTION_METHODS,
  type MotionCall,
  type MotionKind,
  type MotionRequest,
  motionDeadlineMs,
  motionSchemas,
  motionTimeMs,
  motionView,
  type NavigateBody as NavigateRequest,
  type StopRequest,
  type TrajectoryBody as TrajectoryRequest,
  toWireTime,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { judgedOrder } from '../judged-order.ts';
import { ArmFigureView, ArmView } from '../motion-schemas.ts';
import { Done, errors, NoQuery } from '../schemas.ts';
import { stopAnswer } from '../stop-answer.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

const { NavigateBody, ManeuverArgs, TrajectoryBody, GripperArgs, MotionView } = motionSchemas;

/**
 * Motions by a person or a program at the API: one request is one motion, judged by the policies and under the
 * actuation lease. A caller that hangs up before it is over cancels it.
 */
export function motionRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus } = ports;
  const { execution } = METHODS;

  const move = async <K extends MotionKind>(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: K,
    goal: GoalOf<K>,
  ) => {
    const motionId = `api-${ports.requestId()}`;
    const body: MotionRequest<GoalOf<K>> = { motionId, goal, by: callerOf(request).principal };
    const hungUp = () => {
      const cancel: CancelRequest = {
        motionId,
        reason: 'the caller hung up',
        by: callerOf(request).principal,
      };
      bus.request('execution', execution.robotCancel, cancel).catch((error: unknown) => {
        ports.report('warn', 'a motion whose caller hung up was not cancelled', { error: String(error) });
      });
    };
    const deafMs = motionDeadlineMs(motionTimeMs(kind, goal));
    const result = await judgedOrder(
      reply,
      { operation: kind, subject: 'robot', stops: ports.runtime.stops },
      async () => ports.judgeMotion?.(kind, goal, callerOf(request)),
      (wantedAtMs) =>
        bus.request('execution', MOTION_METHODS[kind], body as CallAsk<MotionCall<K>>, deafMs, wantedAtMs),
      { during: hungUp },
    );
    return motionView(result);
  };
  const schema = (operationId: string, summary: string, tag: string, body: object, answer: object) => ({
    schema: { operationId, summary, tags: [tag], body, response: { 200: answer, ...errors } },
  });

  app.post(
    '/v1/robot/navigate',
    schema(
      'navigateRobot',
      'Send the robot somewhere; answered when it stands',
      'robot',
      NavigateBody,
      MotionView,
    ),
    (request, reply) => move(request, reply, 'navigate', goalOfNavigateBody(request.body as NavigateRequest)),
  );

  app.post(
    '/v1/robot/maneuver',
    schema('maneuverRobot', 'Drive, turn or wait without a map', 'robot', ManeuverArgs, MotionView),
    (request, reply) => move(request, reply, 'maneuver', goalOfManeuver(request.body as ManeuverRequest)),
  );

  app.get(
    '/v1/arm',
    {
      schema: {
        operationId: 'getArm',
        summary: 'Joints of the arm and whether it moves',
        tags: ['arm'],
        querystring: NoQuery,
        response: { 200: ArmView, ...errors },
      },
    },
    async () => armView(await bus.request('execution', execution.armState, {})),
  );

  app.get(
    '/v1/arm/figure',
    {
      schema: {
        operationId: 'getArmFigure',
        summary: 'The arm as it can be drawn: joints, limits, where its links are; 204 where there is no arm',
        tags: ['arm'],
        querystring: NoQuery,
        response: { 200: ArmFigureView, 204: Type.Null(), ...errors },
      },
    },
    async (_request, reply) => {
      const figure = await bus.request('execution', execution.armFigure, {});
      return figure ?? reply.code(204).send();
    },
  );

  app.post(
    '/v1/arm/trajectory',
    schema(
      'followTrajectory',
      'Move the arm along points; answered when it rests',
      'arm',
      TrajectoryBody,
      MotionView,
    ),
    (request, reply) => move(request, reply, 'follow', goalOfTrajectory(request.body as TrajectoryRequest)),
  );

  app.post(
    '/v1/arm/gripper',
    schema('moveGripper', 'Open or close the gripper', 'arm', GripperArgs, MotionView),
    (request, reply) => move(request, reply, 'gripper', goalOfGripper(request.body as GripperRequest)),
  );

  app.post(
    '/v1/arm/stop',
    {
      ...schema(
        'stopArm',
        'Stop the arm now, the base stays as it is; may be repeated',
        'arm',
        StopBody,
        Done,
      ),
      config: { stops: true },
    },
    (request) => {
      const { reason } = stopOrderOf(request);
      const order: StopRequest = { reason, by: callerOf(request).principal };
      const stopped = bus.request('execution', execution.armStop, order, LIMITS.CELL_REQUEST_MS);
      return stopAnswer(stopped.then(() => undefined));
    },
  );
}

export function armView({ time, joints, ...told }: ArmState): Static<typeof ArmView> {
  const readings = Object.entries(joints).map(([name, { position, velocity, effort }]) => [
    name,
    {
      position,
      ...(velocity === undefined ? {} : { velocity }),
      ...(effort === undefined ? {} : { effort }),
    },
  ]);
  return {
    ...told,
    joints: Object.fromEntries(readings),
    ...(time === undefined ? {} : { time_ns: toWireTime(time) }),
  };
}
