import { type Static, Type } from 'typebox';
import { checker } from '../check.ts';
import { closed, Text } from '../common.ts';
import { Duration } from './manifest.ts';

const StepId = Type.String({ pattern: '^[a-z][a-z0-9_]{0,47}$', description: 'a step: a-z, 0-9 and _' });
const Plain = Type.Union([Type.String({ maxLength: 256 }), Type.Number(), Type.Boolean(), Type.Null()]);

/** Where to go on: the first whose test holds; one without a test always does. */
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

const Step = Type.Object(
  {
    id: StepId,
    about: Type.Optional(Text(256, 'for people who read the drawing')),
    // What it does: exactly one of these.
    tool: Type.Optional(Text(128, 'a tool that app.toml names')),
    wait: Type.Optional(Duration),
    ask: Type.Optional(Text(2_000, 'a question to a person; the answer is /steps/ID/answer')),
    repeat: Type.Optional(StepId),
    branch: Type.Optional(Type.Literal(true)),
    end: Type.Optional(Type.Enum(['succeeded', 'failed', 'cancelled'])),
    // For some of them.
    args: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
    choices: Type.Optional(Type.Array(Text(200, 'an answer'), { minItems: 2, maxItems: 8 })),
    otherwise: Type.Optional(Text(200, 'what counts when nobody answers')),
    /** Of `repeat`: how often at most; a number, or a parameter. */
    times: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: 1_000 }), Text(128, '{/params/…}')]),
    ),
    reason: Type.Optional(Text(400, 'of an end')),
    deadline: Type.Optional(Duration),
    retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 20 })),
    // Where to go on. Absent: the step below.
    next: Type.Optional(Type.Union([StepId, Type.Array(Way, { minItems: 1, maxItems: 32 })])),
    on_error: Type.Optional(StepId),
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
