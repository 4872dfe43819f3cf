import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  type ArmFigure,
  type ArmState,
  type CancelRequest,
  type GripperGoal,
  LIMITS,
  type Maneuver,
  METHODS,
  type MotionRequest,
  type MotionResult,
  type NavigateGoal,
  type OpenCallName,
  type StopRequest,
  type TrajectoryGoal,
  toWireTime,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import {
  ArmFigureView,
  ArmView,
  GripperBody,
  ManeuverBody,
  MotionView,
  NavigateBody,
  TrajectoryBody,
} from '../motion-schemas.ts';
import { CancelBody, Done, errors, NoQuery } from '../schemas.ts';

/** Robot time may run slower than wall time: a motion is deaf after so many times its own limit, and this, milliseconds. */
const DEAF_FACTOR = 4;
const DEAF_MS = 5_000;
/** Where the request sets no limit, milliseconds of robot time. */
const NAVIGATE_MS = 120_000;
const MANEUVER_MS = 120_000;
const GRIPPER_MS = 20_000;
const TOLERANCE_M = 0.25;

/**
 * Motions by a person or a program at the API: one request is one motion, under the actuation lease. Whoever
 * hangs up before it is over cancels it.
 */
export function motionRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { bus } = ports;
  const { execution } = METHODS;

  const move = async (reply: FastifyReply, method: OpenCallName, goal: unknown, robotTimeMs: number) => {
    const motionId = `api-${ports.requestId()}`;
    const body: MotionRequest<unknown> = { motionId, goal };
    const hungUp = () => {
      if (reply.raw.writableFinished) return;
      const cancel: CancelRequest = { motionId, reason: 'the caller hung up' };
      bus.request('execution', execution.robotCancel, cancel).catch((error: unknown) => {
        ports.report('warn', 'a motion whose caller hung up was not cancelled', { error: String(error) });
      });
    };
    reply.raw.once('close', hungUp);
    try {
      const deafMs = Math.ceil(robotTimeMs * DEAF_FACTOR + DEAF_MS);
      return motionView(await bus.request<MotionResult>('execution', method, body, deafMs));
    } finally {
      reply.raw.off('close', hungUp);
    }
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
    async (request, reply) => {
      const told = request.body as Static<typeof NavigateBody>;
      const goal: NavigateGoal = {
        pose: told.pose,
        tolerance: told.tolerance_m ?? TOLERANCE_M,
        timeoutMs: told.timeout_ms ?? NAVIGATE_MS,
        ...(told.align_yaw === undefined ? {} : { alignYaw: told.align_yaw }),
        ...(told.via === undefined ? {} : { via: told.via }),
      };
      return move(reply, execution.robotNavigate, goal, goal.timeoutMs);
    },
  );

  app.post(
    '/v1/robot/maneuver',
    schema('maneuverRobot', 'Drive, turn or wait without a map', 'robot', ManeuverBody, MotionView),
    async (request, reply) => {
      const told = request.body as Static<typeof ManeuverBody>;
      const goal: Maneuver =
        told.kind === 'drive'
          ? { kind: 'drive', distance: told.distance_m }
          : told.kind === 'spin'
            ? { kind: 'spin', angle: told.angle_rad }
            : { kind: 'wait', durationMs: told.wait_ms };
      return move(reply, execution.robotManeuver, goal, goal.kind === 'wait' ? goal.durationMs : MANEUVER_MS);
    },
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
    async () => armView(await bus.request<ArmState>('execution', execution.armState, {})),
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
      const figure = await bus.request<ArmFigure | undefined>('execution', execution.armFigure, {});
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
    async (request, reply) => {
      const { points } = request.body as Static<typeof TrajectoryBody>;
      const goal: TrajectoryGoal = {
        points: points.map(({ positions, time_from_start_ms }) => ({
          positions,
          timeFromStartMs: time_from_start_ms,
        })),
      };
      return move(reply, execution.armFollow, goal, 2 * (goal.points.at(-1)?.timeFromStartMs ?? 0));
    },
  );

  app.post(
    '/v1/arm/gripper',
    schema('moveGripper', 'Open or close the gripper', 'arm', GripperBody, MotionView),
    async (request, reply) => {
      const { opening_m, effort_n } = request.body as Static<typeof GripperBody>;
      const goal: GripperGoal = { opening: opening_m, effort: effort_n };
      return move(reply, execution.armGripper, goal, GRIPPER_MS);
    },
  );

  app.post(
    '/v1/arm/stop',
    schema('stopArm', 'Stop the arm now, the base stays as it is; may be repeated', 'arm', CancelBody, Done),
    async (request) => {
      const { reason } = request.body as Static<typeof CancelBody>;
      const order: StopRequest = { reason: reason ?? 'asked for through the API' };
      await bus.request('execution', execution.armStop, order, LIMITS.CELL_REQUEST_MS);
      return { ok: true };
    },
  );
}

function motionView({ pose, distance, durationMs, time, ...told }: MotionResult): Static<typeof MotionView> {
  return {
    ...told,
    ...(pose ? { pose } : {}),
    distance_m: distance,
    duration_ms: durationMs,
    time_ns: toWireTime(time),
  };
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
