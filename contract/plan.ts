import { type Static, Type } from 'typebox';
import { checker } from './check.ts';
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
    /** Only for `within`: allowed distance from `value`. */
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);
export type Predicate = Static<typeof Predicate>;

/** One step: a contract between System 2, which wrote it, and the executor. */
export const PlanStep = Type.Object(
  {
    step_id: Name('of this step in its plan'),
    subgoal: Name('a subgoal that this robot offers'),
    params: Json,
    /** Robot time it may take. */
    deadline_ms: Type.Integer({ minimum: 1, maximum: 86_400_000 }),
    /** The step succeeded when all of them are true. */
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

/** Facts by the names that predicates use. */
export const KnownFacts = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_./-]{1,128}$' }),
  Type.Union([Type.Number(), Type.Boolean(), Text(256, 'text')]),
  { ...closed, maxProperties: 256 },
);

/** Params of the intent `plan`, and what a node asks of `ai/inference/plan`. */
export const PlanAsk = Type.Object(
  {
    goal: Type.Optional(Text(1024, 'what is wanted, in words; needed where no plan is given')),
    plan: Type.Optional(Plan),
    dry_run: Type.Optional(Type.Boolean({ description: 'make it and check it, do nothing' })),
    steps_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    replans_max: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 16, description: 'further plans where one fails' }),
    ),
    camera: Type.Optional(
      Type.Boolean({ description: 'the model is shown what the camera sees; absent: where one answers' }),
    ),
    /** Only with `dry_run`: the subgoals of the caller, in place of those of this robot. */
    subgoals: Type.Optional(
      Type.Array(
        Type.Object(
          { name: Name('subgoal'), description: Text(1024, 'what it reaches'), params: Json },
          closed,
        ),
        { minItems: 1, maxItems: 64 },
      ),
    ),
    /** Only with `dry_run`: what the caller knows, in place of what this robot knows. */
    world: Type.Optional(KnownFacts),
    deadline_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 600_000, description: 'for making it; wall time' }),
    ),
  },
  { ...closed, $id: 'auraison/v1/plan-ask', title: 'PlanAsk' },
);
export type PlanAsk = Static<typeof PlanAsk>;
export const planAskChecker = checker(PlanAsk);
