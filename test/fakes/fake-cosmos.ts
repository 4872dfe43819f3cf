import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Body = Readonly<Record<string, unknown>>;
export type Reply = {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};

/** An MP4 file as small as one can be: its first box, and something that makes it another one. */
export function film(word: string): Buffer {
  const box = Buffer.alloc(16 + word.length);
  box.writeUInt32BE(16, 0);
  box.write('ftypisom', 4, 'latin1');
  box.write(word, 16, 'latin1');
  return box;
}

const COMMON = [
  ...[
    'model_mode',
    'prompt',
    'negative_prompt',
    'input_reference',
    'seed',
    'guidance_scale',
    'num_inference_steps',
  ],
  ...[
    'flow_shift',
    'resolution',
    'num_frames',
    'fps',
    'condition_frame_indexes_vision',
    'condition_video_keep',
    'transfer',
  ],
];
const TRANSFER = [
  ...['edge', 'blur', 'depth', 'seg', 'wsm', 'control_guidance', 'num_video_frames_per_chunk'],
  ...['num_conditional_frames', 'num_first_chunk_conditional_frames'],
];

/** Why the documented interface of a Cosmos3 generator refuses a request; undefined: it does not. */
export function generatorFault(body: Body): string | undefined {
  const strange = Object.keys(body).find((key) => !COMMON.includes(key));
  if (strange) return `extra field ${strange}`;
  const { model_mode: mode, prompt, input_reference: from, num_frames: frames, fps, seed, transfer } = body;
  if (!['image2video', 'video2video', 'text2video', 'text2image'].includes(String(mode))) return 'model_mode';
  if (typeof prompt !== 'string' || prompt.length > 20_000) return 'prompt';
  if (!Number.isInteger(frames) || (frames as number) < 25 || (frames as number) > 397) return 'num_frames';
  if (typeof fps !== 'number' || fps < 1 || fps > 60) return 'fps';
  if (seed !== undefined && !(Number.isInteger(seed) && (seed as number) >= 0)) return 'seed';
  const steps = body['num_inference_steps'];
  if (steps !== undefined && !(Number.isInteger(steps) && (steps as number) >= 1 && (steps as number) <= 100))
    return 'num_inference_steps';
  const kind = mode === 'image2video' ? /^data:image\/(png|jpeg|webp);base64,/ : /^data:video\/mp4;base64,/;
  if (mode !== 'text2video' && !kind.test(String(from))) return 'input_reference';
  if (transfer === undefined) return undefined;
  if (mode !== 'video2video') return 'transfer wants video2video';
  const controls = transfer as Body;
  const odd = Object.keys(controls).find((key) => !TRANSFER.includes(key));
  if (odd) return `extra field transfer.${odd}`;
  if (!['edge', 'blur', 'depth', 'seg', 'wsm'].some((key) => controls[key] !== undefined))
    return 'no control';
  return undefined;
}

/** Why a reasoner refuses a request. */
export function reasonerFault(body: Body): string | undefined {
  const {
    model,
    messages,
    response_format: format,
  } = body as {
    model?: unknown;
    messages?: { role: string; content: { type: string }[] }[];
    response_format?: { type: string; json_schema?: { schema?: unknown } };
  };
  if (model !== 'nvidia/fake-reasoner') return 'model';
  const content = messages?.[0]?.content;
  if (!Array.isArray(content)) return 'messages';
  const kinds = content.map(({ type }) => type);
  if (kinds.at(-1) !== 'text') return 'media comes before the text';
  if (kinds.filter((kind) => kind === 'video_url').length > 1) return 'one video';
  if (kinds.filter((kind) => kind === 'image_url').length > 5) return 'five images';
  if (format?.type !== 'json_schema' || !format.json_schema?.schema) return 'response_format';
  return undefined;
}

/** A Cosmos service over real HTTP that holds to its documented interface; what it answers a test may change. */
export class FakeCosmos {
  readonly asked: {
    readonly path: string;
    readonly body: Body;
    readonly headers: IncomingMessage['headers'];
  }[] = [];
  /** Requests that their client left. */
  left = 0;
  ready = 200;
  metadata: Body | undefined;
  /** Undefined: it says nothing at all. */
  reply: (body: Body, count: number) => Reply | undefined;
  readonly #server: Server;

  private constructor(server: Server, runtime: 'generator' | 'reasoner') {
    this.#server = server;
    const endpoint = runtime === 'generator' ? '/v1/infer' : '/v1/chat/completions';
    this.metadata = { model_type: runtime, inference_endpoint: endpoint, selectedModelProfileId: 'p' };
    this.reply = runtime === 'generator' ? (_body, count) => generated(count) : () => judged(5);
  }

  static async start(runtime: 'generator' | 'reasoner'): Promise<FakeCosmos> {
    const server = createServer();
    const fake = new FakeCosmos(server, runtime);
    server.on('request', (request, response) => {
      fake.#handle(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!;
    if (path === '/v1/health/ready') return send(response, { status: this.ready, body: { status: 'ready' } });
    if (path === '/v1/metadata')
      return send(response, this.metadata ? { body: this.metadata } : { status: 404, body: {} });
    const generator = this.metadata?.['model_type'] !== 'reasoner';
    if (path === '/v1/models') return send(response, { body: { data: [{ id: 'nvidia/fake-reasoner' }] } });
    const mine = generator ? '/v1/infer' : '/v1/chat/completions';
    if (path !== mine) return send(response, { status: 404, body: { error: 'the other runtime' } });
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as Body;
    this.asked.push({ path, body, headers: request.headers });
    response.on('close', () => {
      if (!response.writableEnded) this.left += 1;
    });
    const fault = generator ? generatorFault(body) : reasonerFault(body);
    if (fault) return send(response, { status: 422, body: { detail: fault } });
    const reply = this.reply(body, this.asked.length);
    if (reply) send(response, reply);
  }
}

export function generated(count: number): Reply {
  return { body: { b64_video: film(`film ${count}`).toString('base64'), action: null } };
}

export function judged(score: number, more: Body = {}): Reply {
  const content = JSON.stringify({ score, blocked: false, why: 'it looks free', ...more });
  return {
    body: {
      model: 'nvidia/fake-reasoner',
      choices: [{ message: { role: 'assistant', content } }],
      usage: { prompt_tokens: 100, completion_tokens: 20 },
    },
  };
}

function send(response: ServerResponse, { status = 200, body = {}, headers = {} }: Reply): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(typeof body === 'string' ? body : JSON.stringify(body));
}
