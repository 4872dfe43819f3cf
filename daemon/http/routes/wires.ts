import type { FastifyInstance } from 'fastify';
import { METHODS } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery, WireSchema } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Wires = Type.Object({ wires: Type.Array(WireSchema) }, closed);

/** Servers for clients of other protocols: `[serve]`. */
export function wireRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.get(
    '/v1/inference/wires',
    {
      schema: {
        operationId: 'listInferenceWires',
        summary: 'Servers of the policies of this robot for clients of LeRobot, openpi and GR00T',
        tags: ['inference'],
        querystring: NoQuery,
        response: { 200: Wires, ...errors },
      },
    },
    async () => bus.request('execution', METHODS.execution.wireList, {}),
  );
}
