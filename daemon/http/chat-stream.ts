import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EdgeError, LIMITS, type ModelAnswer, type ModelDelta, toMs } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';
import { CHAT_SCHEMA } from '../../formats/inference/index.ts';
import {
  type ChatAsk,
  ChunkWriter,
  chatErrorBody,
  completionBody,
  readChatAsk,
} from '../../formats/openai/index.ts';
import { callerOf } from './caller.ts';
import type { HttpPorts } from './http-ports.ts';
import { errors } from './schemas.ts';

const Any = Type.Object({}, { additionalProperties: true });

/** `POST /v1/chat/completions`: any client of the OpenAI API reaches the models of this robot, through its router. */
export function chatRoutes(app: FastifyInstance, ports: HttpPorts): void {
  app.post(
    '/v1/chat/completions',
    {
      bodyLimit: LIMITS.CHAT_REQUEST_BYTES_MAX,
      schema: {
        operationId: 'createChatCompletion',
        summary: 'Ask a model, in the words of the OpenAI API; with stream: true as server-sent events',
        tags: ['inference'],
        body: Type.Unsafe(CHAT_SCHEMA.$defs.request),
        response: { 200: Any, ...errors },
      },
    },
    async (request, reply) => {
      const ask = readChatAsk(request.body);
      const chat = new HttpChat(ports, request, reply, ask);
      return ask.stream ? chat.stream() : chat.whole();
    },
  );
}

/** One request and its answer. A client that hangs up ends the call of the model. */
class HttpChat {
  readonly #ports: HttpPorts;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #ask: ChatAsk;
  readonly #abort = new AbortController();

  constructor(ports: HttpPorts, request: FastifyRequest, reply: FastifyReply, ask: ChatAsk) {
    this.#ports = ports;
    this.#request = request;
    this.#reply = reply;
    this.#ask = ask;
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) this.#abort.abort();
    });
  }

  async whole(): Promise<object> {
    const answer = await this.#complete(() => {});
    return completionBody({ ...this.#head(), model: answer.model }, { ok: true, ...answer });
  }

  /** The status is decided by the first piece: a failure before it is an ordinary error. */
  async stream(): Promise<FastifyReply> {
    const writer = new ChunkWriter(this.#head());
    try {
      const answer = await this.#complete((delta) => {
        const chunk = writer.delta(delta);
        if (chunk) this.#send(chunk);
      });
      for (const chunk of writer.end({ ok: true, ...answer }, this.#ask.usage)) this.#send(chunk);
      this.#reply.raw.end('data: [DONE]\n\n');
    } catch (thrown) {
      if (!this.#reply.raw.headersSent) throw thrown;
      const error = EdgeError.from(thrown, 'model.failed', 'chat', this.#request.id).toBody();
      this.#send(chatErrorBody(error));
      this.#reply.raw.end();
    }
    return this.#reply;
  }

  #complete(onDelta: (delta: ModelDelta) => void): Promise<ModelAnswer> {
    const { chat } = this.#ports;
    if (!chat) {
      throw new EdgeError('model.unavailable', {
        operation: 'chat',
        subject: 'models',
        message: 'no model is configured: [[models]], see docs/models.md',
        retryable: false,
      });
    }
    const context = callerOf(this.#request);
    const { traceparent } = this.#request.headers;
    const { request, model } = this.#ask;
    return chat.complete(
      { caller: `${context.tenant}/${context.principal}`, context, request, model },
      {
        onDelta,
        signal: this.#abort.signal,
        ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
      },
    );
  }

  #send(piece: object): void {
    const { raw } = this.#reply;
    if (!raw.headersSent) {
      this.#reply.hijack();
      raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
        'x-request-id': this.#request.id,
      });
    }
    // An answer has at most MODEL_ANSWER_BYTES_MAX: a slow reader needs no more memory than that.
    if (!raw.destroyed) raw.write(`data: ${JSON.stringify(piece)}\n\n`);
  }

  #head() {
    const { clock } = this.#ports;
    return { id: this.#request.id, created: Math.floor(toMs(clock.now()) / 1_000), model: this.#ask.model };
  }
}

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
