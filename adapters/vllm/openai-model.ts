import OpenAI from 'openai';
import {
  type Clock,
  EdgeError,
  type LanguageModel,
  LIMITS,
  type ModelAnswer,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
} from '../../contract/core.ts';
import { AnswerFold, type FoldedAnswer } from './answer-fold.ts';
import { boundedFetch } from './bounded-fetch.ts';
import { CallWatch } from './call-watch.ts';
import { AnswerCheck } from './checked-answer.ts';
import { faultOf } from './faults.ts';
import { forced, type JsonMode, modeFor, offered, readToolText } from './json-tools.ts';
import { requestBody } from './request-body.ts';
import { ServerHealth } from './server-health.ts';

export type OpenAiModelOptions = {
  readonly info: ModelInfo;
  /** Of the API, with `/v1`. */
  readonly url: string;
  /** Undefined: the server requires none. */
  readonly apiKey: string | undefined;
  readonly jsonMode: JsonMode;
  /** Whether the server is asked for its health while it is silent. */
  readonly probe: boolean;
  readonly times: {
    readonly silenceMs: number;
    readonly probeMs: number;
    readonly firstTokenMs: number;
    readonly stallMs: number;
    readonly hangMs: number;
    readonly callMs: number;
    /** Loading weights back takes its time. */
    readonly wakeMs: number;
  };
  readonly clock: Clock;
  /** Random bytes: names of requests and of calls that got none. */
  readonly random: (length: number) => Uint8Array;
};

