import { type Static, Type } from 'typebox';
import { checker } from '../check.ts';
import { closed, Text } from '../common.ts';
import { Duration } from './manifest.ts';

const StepId = Type.String({ pattern: '^[a-z][a-z0-9_]{0,47}$', description: 'a step: a-z, 0-9 and _' });
const Plain = Type.Union([Type.String({ maxLength: 256 }), Type.Number(), Type.Boolean(), Type.Null()]);

/** The next step: the first whose test holds; one without a test always does. */
const Way = Type.Object(
  {
    /** `{/steps/forward/outcome}` or `{/params/laps}`. */
    value: Type.Optional(Text(256, 'what is tested')),
    is: Type.Optional(Plain),
    is_not: Type.Optional(Plain),
    above: Type.Optional(Type.Number()),
    below: Type.Optional(Type.Number()),
    to: StepId,
  },
  closed,
);

/** A value of the flow, alone: `{/params/rest_s}`. */
const Reference = Type.String({
  pattern: '^\\{/[^{}\\s]{1,200}\\}$',
  description: 'for example {/params/rest_s}',
});

/** Most parts that run at the same time; each is a run of its own. */
export const BRANCHES_MAX = 8;

const fields = {
  id: StepId,
  about: Type.Optional(Text(256, 'for people who read the drawing')),
  // What it does: exactly one of these.
  tool: Type.Optional(Text(128, 'a tool that app.toml names')),
  /** A duration, or a reference to one or to seconds. */
  wait: Type.Optional(Type.Union([Duration, Reference])),
  ask: Type.Optional(Text(2_000, 'a question to a person; the answer is /steps/ID/answer')),
  approve: Type.Optional(Text(2_000, 'what a person has to agree to')),
  run: Type.Optional(
    Type.String({
      pattern: '^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)+$',
      maxLength: 128,
      description: 'an intent: a run of its own does it, by an agent or another flow',
    }),
  ),
  repeat: Type.Optional(StepId),
  branch: Type.Optional(Type.Literal(true)),
  end: Type.Optional(Type.Enum(['succeeded', 'failed', 'cancelled'])),
  // For some of them.
  args: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
  /** Of `run`: parameters of the intent, and what it may spend on models. */
  params: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
  turns: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
  choices: Type.Optional(Type.Array(Text(200, 'an answer'), { minItems: 2, maxItems: 8 })),
  otherwise: Type.Optional(Text(200, 'what counts when no answer comes')),
  /** Of `approve`: where a refusal leads, and the lack of an answer. Absent: it is an error. */
  on_denied: Type.Optional(StepId),
  /** Of `repeat`: how often at most; a number, or a parameter. */
  times: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 1_000 }), Text(128, '{/params/…}')])),
  reason: Type.Optional(Text(400, 'of an end')),
  deadline: Type.Optional(Duration),
  retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 20 })),
  // The next step. Absent: the step below.
  next: Type.Optional(Type.Union([StepId, Type.Array(Way, { minItems: 1, maxItems: 32 })])),
  on_error: Type.Optional(StepId),
} as const;

/** A step of a part that runs at the same time as others. It starts no such parts itself; a sub-flow may. */
const BranchStep = Type.Object(fields, closed);

const Step = Type.Object(
  {
    ...fields,
    /** Parts by name, each a list of steps. */
    parallel: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[a-z][a-z0-9_]{0,15}$' }),
        Type.Array(BranchStep, { minItems: 1, maxItems: 64 }),
        { minProperties: 2, maxProperties: BRANCHES_MAX },
      ),
    ),
    /** Of `parallel`: all have to succeed, or the first that does ends the others. */
    until: Type.Optional(Type.Enum(['all', 'any'])),
  },
  closed,
);

/** What a `flow.yaml` holds. */
export const FlowFile = Type.Object(
  {
    steps_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    steps: Type.Array(Step, { minItems: 1, maxItems: 256 }),
  },
  { ...closed, title: 'FlowFile' },
);
export type FlowFile = Static<typeof FlowFile>;
export type FlowFileStep = FlowFile['steps'][number];
export type FlowFileWay = Static<typeof Way>;
export const flowFileChecker = checker(FlowFile);
