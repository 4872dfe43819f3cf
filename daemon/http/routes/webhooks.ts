import type { FastifyInstance } from 'fastify';
import { EdgeError, LIMITS, withDeadline } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const Params = Type.Object({
  app: Type.String({ maxLength: 64, description: 'application' }),
  name: Type.String({ maxLength: 64, description: 'webhook of its app.toml' }),
});

const Answer = Type.Object(
  {
    run_id: Type.String(),
    intent: Type.String({ description: 'type of the intent that was given' }),
    status: Type.String({ description: 'of the run' }),
    by: Type.Enum(['rule', 'model'], { description: 'what chose the intent' }),
    duplicate: Type.Boolean({ description: 'the message had come before; nothing happened again' }),
  },
  { title: 'WebhookTaken' },
);

/** Signed messages of other systems. Without a token: the signature says who sends. */
export async function webhookRoutes(app: FastifyInstance, { webhooks, clock }: HttpPorts): Promise<void> {
  await app.register(async (scope) => {
    // The bytes are signed, so the bytes are read, whatever type they are called.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.post(
      '/v1/webhooks/:app/:name',
      {
        bodyLimit: LIMITS.WEBHOOK_BODY_BYTES_MAX,
        config: { signed: true },
        schema: {
          operationId: 'receiveWebhook',
          summary: 'A signed message of another system; opens a run as the rules of its package say',
          description:
            'Headers webhook-id, webhook-timestamp (seconds) and webhook-signature as Standard Webhooks describes them: ' +
            '"v1," and the base64 of the HMAC-SHA256 over "id.timestamp.body". The body is a JSON object.',
          tags: ['runs'],
          params: Params,
          response: { 200: Answer, 201: Answer, ...errors },
        },
      },
      async (request, reply) => {
        const { app: owner, name } = request.params as Static<typeof Params>;
        const { headers, body } = request;
        const one = (header: string | string[] | undefined) => (Array.isArray(header) ? header[0] : header);
        if (!webhooks)
          throw new EdgeError('api.unauthorised', {
            operation: 'receive webhook',
            subject: 'signature',
            message: 'the webhook is not known here, or its signature is not right',
          });
        const taken = webhooks.receive({
          name: `${owner}.${name}`,
          id: one(headers['webhook-id']),
          timestamp: one(headers['webhook-timestamp']),
          signature: one(headers['webhook-signature']),
          body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
        });
        const answer = await withDeadline(clock, LIMITS.API_REQUEST_MS, taken, 'receive webhook', owner);
        const { run, intent, by, duplicate } = answer;
        return reply
          .code(duplicate ? 200 : 201)
          .send({ run_id: run.run_id, intent: intent.type, status: run.status, by, duplicate });
      },
    );
  });
}
