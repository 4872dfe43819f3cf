import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a fake server was asked, as it came. */
export type Asked = {
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
};

/** One answer: text, calls, or anything a hostile server may write. */
export type Script = (asked: Asked, response: ServerResponse, server: FakeOpenAi) => void | Promise<void>;

export type Say = {
  readonly text?: string;
  readonly calls?: readonly { readonly id?: string; readonly name: string; readonly args: unknown }[];
  readonly finish?: string;
  readonly id?: string;
  readonly usage?: unknown;
};

/** A server with the words of OpenAI and vLLM over real HTTP, scripted. Requests beyond the script get the last one again. */
export class FakeOpenAi {
  readonly asked: Asked[] = [];
  readonly scripts: Script[] = [];
  /** Answers of `/health` and of `/is_sleeping`; `undefined` is a server that says nothing. */
  health: number | undefined = 200;
  sleeping = false;
  metrics = '';
  woken = 0;
  /** Streams whose client went away before their end. */
  cut = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(...scripts: Script[]): Promise<FakeOpenAi> {
    const server = createServer();
    const fake = new FakeOpenAi(server);
    fake.scripts.push(...scripts);
    server.on('request', (request, response) => {
      fake.#handle(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split('?')[0]!;
    if (path === '/v1/chat/completions') return await this.#complete(request, response);
    if (path === '/health') {
      if (this.health !== undefined) response.writeHead(this.health).end();
    } else if (path === '/is_sleeping') {
      if (this.health !== undefined) json(response, 200, { is_sleeping: this.sleeping });
    } else if (path === '/wake_up') {
      this.woken += 1;
      this.sleeping = false;
      response.end();
    } else if (path === '/metrics' && this.metrics !== '') response.end(this.metrics);
    else json(response, 404, { error: { message: 'no such path' } });
  }

  async #complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const asked = { body: JSON.parse(Buffer.concat(parts).toString()), headers: request.headers };
    this.asked.push(asked);
    response.on('close', () => {
      if (!response.writableEnded) this.cut += 1;
    });
    // What a sleeping engine does with a request: nothing.
    if (this.sleeping) return;
    const script = this.scripts.length > 1 ? this.scripts.shift()! : this.scripts[0]!;
    await script(asked, response, this);
  }
}

export function json(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
}

export function event(response: ServerResponse, value: unknown): void {
  response.write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`);
}

export function chunk(delta: unknown, finish: string | null = null, id = 'chatcmpl-1'): object {
  return {
    id,
    object: 'chat.completion.chunk',
    created: 1,
    model: 'served/tiny',
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
}

/** A whole answer by the book, its text word by word and the arguments of its calls in pieces. */
export function say(what: Say): Script {
  return ({ headers }, response) => {
    const id = what.id ?? `chatcmpl-${String(headers['x-request-id'])}`;
    beginStream(response);
    event(response, chunk({ role: 'assistant', content: '' }, null, id));
    for (const word of what.text?.match(/\S+\s*/g) ?? []) event(response, chunk({ content: word }, null, id));
    for (const [index, call] of (what.calls ?? []).entries()) {
      const args = typeof call.args === 'string' ? call.args : JSON.stringify(call.args);
      const head = { index, id: call.id ?? `call-${index}-0123456789`, type: 'function' };
      event(
        response,
        chunk({ tool_calls: [{ ...head, function: { name: call.name, arguments: '' } }] }, null, id),
      );
      for (const piece of args.match(/.{1,7}/gs) ?? [])
        event(response, chunk({ tool_calls: [{ index, function: { arguments: piece } }] }, null, id));
    }
    const finish = what.finish ?? ((what.calls ?? []).length > 0 ? 'tool_calls' : 'stop');
    event(response, chunk({}, finish, id));
    const usage = what.usage ?? { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
    event(response, {
      id,
      object: 'chat.completion.chunk',
      created: 1,
      model: 'served/tiny',
      choices: [],
      usage,
    });
    event(response, '[DONE]');
    response.end();
  };
}

/** Takes the request and says nothing. */
export const silent: Script = () => {};

/** Says `words`, then nothing more, the connection open. */
export function stall(words: string): Script {
  return (_asked, response) => {
    beginStream(response);
    event(response, chunk({ role: 'assistant', content: '' }));
    event(response, chunk({ content: words }));
  };
}
