import type { FastifyInstance } from 'fastify';
import { Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const Nanoseconds = Type.String({ description: 'nanoseconds since the epoch' });

const ScheduleView = Type.Object(
  {
    name: Type.String(),
    cron: Type.String(),
    time_zone: Type.String(),
    intent: Type.String(),
    missed: Type.Enum(['skip', 'run_once', 'run_all']),
    overlap: Type.Enum(['skip', 'queue']),
    jitter_ms: Type.Number(),
    next: Type.Array(Nanoseconds, { description: 'the next times, without jitter' }),
    last: Type.Optional(
      Type.Object(
        {
          due: Nanoseconds,
          action: Type.Enum(['known', 'run', 'skipped', 'refused']),
          missed: Type.Integer({ description: 'times before it that are not made up for' }),
          reason: Type.String(),
          run_id: Type.Optional(Type.String()),
        },
        { description: 'what became of the last time; known: only times after it count' },
      ),
    ),
  },
  { title: 'Schedule' },
);

/** Intents by schedule. */
export function scheduleRoutes(app: FastifyInstance, { schedules }: HttpPorts): void {
  app.get(
    '/v1/schedules',
    {
      schema: {
        operationId: 'listSchedules',
        summary: 'Schedules with their next times and what became of the last one',
        tags: ['runs'],
        response: { 200: Type.Object({ schedules: Type.Array(ScheduleView) }), ...errors },
      },
    },
    async () => ({ schedules: schedules?.() ?? [] }),
  );
}
