import type { AssistantMessage, Model, Models } from '@earendil-works/pi-ai';
import {
  type Clock,
  checker,
  EdgeError,
  type ErrorCode,
  type LanguageModel,
  LIMITS,
  type ModelAnswer,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
  parseJson,
  type Timer,
  toMs,
} from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { fencedText } from '../../formats/openai/index.ts';
import { toAnswer, toContext } from './provider-messages.ts';
import { providersWith } from './providers.ts';

export type PiProviderOptions = {
  readonly info: ModelInfo;
  /** The provider's name in Pi: anthropic, openai, google, mistral, groq … */
  readonly provider: string;
  /** Undefined: as the provider is logged in. */
  readonly apiKey: string | undefined;
  /** What the provider has to know beside the key, such as account and gateway. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
  /** File of logins at providers. */
  readonly credentials?: string | undefined;
  /** Another address than the provider's own, such as a gateway. */
  readonly url?: string | undefined;
  readonly clock: Clock;
  /** To the first token, and between two, milliseconds. */
  readonly firstTokenMs: number;
  readonly stallMs: number;
};

/** Errors of providers that cannot be reached or are overloaded: a retry or another model may succeed. */
const AWAY =
  /ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|socket|network|connection|fetch failed|terminated|overloaded|rate.?limit|\b(?:408|429|500|502|503|504|529)\b/i;

