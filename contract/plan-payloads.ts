import { Type } from 'typebox';
import { Count, closed, Json, Name, Text } from './common.ts';
import { Plan } from './plan.ts';

const Revision = Count('plans of this run so far: 0 is the first');

/** Payloads of events about plans, load shedding and the engine. Part of `EVENT_PAYLOADS`. */
export const PLAN_PAYLOADS = {
  'plan.made': Type.Object(
    {
      revision: Revision,
      plan: Plan,
      by: Type.Enum(['model', 'caller'], { description: 'who made it' }),
      model: Type.Optional(Text(256, 'model that answered')),
      model_id: Type.Optional(Text(256, 'as its server names it')),
      /** Steps that were not needed, and why. */
      dropped: Type.Array(
        Type.Object({ subgoal: Name('subgoal'), reason: Text(512, 'why it is not needed') }, closed),
        { maxItems: 64 },
      ),
    },
    closed,
  ),
  'plan.step_started': Type.Object(
    {
      revision: Revision,
      step_id: Name('step of the plan'),
      subgoal: Name('what it is to reach'),
      index: Count('place in its plan, from 0'),
      of: Count('steps of its plan'),
      attempt: Type.Integer({ minimum: 1 }),
    },
    closed,
  ),
  'plan.step_ended': Type.Object(
    {
      revision: Revision,
      step_id: Name('step of the plan'),
      subgoal: Name('what it was to reach'),
      outcome: Type.Enum(['succeeded', 'already', 'failed', 'skipped']),
      reason: Text(512, 'why'),
      attempt: Type.Integer({ minimum: 1 }),
      /** Values of the facts of its success predicates at the end; unknown facts are absent. */
      facts: Json,
    },
    closed,
  ),
  'plan.replanned': Type.Object(
    {
      revision: Revision,
      step_id: Type.Optional(Name('step that failed; absent: the plan itself was refused')),
      reason: Text(512, 'why another plan is asked for'),
      left: Count('further plans that may be asked for'),
    },
    closed,
  ),
  /** Models on this host give way to the control loops, or no longer have to. */
  'models.shed': Type.Object(
    {
      level: Type.Enum(['none', 'queue', 'fallback', 'cancel']),
      reason: Text(512, 'why'),
      /** Lateness of the control loop that decides, as a share of its period, without waits for a processor. */
      late: Type.Number({ minimum: 0 }),
      cancelled: Count('calls of models that were ended for it'),
    },
    closed,
  ),
  'engine.state': Type.Object(
    {
      engine: Text(256, 'name of the model that it serves'),
      state: Type.Enum(['waiting', 'starting', 'ready', 'sleeping', 'failed', 'stopped']),
      reason: Text(512, 'why'),
      restarts: Count('since the cell started'),
      pid: Type.Optional(Count('process')),
      revision: Type.Optional(Text(128, 'of the model, as it was checked')),
    },
    closed,
  ),
} as const;
