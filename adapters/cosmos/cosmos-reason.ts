import {
  type Clock,
  EdgeError,
  parseJson,
  type ReasonAnswer,
  type ReasonAsk,
  type ServiceHealth,
  type WorldReasoner,
} from '../../contract/core.ts';
import { checker } from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { fencedText } from '../../formats/openai/index.ts';
import { checkedPrompt, dataUrl, NimClient, type NimOptions } from './nim-client.ts';

/** Images of one prompt, by default of the service. */
const IMAGES_MAX = 5;
const TOKENS = 1_024;
/** Frames per second that it looks at. */
const VIDEO_FPS = 4;

/**
 * What an image or a film means, by a Cosmos reasoner: OpenAI's chat completions with media first and a JSON schema
 * for the answer. The name of the served model is asked for, since it differs by image and size.
 */
export class CosmosReason implements WorldReasoner {
  readonly #client: NimClient;
  readonly #clock: Clock;
  readonly #name: string;
  #model: string | undefined;

  constructor(options: Omit<NimOptions, 'runtime'>) {
    this.#client = new NimClient({ ...options, runtime: 'reasoner' });
    this.#clock = options.clock;
    this.#name = options.name;
  }

  async reason(ask: ReasonAsk): Promise<ReasonAnswer> {
    const { prompt, images = [], video, answerSchema, maxTokens = TOKENS, seed, deadlineMs, signal } = ask;
    if (images.length > IMAGES_MAX) throw this.#broken(`${images.length} images, at most ${IMAGES_MAX}`);
    const until = this.#clock.monotonicMs() + deadlineMs;
    this.#model ??= await this.#served({ deadlineMs, signal });
    const content = [
      ...images.map((image) => ({ type: 'image_url', image_url: { url: dataUrl(image, this.#name) } })),
      ...(video ? [{ type: 'video_url', video_url: { url: dataUrl(video, this.#name) } }] : []),
      { type: 'text', text: checkedPrompt(prompt, this.#name) },
    ];
    const body = {
      model: this.#model,
      messages: [{ role: 'user', content }],
      max_tokens: maxTokens,
      temperature: 0,
      ...(seed === undefined ? {} : { seed }),
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: answerSchema } },
      ...(video ? { media_io_kwargs: { video: { fps: VIDEO_FPS } } } : {}),
    };
    const left = { deadlineMs: until - this.#clock.monotonicMs(), signal };
    const answer = await this.#client.post('/v1/chat/completions', body, left).catch((thrown: unknown) => {
      // Another model may be served by now.
      this.#model = undefined;
      throw thrown;
    });
    return this.#read(answer, answerSchema);
  }

  health(): Promise<ServiceHealth> {
    return this.#client.health();
  }

  async #served(call: { deadlineMs: number; signal: AbortSignal | undefined }): Promise<string> {
    const { data } = await this.#client.get('/v1/models', call);
    const first = Array.isArray(data) ? (data[0] as { readonly id?: unknown } | undefined) : undefined;
    if (typeof first?.id === 'string' && first.id !== '') return first.id;
    throw this.#broken('/v1/models lists no model');
  }

  #read(answer: Readonly<Record<string, unknown>>, schema: ReasonAsk['answerSchema']): ReasonAnswer {
    const { choices, usage, model } = answer as {
      readonly choices?: readonly { readonly message?: { readonly content?: unknown } }[];
      readonly usage?: { readonly prompt_tokens?: unknown; readonly completion_tokens?: unknown };
      readonly model?: unknown;
    };
    const said = Array.isArray(choices) ? choices[0]?.message?.content : undefined;
    if (typeof said !== 'string') throw this.#broken('the answer has no text');
    // A reasoner may think aloud first.
    const text = said.replace(/^[\s\S]*<\/think>/, '').trim();
    let json: unknown;
    try {
      json = parseJson(fencedText(text) ?? text);
    } catch (cause) {
      throw this.#broken('the answer is not valid JSON', cause);
    }
    const fault = checker(schema as TSchema).fault(json);
    if (fault !== undefined) throw this.#broken(`the answer does not match its schema: ${fault}`);
    const count = (value: unknown) => (typeof value === 'number' && value >= 0 ? Math.round(value) : 0);
    return {
      json,
      modelId: typeof model === 'string' ? model : (this.#model ?? ''),
      tokensIn: count(usage?.prompt_tokens),
      tokensOut: count(usage?.completion_tokens),
    };
  }

  #broken(message: string, cause?: unknown): EdgeError {
    return new EdgeError('model.failed', { operation: 'reason', subject: this.#name, message, cause });
  }
}