/** A model of one of Pi's providers. Calls settle as the port requires, even if the client of the provider does not. */
export class PiProviderModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly #options: PiProviderOptions;
  readonly #open = new Set<(fault: EdgeError) => void>();
  #model: Model<string> | undefined;
  #providers: Promise<Models> | undefined;
  #closed = false;
  #last: EdgeError | undefined;

  constructor(options: PiProviderOptions) {
    this.info = options.info;
    this.#options = options;
  }

  complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    const { clock, firstTokenMs, stallMs } = this.#options;
    const { signal } = options;
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      let guard: Timer | undefined;
      const settle = (end: () => void) => {
        this.#open.delete(fail);
        overall.cancel();
        guard?.cancel();
        signal?.removeEventListener('abort', onAbort);
        abort.abort();
        end();
      };
      const fail = (fault: EdgeError) =>
        settle(() => {
          if (fault.code !== 'run.cancelled') this.#last = fault;
          reject(fault);
        });
      const late = (what: string) => () => fail(this.#fault('deadline.exceeded', what));
      const alive = () => {
        guard?.cancel();
        guard = clock.after(stallMs, late(`nothing came for ${stallMs} ms in mid-answer`));
      };
      const onAbort = () => fail(this.#fault('run.cancelled', 'the call was cancelled'));
      const overall = clock.after(request.deadlineMs, late(`no answer within ${request.deadlineMs} ms`));
      if (this.#closed) return fail(this.#fault('model.unavailable', 'the model is closed'));
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#open.add(fail);
      guard = clock.after(firstTokenMs, late(`no token within ${firstTokenMs} ms`));
      this.#ask(request, options, abort.signal, alive).then(
        (answer) =>
          settle(() => {
            this.#last = undefined;
            resolve(answer);
          }),
        (thrown: unknown) => fail(EdgeError.from(thrown, 'model.failed', 'complete', this.info.name)),
      );
    });
  }

  /** Health by the last call, since a check would cost money. */
  async health(): Promise<ModelHealth> {
    const reason = this.#closed ? 'closed' : (this.#last?.message ?? '');
    return { ok: reason === '', reason, queueDepth: this.#open.size };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const fail of [...this.#open]) fail(this.#fault('model.unavailable', 'the model was closed'));
  }

  async #ask(
    request: ModelRequest,
    { onDelta }: ModelOptions,
    signal: AbortSignal,
    alive: () => void,
  ): Promise<ModelAnswer> {
    const providers = await this.#all();
    const model = this.#described(providers);
    const { env = {} } = this.#options;
    const { toolChoice, maxTokens, temperature, tools = [], thinking } = request;
    const choice =
      typeof toolChoice === 'object' ? { type: 'tool' as const, name: toolChoice.name } : toolChoice;
    const stream = providers.streamSimple(model, toContext(request, model, toMs(this.#options.clock.now())), {
      signal,
      maxTokens,
      temperature,
      ...(thinking === undefined || thinking === 'off' ? {} : { reasoning: thinking }),
      maxRetries: 0,
      timeoutMs: request.deadlineMs + 1_000,
      ...(Object.keys(env).length > 0 ? { env: { ...env } } : {}),
      ...(choice && tools.length > 0 ? { toolChoice: choice as never } : {}),
    });
    const raw = new Map<number, string>();
    let bytes = 0;
    for await (const event of stream) {
      if (signal.aborted) break;
      alive();
      if (event.type === 'text_delta' || event.type === 'thinking_delta' || event.type === 'toolcall_delta') {
        bytes += event.delta.length;
        if (bytes > LIMITS.MODEL_ANSWER_BYTES_MAX)
          throw this.#fault('model.failed', `the answer is above ${LIMITS.MODEL_ANSWER_BYTES_MAX} bytes`);
      }
      if (event.type === 'text_delta') onDelta?.({ kind: 'text', text: event.delta });
      if (event.type === 'thinking_delta') onDelta?.({ kind: 'thinking', text: event.delta });
      if (event.type === 'toolcall_delta')
        raw.set(event.contentIndex, (raw.get(event.contentIndex) ?? '') + event.delta);
    }
    const message = await stream.result();
    this.#refuseFailed(message);
    const answer = toAnswer(message, raw, this.info.name, this.info.modelId);
    for (const call of answer.toolCalls) onDelta?.({ kind: 'tool_call', call });
    return request.answerSchema ? { ...answer, json: this.#json(answer, request.answerSchema) } : answer;
  }

  #refuseFailed({ stopReason, errorMessage = 'the provider said nothing more' }: AssistantMessage): void {
    if (stopReason !== 'error' && stopReason !== 'aborted') return;
    const { apiKey } = this.#options;
    // A provider may quote the request in its error.
    const message = apiKey ? errorMessage.replaceAll(apiKey, '***') : errorMessage;
    throw this.#fault(AWAY.test(message) ? 'model.unavailable' : 'model.failed', message.slice(0, 1_024));
  }

  #json({ text, stopReason }: ModelAnswer, schema: Readonly<Record<string, unknown>>): unknown {
    let value: unknown;
    try {
      value = parseJson(fencedText(text) ?? text);
    } catch {
      const why = stopReason === 'length' ? 'it was truncated' : 'it is not JSON';
      throw this.#fault('model.failed', `the answer does not fit its schema: ${why}`);
    }
    const fault = checker(schema as TSchema).fault(value);
    if (fault === undefined) return value;
    throw this.#fault('model.failed', `the answer does not fit its schema: ${fault}`);
  }

  /**
   * The model as Pi's catalogue has it; a model newer than the catalogue gets the settings of another one of its
   * provider.
   */
  #described(providers: Models): Model<string> {
    if (this.#model) return this.#model;
    const { provider, url } = this.#options;
    const { modelId, name, context, vision } = this.info;
    const all = providers.getModels(provider) as readonly Model<string>[];
    const found = all.find(({ id }) => id === modelId) ?? all[0];
    if (!found) throw this.#fault('model.unavailable', `Pi has no provider ${provider}`);
    this.#model = {
      ...found,
      id: modelId,
      name,
      contextWindow: context,
      input: vision ? ['text', 'image'] : ['text'],
      ...(url === undefined ? {} : { baseUrl: url }),
    };
    return this.#model;
  }

  #all(): Promise<Models> {
    const { provider, apiKey, env = {}, credentials, clock } = this.#options;
    this.#providers ??= providersWith(provider, { apiKey, env, credentials, clock });
    return this.#providers;
  }

  #fault(code: ErrorCode, message: string): EdgeError {
    return new EdgeError(code, { operation: 'complete', subject: this.info.name, message });
  }
}
