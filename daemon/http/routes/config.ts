import type { FastifyInstance } from 'fastify';
import { LIMITS, withDeadline } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
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
const View = Type.Object(
  {
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
const Names = Type.Array(Type.String());
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
const Body = Type.Object(
  {
    text: Type.String({
      maxLength: LIMITS.CONFIG_TEXT_CHARS_MAX,
      description: 'a whole configuration, TOML',
    }),
  },
  closed,
);

/** The configuration in force, and a check of another one. Nothing here changes it. */
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
    async () => await settle(config.view()),
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
      const { text } = request.body as Static<typeof Body>;
      return await settle(config.check(text));
    },
  );
}
