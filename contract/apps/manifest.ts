import { type Static, Type } from 'typebox';
import { checker } from '../check.ts';
import { closed, Text } from '../common.ts';

/** Limits of one application package. What is larger is refused before it is read whole. */
export const APP_LIMITS = {
  FILES_MAX: 512,
  FILE_BYTES_MAX: 4 * 1024 * 1024,
  BYTES_MAX: 16 * 1024 * 1024,
  /** Of a tarball, as it is sent. */
  ARCHIVE_BYTES_MAX: 16 * 1024 * 1024,
  DEPTH_MAX: 8,
  PATH_CHARS_MAX: 200,
  TEXT_BYTES_MAX: 256 * 1024,
  /** Folders in one of `[apps] dirs`. */
  FOLDERS_MAX: 64,
  /** Versions that are kept for runs and replays, beside those in use. */
  VERSIONS_KEPT: 16,
} as const;

export const APP_NAME = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';
const SEMVER =
  '^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$';
const INTENT = '^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)+$';
const ENTRY = '^[a-z0-9][a-z0-9_.-]{0,63}$';

/** A time with its unit: `"90 s"`. */
export const Duration = Type.String({
  pattern: '^(0|[1-9][0-9]{0,6})(\\.[0-9]{1,3})? ?(ms|s|min|h)$',
  description: 'time with its unit (ms, s, min, h), for example "90 s"',
});

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

/** Milliseconds of a `Duration`. */
export function durationMs(text: string): number {
  const [, number = '0', unit = 'ms'] = /^([0-9.]+) ?(ms|s|min|h)$/.exec(text) ?? [];
  return Number(number) * UNITS_MS[unit]!;
}

const Toml = Type.Record(Type.String({ maxLength: 128 }), Type.Unknown());

/** Words that mean an intent: a template, or one with values that the words do not give. */
const PhraseRow = Type.Union([
  Text(400, 'for example "drive {metres:distance} {metres:along}"'),
  Type.Object(
    {
      say: Text(400, 'for example "turn {radians:side}"'),
      params: Type.Optional(Toml),
    },
    closed,
  ),
]);

const IntentRow = Type.Object(
  {
    type: Type.String({ pattern: INTENT, maxLength: 128, description: 'for example "patrol/legs"' }),
    description: Text(1_024, 'what it asks for'),
    /** JSON Schema of an object; see `paramsFault`. */
    params: Type.Optional(Toml),
    /** First message of an agent; `{/params/metres}` stands for a parameter. */
    prompt: Type.Optional(Text(4_096, 'first message of the agent')),
    /** Words of a person that mean it; they are matched before any model is asked. */
    phrases: Type.Optional(Type.Array(PhraseRow, { maxItems: 64 })),
  },
  closed,
);

const ModelRow = Type.Object(
  {
    prefer: Type.Optional(Type.Array(Text(128, 'model'), { maxItems: 16 })),
    only: Type.Optional(Type.Boolean({ description: 'no other model than those of prefer' })),
    vision: Type.Optional(Type.Boolean()),
    context: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'tokens' })),
    max_tokens: Type.Optional(Type.Integer({ minimum: 16, maximum: 1_000_000 })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
    tool_choice: Type.Optional(Type.Enum(['auto', 'required'])),
  },
  closed,
);

const BudgetRow = Type.Object(
  {
    turns: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'calls of models in one run' }),
    ),
    tokens: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'tokens in and out in one run' }),
    ),
  },
  closed,
);

const SharingRow = Type.Object(
  {
    runs_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, description: 'runs at a time' })),
    queue_max: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description: 'runs that wait' })),
  },
  closed,
);

/** A time at which it gives the robot one of its intents. The schedule is called `APP.NAME`. */
const ScheduleRow = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,31}$', description: 'for example "nightly"' }),
    cron: Text(256, 'five fields, or six with seconds first, for example "0 3 * * *"'),
    time_zone: Type.Optional(Text(64, 'IANA name, for example "Europe/Berlin"; UTC where it is not given')),
    intent: Type.Optional(Type.String({ pattern: INTENT, maxLength: 128, description: 'one of its own' })),
    params: Type.Optional(Toml),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
    /** Times that passed while the daemon did not run: none is made up for, the newest, or each (bounded). */
    missed: Type.Optional(Type.Enum(['skip', 'run_once', 'run_all'])),
    /** What happens when the run of an earlier time has not ended. */
    overlap: Type.Optional(Type.Enum(['skip', 'queue'])),
    jitter: Type.Optional(Duration),
    deadline: Type.Optional(Duration),
  },
  closed,
);

/** One check of a result: exactly one of schema, tool, judge and policy. */
const LoopCheckRow = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9_-]{0,31}$', description: 'for example "tidy"' }),
    /** JSON Schema of the result, or of what `at` names in it. */
    schema: Type.Optional(Toml),
    at: Type.Optional(
      Type.String({ pattern: '^(/[A-Za-z0-9_-]{1,64}){1,8}$', description: 'for example "/summary/found"' }),
    ),
    /** A tool that answers with score (0 to 1) or ok, and findings. */
    tool: Type.Optional(Text(128, 'a tool that tools names')),
    args: Type.Optional(Toml),
    judge: Type.Optional(Text(4_000, 'criteria by which a model judges')),
    prefer: Type.Optional(Type.Array(Text(128, 'model'), { maxItems: 16 })),
    policy: Type.Optional(Type.Literal(true, { description: 'the policies judge the call of loop.accept' })),
    weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1_000 })),
    deadline: Type.Optional(Duration),
  },
  closed,
);