/** A model behind any OpenAI-compatible server; vLLM first, llama.cpp and others by the same API. */
export class OpenAiModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly #options: OpenAiModelOptions;
  readonly #client: OpenAI;
  readonly #health: ServerHealth;
  readonly #check: AnswerCheck;
  readonly #open = new Set<(error: EdgeError) => void>();
  /** The server names its answers after our requests, as vLLM does: then an answer with another name is another's. */
  #echoes = false;
  #closed = false;

  constructor(options: OpenAiModelOptions) {
    const { info, url, apiKey, clock, times } = options;
    this.info = info;
    this.#options = options;
    this.#check = new AnswerCheck(info.name);
    this.#client = new OpenAI({
      baseURL: url,
      // The client insists on a key; a server that wants none ignores it.
      apiKey: apiKey ?? 'none',
      organization: null,
      project: null,
      webhookSecret: null,
      maxRetries: 0,
      logLevel: 'off',
      timeout: times.callMs + 60_000,
      fetch: boundedFetch({
        bytesMax: LIMITS.MODEL_STREAM_BYTES_MAX,
        contentType: 'text/event-stream',
        subject: info.name,
      }),
    });
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    this.#health = new ServerHealth({ url, headers, name: info.name }, clock, times.probeMs);
  }

  complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    const { clock, times } = this.#options;
    const { signal } = options;
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        watch.close();
        this.#open.delete(fail);
        signal?.removeEventListener('abort', onAbort);
        abort.abort();
        end();
      };
      // Even if the stream never ends, the first of these settles the call.
      const fail = (error: EdgeError) => settle(() => reject(error));
      const onAbort = () => fail(this.#fault('run.cancelled', 'the call was cancelled'));
      const watch = new CallWatch({
        clock,
        subject: this.info.name,
        times: { ...times, deadlineMs: Math.max(0, Math.min(times.callMs, request.deadlineMs)) },
        probe: async () => (this.#options.probe ? await this.#health.probe() : undefined),
        steps: async () => (this.#options.probe ? await this.#health.steps() : undefined),
        fail,
      });
      this.#open.add(fail);
      if (this.#closed) return fail(this.#fault('model.unavailable', 'the model is closed'));
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#answer(request, options, abort.signal, watch).then(
        (answer) => settle(() => resolve(answer)),
        (thrown: unknown) => fail(faultOf(thrown, this.info.name, this.#options.apiKey)),
      );
    });
  }

  health(): Promise<ModelHealth> {
    return this.#health.health();
  }

  wake(): Promise<void> {
    return this.#health.wake(this.#options.times.wakeMs);
  }

  /** Frees the memory of the weights, where the server can; `wake` brings them back. */
  sleep(): Promise<void> {
    return this.#health.sleep(this.#options.times.wakeMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const fail of [...this.#open]) fail(this.#fault('model.unavailable', 'the model is closed'));
  }

  async #answer(
    request: ModelRequest,
    options: ModelOptions,
    signal: AbortSignal,
    watch: CallWatch,
  ): Promise<ModelAnswer> {
    const { clock, jsonMode, random } = this.#options;
    const began = clock.monotonicMs();
    const requestId = hex(random(12));
    const mode = modeFor(request, jsonMode);
    const stream = await this.#client.chat.completions.create(requestBody(request, this.info.modelId, mode), {
      signal,
      headers: {
        'x-request-id': requestId,
        ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
      },
    });
    const fold = new AnswerFold(this.info.name, () => hex(random(5)).slice(0, 9));
    // In these modes what looks like text may be a call: it is delivered when it is clear which.
    const late = mode !== 'native' && offered(request).length > 0;
    let firstTokenMs: number | undefined;
    for await (const chunk of stream) {
      if (signal.aborted) break;
      const { deltas, alive } = fold.take(chunk);
      this.#identify(fold.id, requestId);
      if (!alive) continue;
      firstTokenMs ??= clock.monotonicMs() - began;
      watch.alive();
      if (!late) for (const delta of deltas) options.onDelta?.(delta);
    }
    const answer = this.#checked(request, fold.end(), fold.chunks);
    if (signal.aborted) throw this.#fault('run.cancelled', 'the call was cancelled');
    if (late && answer.text !== '') options.onDelta?.({ kind: 'text', text: answer.text });
    for (const call of answer.toolCalls) options.onDelta?.({ kind: 'tool_call', call });
    return firstTokenMs === undefined ? answer : { ...answer, firstTokenMs };
  }

  #identify(id: string | undefined, requestId: string): void {
    if (id === undefined) return;
    if (id.includes(requestId)) this.#echoes = true;
    else if (this.#echoes)
      throw this.#fault('model.failed', `the server sent another answer (${id.slice(0, 60)})`);
  }

  #checked(request: ModelRequest, folded: FoldedAnswer, chunks: number): ModelAnswer {
    const { name, modelId } = this.info;
    const { calls, text, stopReason } = this.#withTextCalls(request, folded);
    if (request.uncheckedCalls !== true) this.#check.calls(request, calls, stopReason);
    const { answerSchema } = request;
    const json =
      answerSchema !== undefined && calls.length === 0
        ? { json: this.#check.json(text, answerSchema, stopReason) }
        : {};
    return {
      text,
      ...json,
      toolCalls: calls,
      stopReason,
      tokensIn: folded.tokensIn ?? estimate(request),
      tokensOut: folded.tokensOut ?? chunks,
      model: name,
      modelId: folded.modelId === '' ? modelId : folded.modelId,
    };
  }

  /** Small models, and servers without a parser for their model, send their calls as text. */
  #withTextCalls(
    request: ModelRequest,
    { calls, text, stopReason }: FoldedAnswer,
  ): Pick<FoldedAnswer, 'calls' | 'text' | 'stopReason'> {
    const names = new Set(offered(request).map(({ name }) => name));
    if (calls.length > 0 || names.size === 0) return { calls, text, stopReason };
    // Where the caller checks, a call of an unknown tool counts as a call: the model is to learn that it was refused.
    const told = readToolText(text, request.uncheckedCalls && forced(request) ? undefined : names);
    const found = told.calls.map((call) => ({ ...call, id: hex(this.#options.random(5)).slice(0, 9) }));
    return { calls: found, text: told.text, stopReason: found.length > 0 ? 'tool_calls' : stopReason };
  }

  #fault(code: 'model.unavailable' | 'model.failed' | 'run.cancelled', message: string): EdgeError {
    return new EdgeError(code, { operation: 'complete', subject: this.info.name, message });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Tokens of a prompt whose server did not count them: four characters make about one. */
function estimate({ messages }: ModelRequest): number {
  return Math.ceil(messages.reduce((sum, { text }) => sum + text.length, 0) / 4);
}
