import { type Static, Type } from 'typebox';
import { closed, Json, Name, Text } from './common.ts';

/**
 * What must be true of the world, over facts by name (`robot.pose.x`, `signals./maze/exit_reached`,
 * `arm.joints.joint_1.position`, `scene.cube_on_target`). A fact that is not known makes a predicate false.
 */
export const Predicate = Type.Object(
  {
    fact: Text(128, 'name of a fact'),
    op: Type.Enum(['<', '<=', '==', '!=', '>=', '>', 'within']),
    value: Type.Union([Type.Number(), Type.Boolean(), Text(256, 'text')]),
    /** Only of `within`: how far from `value` it may be. */
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);
export type Predicate = Static<typeof Predicate>;

/** One step: a contract between System 2, which wrote it, and whoever carries it out. */
export const PlanStep = Type.Object(
  {
    step_id: Name('of this step in its plan'),
    subgoal: Name('a subgoal that this robot offers'),
    params: Json,
    /** Robot time it may take. */
    deadline_ms: Type.Integer({ minimum: 1, maximum: 86_400_000 }),
    /** All of them true: the step succeeded. */
    success: Type.Array(Predicate, { maxItems: 16 }),
    /** When it fails: try again, ask for another plan, skip it, or end the plan. */
    fallback: Type.Enum(['retry', 'replan', 'skip', 'abort']),
  },
  closed,
);
export type PlanStep = Static<typeof PlanStep>;

export const Plan = Type.Object(
  {
    goal: Text(1024, 'what it is for'),
    steps: Type.Array(PlanStep, { minItems: 1, maxItems: 64 }),
  },
  closed,
);
export type Plan = Static<typeof Plan>;
