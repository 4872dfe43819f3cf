import { type Static, Type } from 'typebox';
import { closed, StopConfirmed, Text, Uuid } from './common.ts';
import { RUN_STATUSES } from './run-status.ts';

/** Statuses stand apart, so that processes without the schema library have them. */
export * from './run-status.ts';

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
    stop_confirmed: StopConfirmed,
  },
  { ...closed, $id: 'auraison/v1/run-state', title: 'RunState' },
);
export type RunState = Static<typeof RunState>;
