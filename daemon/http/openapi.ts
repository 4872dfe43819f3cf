import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';

/** `/openapi.json`, made from the very schemas that requests are checked with. Register before the routes. */
export async function openApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Auraison Edge',
        version,
        description:
          'API of one robot. Every error answer is an ErrorBody. Times are nanoseconds, decimal text.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    // A path is kept apart from its documents: `$id` of the contract would be read as a base address there.
    transform: ({ schema, url }) => ({ schema: plain(schema), url }),
    transformObject: (document) => {
      const { openapiObject } = document as { openapiObject: ApiDocument };
      allowNoBody(openapiObject);
      return openapiObject;
    },
  });
  app.get('/openapi.json', { config: { open: true }, schema: { hide: true } }, async () => app.swagger());
}

type ApiDocument = { paths?: Record<string, Record<string, Operation>> };
type BodySchema = { required?: string[]; anyOf?: BodySchema[] };
type Operation = {
  requestBody?: { required?: boolean; content?: Record<string, { schema?: BodySchema }> };
};

/** A body of which every field may be left out may be left out itself. */
function allowNoBody(document: ApiDocument): void {
  for (const operation of Object.values(document.paths ?? {}).flatMap((path) => Object.values(path))) {
    const body = operation.requestBody;
    const required = Object.values(body?.content ?? {}).some(({ schema }) => schema && mustBeThere(schema));
    if (body) body.required = required;
  }
}

function mustBeThere({ required = [], anyOf = [] }: BodySchema): boolean {
  return required.length > 0 || (anyOf.length > 0 && anyOf.every(mustBeThere));
}

/** Keys of a record are described as `propertyNames` too: the document keeps no `patternProperties`. */
function plain(schema: FastifySchema | undefined): FastifySchema {
  const told = (key: string, value: unknown) => {
    if (key === '$id') return undefined;
    const pattern = Object.keys((value as { patternProperties?: object } | null)?.patternProperties ?? {})[0];
    if (pattern === undefined || pattern === ANY_KEY) return value;
    return { ...(value as object), propertyNames: { pattern } };
  };
  return JSON.parse(JSON.stringify(schema ?? {}, told)) as FastifySchema;
}

/** As a record of any keys has it. */
const ANY_KEY = '^.*$';