/** The outer loop: the result is checked, and the run is done again with the findings. */
const LoopRow = Type.Object(
  {
    threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'score that is enough' })),
    rounds: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, description: 'rounds altogether' })),
    otherwise: Type.Optional(Type.Enum(['fail', 'accept'])),
    check: Type.Array(LoopCheckRow, { minItems: 1, maxItems: 8 }),
  },
  closed,
);

/** Without these it is there and takes no intents. */
const NeedsRow = Type.Object(
  {
    model: Type.Optional(Type.Boolean({ description: 'true: the configuration has [[models]]' })),
    controllers: Type.Optional(
      Type.Array(Text(64, 'name of a controller'), {
        minItems: 1,
        maxItems: 16,
        description: 'one of these is in [[controllers]] of the configuration',
      }),
    ),
  },
  closed,
);

const Plain = Type.Union([Type.String({ maxLength: 256 }), Type.Number(), Type.Boolean()]);

/** A message that fits leads to this intent. Without tests every message does. */
const WebhookRuleRow = Type.Object(
  {
    when: Type.Optional(
      Type.Array(
        Type.Object(
          {
            value: Type.String({
              pattern: '^(/[^/{}\\s]{1,64}){1,8}$',
              description: 'place in the body, for example "/order/kind"; alone: it is there',
            }),
            is: Type.Optional(Plain),
            is_not: Type.Optional(Plain),
            above: Type.Optional(Type.Number()),
            below: Type.Optional(Type.Number()),
          },
          closed,
        ),
        { maxItems: 8 },
      ),
    ),
    intent: Type.Optional(Type.String({ pattern: INTENT, maxLength: 128, description: 'one of its own' })),
    /** `{/body/…}` stands for a value of the message. */
    params: Type.Optional(Toml),
  },
  closed,
);

/** A way in for another system: `POST /v1/webhooks/APP/NAME`, signed. */
const WebhookRow = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,31}$', description: 'for example "orders"' }),
    description: Type.Optional(Text(1_024, 'what such a message is')),
    rule: Type.Optional(Type.Array(WebhookRuleRow, { maxItems: 32 })),
    /** Where no rule fits: a model chooses one of its intents, or the message is refused. */
    otherwise: Type.Optional(Type.Enum(['model', 'refuse'])),
  },
  closed,
);

const McpRow = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description: 'its tools are mcp.NAME.tool' }),
    command: Type.Optional(
      Text(512, 'program; "./x" is a file of the package, "node" is the one of the daemon'),
    ),
    args: Type.Optional(Type.Array(Text(512, 'argument; "./x" is a file of the package'), { maxItems: 32 })),
    url: Type.Optional(Type.String({ pattern: '^https?://\\S+$', maxLength: 512 })),
    allow: Type.Optional(Type.Array(Text(128, 'tool or pattern'), { maxItems: 64 })),
    deadline: Type.Optional(Duration),
    effect: Type.Optional(Type.Enum(['read', 'write', 'actuate'])),
  },
  closed,
);

const RemoteRow = Type.Object(
  {
    runtime: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description: 'as in [[runtimes.accept]]' }),
    agent: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        description: 'its agent; default: the name',
      }),
    ),
    lost: Type.Optional(Type.Enum(['wait', 'pause', 'fail'])),
    wait: Type.Optional(Duration),
  },
  closed,
);

/** What an `app.toml` holds. Unknown keys are refused. */
export const AppManifest = Type.Object(
  {
    name: Type.String({ pattern: APP_NAME, maxLength: 48, description: 'lower-case words with dashes' }),
    version: Type.String({
      pattern: SEMVER,
      maxLength: 64,
      description: 'semantic version, for example 0.1.0',
    }),
    description: Text(1_024, 'what it does'),
    harness: Type.Enum(['flow', 'pi', 'remote']),
    /** TypeScript of its own: exports `application`, an `AppModule`. */
    module: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}\\.(ts|js|mjs)$',
        description: 'its code, for example "index.ts"',
      }),
    ),
    /** Its flow: steps (`.yaml`) or a behavior tree (`.xml`). Absent: flow.yaml, or flow.xml. */
    flow: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}\\.(yaml|yml|xml)$',
        description: 'file of its flow, for example "tree.xml"',
      }),
    ),
    needs: Type.Optional(NeedsRow),
    /** By name or pattern. */
    tools: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_.-]*\\*?$', maxLength: 128 }), { maxItems: 128 }),
    ),
    deadline: Type.Optional(Duration),
    after_cut: Type.Optional(Type.Enum(['resume', 'fail'])),
    /** What it says it has; checked against its folders. */
    skills: Type.Optional(Type.Array(Type.String({ pattern: ENTRY }), { maxItems: 64 })),
    extensions: Type.Optional(Type.Array(Type.String({ pattern: ENTRY }), { maxItems: 64 })),
    model: Type.Optional(ModelRow),
    remote: Type.Optional(RemoteRow),
    budget: Type.Optional(BudgetRow),
    loop: Type.Optional(LoopRow),
    sharing: Type.Optional(SharingRow),
    intents: Type.Array(IntentRow, { minItems: 1, maxItems: 32 }),
    mcp: Type.Optional(Type.Array(McpRow, { maxItems: 8 })),
    schedule: Type.Optional(Type.Array(ScheduleRow, { maxItems: 16 })),
    webhook: Type.Optional(Type.Array(WebhookRow, { maxItems: 8 })),
  },
  { ...closed, title: 'AppManifest' },
);
export type AppManifest = Static<typeof AppManifest>;
export const appManifestChecker = checker(AppManifest);
