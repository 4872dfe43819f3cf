import type { FastifyInstance } from 'fastify';
import { Type } from '../../../contract/schema-kit.ts';
import { OWNER, rolesOf } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const MeBox = Type.Object(
  {
    principal: Type.String(),
    tenant: Type.String(),
    roles: Type.Array(Type.String()),
    operator: Type.Boolean({
      description: 'may control this robot; others may read, stop and ask for intents',
    }),
  },
  { additionalProperties: false },
);

/** Who the token of the caller is: pages offer only what it may do. */
export function meRoutes(app: FastifyInstance, ports: Pick<HttpPorts, 'governance'>): void {
  app.get(
    '/v1/me',
    {
      schema: {
        operationId: 'getMe',
        summary: 'The caller by its token, with its roles',
        tags: ['access'],
        querystring: NoQuery,
        response: { 200: MeBox, ...errors },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const roles = [...rolesOf(caller, ports)];
      const { principal, tenant } = caller;
      return { principal, tenant, roles, operator: tenant === OWNER && roles.includes('operator') };
    },
  );
}
