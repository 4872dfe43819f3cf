import type { FastifyInstance } from 'fastify';
import { type AppView, EdgeError } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const View = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    description: Type.String(),
    harness: Type.Enum(['pi', 'flow', 'remote']),
    source: Type.Enum(['built-in', 'shipped', 'folder', 'installed']),
    folder: Type.String(),
    digest: Type.String({ description: 'SHA-256 of its files; empty of what is built in' }),
    signed_by: Type.String({ description: 'trusted key; empty: none' }),
    state: Type.Enum(['loaded', 'bad', 'off']),
    reason: Type.String({
      description: 'why it is bad or off; of a loaded one: what is wrong with its new version',
    }),
    intents: Type.Array(Type.String()),
  },
  { title: 'Application' },
);
const Query = Type.Object({
  app: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'a package whose module ended the runtime cell, and which is to be loaded again',
    }),
  ),
});
const Answer = Type.Object({ apps: Type.Array(View) });

/** Applications of this robot, and the packages that some of them are. */
export function appRoutes(app: FastifyInstance, { apps }: HttpPorts): void {
  app.get(
    '/v1/apps',
    {
      schema: {
        operationId: 'listApps',
        summary: 'Applications: where each comes from, and why a package is not offered',
        tags: ['runs'],
        response: { 200: Answer, ...errors },
      },
    },
    async () => ({ apps: (apps?.apps() ?? []).map(toJson) }),
  );
  app.post<{ Querystring: { app?: string } }>(
    '/v1/apps/reload',
    {
      schema: {
        operationId: 'reloadApps',
        summary: 'Read all packages again; active runs keep the version they started with',
        tags: ['runs'],
        querystring: Query,
        response: { 200: Answer, ...errors },
      },
    },
    async (request) => {
      const refused = { operation: 'reload applications', subject: 'apps' };
      if (!callerOf(request).roles.includes('operator'))
        throw new EdgeError('policy.denied', {
          ...refused,
          message: 'only an operator has packages read again',
        });
      if (!apps) throw new EdgeError('api.not_found', { ...refused, message: 'packages are not read here' });
      return { apps: (await apps.reloadApps(request.query.app)).map(toJson) };
    },
  );
}

function toJson(view: AppView) {
  return { ...view, intents: [...view.intents] };
}
