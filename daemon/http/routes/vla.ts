import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  EdgeError,
  LIMITS,
  METHODS,
  type PolicyInferReply,
  type PolicyInferRequest,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import {
  decodeVlaRequest,
  encodeChunk,
  JSON_ENCODING,
  MSGPACK,
  VLA_SCHEMA,
  type VlaRequest,
  vlaRequest,
} from '../../../formats/inference/index.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { jsonBody } from '../json-body.ts';
import { errors } from '../schemas.ts';

const Any = Type.Object({}, { additionalProperties: true });
/** Deadline of a question over HTTP, milliseconds, and the extra time for the cell to report that it was late. */
const DEADLINE_MS = 1_000;
const SPARE_MS = 1_000;
const MIB = 1024 * 1024;
const JSON_BYTES_MAX = LIMITS.INFERENCE_JSON_BYTES_MAX;
const MSGPACK_BYTES_MAX = LIMITS.POLICY_PAYLOAD_BYTES_MAX;

/**
 * `POST /v1/inference/vla`, with the two encodings of the key space and the limit of each: JSON for small questions,
 * MessagePack for images. Long JSON is read in one go by the thread that runs agents.
 */
export function vlaRoute(app: FastifyInstance, { bus, clock }: HttpPorts): void {
  let large = 0;
  const places = new WeakMap<FastifyRequest, () => void>();
  void app.register(async (own) => {
    // Checked before the body is read: all connections together could hold gigabytes.
    own.addHook('onRequest', async (request, reply) => {
      if (!isLarge(request)) return;
      if (large >= LIMITS.INFERENCE_LARGE_MAX) throw busy(request);
      large += 1;
      const { socket } = request.raw;
      let isHeld = true;
      const leave = () => {
        if (isHeld) large -= 1;
        isHeld = false;
        socket.off('close', leave);
      };
      places.set(request, leave);
      // For every end: refused, disconnected within its body, or closed before its turn.
      reply.raw.once('close', leave);
      socket.once('close', leave);
    });
    own.removeContentTypeParser(JSON_ENCODING);
    own.addContentTypeParser(JSON_ENCODING, { parseAs: 'string', bodyLimit: JSON_BYTES_MAX }, jsonBody(own));
    own.addContentTypeParser(
      MSGPACK,
      { parseAs: 'buffer', bodyLimit: MSGPACK_BYTES_MAX },
      async (_request: FastifyRequest, body: Buffer) => body,
    );
    own.post(
      '/v1/inference/vla',
      {
        schema: {
          operationId: 'inferVla',
          summary: `An observation in, an action chunk out: at most ${JSON_BYTES_MAX / MIB} MiB as JSON, ${MSGPACK_BYTES_MAX / MIB} MiB as MessagePack`,
          tags: ['inference'],
          body: {
            content: {
              [JSON_ENCODING]: { schema: Type.Unsafe(VLA_SCHEMA.$defs.request) },
              // Bytes, which are checked when they are decoded.
              [MSGPACK]: { schema: Type.Unsafe({}) },
            },
          },
          response: { 200: Any, ...errors },
        },
        errorHandler: refuseTooLarge,
      },
      async (request, reply) => {
        const { tenant, principal } = callerOf(request);
        const packed = Buffer.isBuffer(request.body);
        const asked = packed
          ? decodeVlaRequest(request.body as Buffer, MSGPACK, clock.now())
          : vlaRequest(request.body, clock.now());
        // From here on the policy desk decides the order.
        places.get(request)?.();
        const { chunk } = await ask(asked, `http/${tenant}/${principal}`, principal);
        // The answer has the encoding of the question.
        const { payload, encoding } = encodeChunk(chunk, packed ? MSGPACK : JSON_ENCODING);
        return reply.type(encoding).send(payload);
      },
    );
  });

  function ask(asked: VlaRequest, id: string, principal: string): Promise<PolicyInferReply> {
    const deadlineMs = asked.deadlineMs ?? DEADLINE_MS;
    const caller = { id, wire: 'http', principal } as const;
    const question: PolicyInferRequest = { ...asked, deadlineMs, caller };
    const { policyInfer } = METHODS.execution;
    return bus.request('execution', policyInfer, question, deadlineMs + SPARE_MS);
  }
}

/** By its content-length; a chunked body counts as large. */
function isLarge({ headers }: FastifyRequest): boolean {
  const length = headers['content-length'];
  return length === undefined
    ? headers['transfer-encoding'] !== undefined
    : Number(length) > LIMITS.INFERENCE_LARGE_BYTES;
}

function busy(request: FastifyRequest): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: `${request.method} ${request.routeOptions.url}`,
    subject: 'request body',
    message: `${LIMITS.INFERENCE_LARGE_MAX} questions above ${LIMITS.INFERENCE_LARGE_BYTES / MIB} MiB are already open`,
    hint: 'ask again when one was answered; questions with a content-length that are shorter are taken',
  });
}

/** Adds the limits to the error; other errors go to the handler of the server. */
function refuseTooLarge(error: Error, request: FastifyRequest, _reply: FastifyReply): never {
  if ((error as { code?: string }).code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error;
  throw new EdgeError('api.too_large', {
    operation: `${request.method} ${request.routeOptions.url}`,
    subject: 'request body',
    message: `the request body is above the limit: ${JSON_BYTES_MAX / MIB} MiB as JSON, ${MSGPACK_BYTES_MAX / MIB} MiB as MessagePack`,
    hint: 'send images as application/msgpack, see docs/inference.md',
  });
}
