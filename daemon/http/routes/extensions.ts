import type { FastifyInstance } from 'fastify';
import { EdgeError } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const ExtensionView = Type.Object(
  {
    app: Type.String(),
    extension: Type.String({ description: 'file, relative to the folder of the application' }),
    state: Type.Enum(['loaded', 'failed', 'isolated']),
    reason: Type.String({ description: 'why; of a loaded one: what is wrong with its new version' }),
    tools: Type.Array(Type.String()),
    commands: Type.Array(Type.String({ description: 'said to a run as /name' })),
    hooks: Type.Array(Type.String()),
    sha256: Type.String({ description: 'of the folder, as loaded' }),
    faults: Type.Integer(),
  },
  { title: 'Extension' },
);
const Answer = Type.Object({ extensions: Type.Array(ExtensionView) });
const Params = Type.Object({ app: Type.String({ maxLength: 128 }) });

/** Modules that owners have put into the folders of applications. */
export function extensionRoutes(app: FastifyInstance, { extensions }: HttpPorts): void {
  app.get(
    '/v1/extensions',
    {
      schema: {
        operationId: 'listExtensions',
        summary: 'Extensions of the applications: state, tools, commands, hooks',
        tags: ['runs'],
        response: { 200: Answer, ...errors },
      },
    },
    async () => ({ extensions: (extensions?.extensions() ?? []).map(toJson) }),
  );
  app.post<{ Params: { app: string } }>(
    '/v1/extensions/:app/reload',
    {
      schema: {
        operationId: 'reloadExtensions',
        summary: 'Read the extensions of an application again; active runs keep what they started with',
        tags: ['runs'],
        params: Params,
        response: { 200: Answer, ...errors },
      },
    },
    async (request) => {
      const name = request.params.app;
      if (!callerOf(request).roles.includes('operator'))
        throw new EdgeError('policy.denied', {
          operation: 'reload extensions',
          subject: name,
          message: 'only an operator has extensions read again',
        });
      if (!extensions)
        throw new EdgeError('api.not_found', {
          operation: 'reload extensions',
          subject: name,
          message: 'extensions are off: [apps] extensions',
        });
      return { extensions: (await extensions.reloadExtensions(name)).map(toJson) };
    },
  );
}

function toJson(view: ReturnType<NonNullable<HttpPorts['extensions']>['extensions']>[number]) {
  const { tools, commands, hooks } = view;
  return { ...view, tools: [...tools], commands: [...commands], hooks: [...hooks] };
}
