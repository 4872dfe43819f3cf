import type { FastifyInstance } from 'fastify';
import { CONFIG_LIMITS, EdgeError, LIMITS, withDeadline } from '../../../contract/index.ts';
import type { ConfigDraft } from '../../../contract/ports/config.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Line = Type.Optional(Type.Integer({ minimum: 1 }));
const Value = Type.String({ description: 'as in TOML; what may be a secret is hidden' });

const KeyView = Type.Object(
  {
    key: Type.String(),
    value: Value,
    source: Type.Enum(['file', 'environment', 'default']),
    line: Line,
    variable: Type.Optional(Type.String({ description: 'of the environment; it wins over the file' })),
    kind: Type.String(),
    about: Type.String(),
    pending: Type.Optional(Type.String({ description: 'the value after a reload, where it is another one' })),
  },
  closed,
);
const Names = Type.Array(Type.String());
const Trial = Type.Object(
  {
    by: Type.String(),
    keys: Names,
    ends_in_ms: Type.Integer({ description: 'without an answer until then the former file is back' }),
  },
  { ...closed, title: 'ConfigTrial' },
);
const TrialEnd = Type.Object(
  {
    by: Type.String(),
    keys: Names,
    outcome: Type.Enum(['kept', 'put_back']),
    reason: Type.String(),
  },
  { ...closed, title: 'ConfigTrialEnd' },
);
const Taking = Type.Object(
  {
    allowed: Type.Boolean({ description: '`api.take_config` in the file of the robot' }),
    reason: Type.String({ description: 'why not' }),
    trial: Type.Optional(Trial),
    last: Type.Optional(TrialEnd),
  },
  { ...closed, title: 'ConfigTaking' },
);
const View = Type.Object(
  {
    taking: Taking,
    file: Type.Optional(Type.String()),
    file_fault: Type.Optional(Type.String({ description: 'why the file of now is not in force' })),
    sections: Type.Array(Type.Object({ name: Type.String(), keys: Type.Array(KeyView) }, closed)),
    lists: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          pending: Type.Boolean({ description: 'the file of now has other rows' }),
          rows: Type.Array(
            Type.Object(
              { name: Type.String(), line: Line, values: Type.Record(Type.String(), Value) },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, title: 'ConfigView' },
);
const Check = Type.Object(
  {
    ok: Type.Boolean(),
    faults: Type.Array(
      Type.Object(
        {
          line: Line,
          key: Type.String({ description: 'empty: of the text as a whole' }),
          value: Type.String(),
          expected: Type.String({ description: 'what to write instead' }),
        },
        closed,
      ),
    ),
    more: Type.Boolean({ description: 'more faults were found than are listed' }),
    warnings: Names,
    seen: Type.String({ description: 'SHA-256 of the file that it was compared with, for `take`' }),
    differences: Type.Array(
      Type.Object({ key: Type.String(), before: Type.Optional(Value), after: Type.Optional(Value) }, closed),
      { description: 'against what is in force' },
    ),
    plan: Type.Object(
      { restart: Names, live: Names, later: Names },
      { ...closed, description: 'what a reload would do' },
    ),
  },
  { ...closed, title: 'ConfigCheck' },
);
const draft = {
  text: Type.Optional(
    Type.String({
      maxLength: CONFIG_LIMITS.TEXT_CHARS_MAX,
      description: 'a whole configuration, TOML',
    }),
  ),
  set: Type.Optional(
    Type.Array(
      Type.Object(
        {
          key: Type.String({ minLength: 1, maxLength: 128, description: '`section.key`' }),
          value: Type.Optional(
            Type.String({
              maxLength: CONFIG_LIMITS.VALUE_CHARS_MAX,
              description: 'as in TOML, one line; absent: the key is removed, its default counts',
            }),
          ),
        },
        closed,
      ),
      { minItems: 1, maxItems: CONFIG_LIMITS.EDITS_MAX, description: 'single keys, in the file as it is' },
    ),
  ),
};
const either = {
  ...closed,
  description: 'either `text` or `set`',
  oneOf: [{ required: ['text'] }, { required: ['set'] }],
};
const Body = Type.Object(draft, either);
const TakeBody = Type.Object(
  {
    ...draft,
    seen: Type.String({ pattern: '^[0-9a-f]{64}$', description: '`seen` of the check' }),
    confirm_ms: Type.Optional(
      Type.Integer({
        minimum: CONFIG_LIMITS.CONFIRM_MS_MIN,
        maximum: CONFIG_LIMITS.CONFIRM_MS_MAX,
        default: CONFIG_LIMITS.CONFIRM_MS,
        description: 'without an answer until then the former file is back, milliseconds',
      }),
    ),
  },
  either,
);

function draftOf({ text, set }: Static<typeof Body>): ConfigDraft {
  if (text !== undefined && set === undefined) return { text };
  if (set !== undefined && text === undefined) return { set };
  throw new EdgeError('schema.invalid', {
    operation: 'read configuration',
    subject: 'body',
    message: 'a configuration is either a text or a set of keys',
    hint: 'send {"text": "..."} or {"set": [{"key": "api.port", "value": "7601"}]}',
  });
}

/** The configuration in force, a check of another one, and one that is taken for a trial. */
export function configRoutes(app: FastifyInstance, { config, clock }: HttpPorts): void {
  if (!config) return;
  const settle = <T>(work: Promise<T>) =>
    withDeadline(clock, LIMITS.API_REQUEST_MS, work, 'look at the configuration', 'configuration');
  app.get(
    '/v1/config',
    {
      schema: {
        operationId: 'getConfig',
        summary: 'The configuration in force: each value with where it comes from; secrets are hidden',
        tags: ['configuration'],
        querystring: NoQuery,
        response: { 200: View, ...errors },
      },
    },
    async () => ({ ...(await settle(config.view())), taking: config.taking() }),
  );
  app.post(
    '/v1/config/check',
    {
      schema: {
        operationId: 'checkConfig',
        summary:
          'Check a text as the configuration of this daemon, and compare it with what is in force; files that it names are not opened, and nothing changes',
        tags: ['configuration'],
        body: Body,
        response: { 200: Check, ...errors },
      },
    },
    async (request) => {
      return await settle(config.check(draftOf(request.body as Static<typeof Body>)));
    },
  );
  app.post(
    '/v1/config/take',
    {
      schema: {
        operationId: 'takeConfig',
        summary:
          'Write a checked configuration and have the daemon read it, on trial: unless it is kept in time, or where a cell does not come up with it, the former one comes back',
        tags: ['configuration'],
        body: TakeBody,
        response: { 200: Trial, ...errors },
      },
    },
    async (request) => {
      const { seen, confirm_ms, ...body } = request.body as Static<typeof TakeBody>;
      const by = callerOf(request).principal;
      const confirmMs = confirm_ms ?? CONFIG_LIMITS.CONFIRM_MS;
      return await settle(config.take(draftOf(body), { seen, confirmMs, by }));
    },
  );
  const ends = [
    ['keep', 'keepConfig', 'Keep the configuration that is on trial', true],
    ['put_back', 'putBackConfig', 'End the trial: the former configuration comes back', false],
  ] as const;
  for (const [path, operationId, summary, keep] of ends)
    app.post(
      `/v1/config/${path}`,
      { schema: { operationId, summary, tags: ['configuration'], response: { 200: TrialEnd, ...errors } } },
      async (request) => await settle(config.settle(keep, callerOf(request).principal)),
    );
}
