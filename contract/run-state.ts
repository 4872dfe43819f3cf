import { type Static, Type } from 'typebox';
import { checker } from './check.ts';
import { closed, Text, Uuid } from './common.ts';

export const RUN_STATUSES = [
  'queued',
  'running',
  'waiting_approval',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
] as const;

export const RunStatus = Type.Enum([...RUN_STATUSES]);
export type RunStatus = Static<typeof RunStatus>;

/** One execution of an intent by a harness. */
export const RunState = Type.Object(
  {
    run_id: Uuid('UUIDv7'),
    intent_id: Uuid('UUIDv7'),
    parent_run_id: Type.Optional(Uuid('UUIDv7')),
    tree_ref: Type.Object({ session_id: Text(128, 'session'), leaf_id: Text(128, 'current entry') }, closed),
    status: RunStatus,
    harness: Type.Enum(['pi', 'flow', 'remote']),
    attempt: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: 'grows with each resume after a cut',
    }),
    score: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: '1 is fully reached' })),
  },
  { ...closed, $id: 'auraison/v1/run-state', title: 'RunState' },
);
export type RunState = Static<typeof RunState>;
export const runStateChecker = checker(RunState);

/** Which status may follow which. A finished run never changes again. */
export const RUN_TRANSITIONS: Record<RunStatus, readonly RunStatus[]> = {
  queued: ['running', 'cancelled', 'failed'],
  running: ['waiting_approval', 'paused', 'succeeded', 'failed', 'cancelled', 'queued'],
  waiting_approval: ['running', 'failed', 'cancelled'],
  paused: ['running', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export function isFinished(status: RunStatus): boolean {
  return RUN_TRANSITIONS[status].length === 0;
}
