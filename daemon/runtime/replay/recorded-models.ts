import {
  type AgentEvent,
  type BlobStore,
  EdgeError,
  type EventPayload,
  type LanguageModel,
  type ModelAnswer,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
  type ModelToolCall,
  type NewEvent,
  parseJson,
} from '../../../contract/index.ts';
import type { ModelsOfRun } from '../attempt/active-run.ts';
import { promptHash } from '../models/prompt-hash.ts';
import type { ReplayClock } from './replay-clock.ts';

type Called = EventPayload<'model.called'>;
type Returned = EventPayload<'model.returned'>;

export type RecordedModelsParts = {
  readonly events: readonly AgentEvent[];
  /** Absent: answers come at once. */
  readonly clock: ReplayClock | undefined;
  readonly blobs: BlobStore | undefined;
  expectsMore(): boolean;
};

/** The models of a record: every call gets the answer it got, at the time it got it. No server is asked. */
export class RecordedModels {
  readonly #parts: RecordedModelsParts;
  /** Calls whose prompt is another than the recorded one: tools, instructions or their texts changed since. */
  changedPrompts = 0;
  readonly #calls: {
    readonly called: Called;
    readonly returned: Returned | undefined;
    /** What hooks said of it before it was made. */
    readonly decided: readonly NewEvent[];
  }[] = [];

  constructor(parts: RecordedModelsParts) {
    this.#parts = parts;
    const returned = new Map<string, Returned>();
    for (const event of parts.events)
      if (event.kind === 'model.returned') returned.set(event.payload.call_id, event.payload);
    let decided: NewEvent[] = [];
    for (const { kind, payload } of parts.events) {
      if (kind === 'policy.decided' && (payload as EventPayload<'policy.decided'>).point === 'model')
        decided.push({ kind, payload } as NewEvent);
      if (kind !== 'model.called') continue;
      const called = payload as Called;
      this.#calls.push({ called, returned: returned.get(called.call_id), decided });
      decided = [];
    }
  }

  /** Undefined where the record has no call of a model and the run therefore had none, or needed none. */
  ofRun: ModelsOfRun = ({ emit, signal }) =>
    new RecordedModel(emit, signal, (request, options, tell) => this.#answer(request, options, tell));

  /** There is a call that was not answered again yet. */
  get hasMore(): boolean {
    return this.#calls.length > 0;
  }

  async #answer(
    request: ModelRequest,
    options: ModelOptions | undefined,
    emit: (events: readonly NewEvent[]) => Promise<void>,
  ): Promise<ModelAnswer> {
    const call = this.#calls.shift();
    if (!call) {
      if (!this.#parts.expectsMore()) return await new Promise<never>(() => {});
      throw diverged(`the run asks a model once more than the record did (${request.purpose})`);
    }
    const { called, returned, decided } = call;
    const prompt_sha256 = promptHash(request);
    if (prompt_sha256 !== called.prompt_sha256) this.changedPrompts++;
    const asked = { ...called, purpose: request.purpose.slice(0, 256), prompt_sha256 };
    // Where a record is held against what is written, these are given with it.
    const given = this.#parts.clock ? [] : decided;
    await emit([...given, { kind: 'model.called', payload: asked }]);
    if (!returned) return await new Promise<never>(() => {});
    await this.#parts.clock?.deliver(returned.duration_ms, options?.signal);
    await emit([{ kind: 'model.returned', payload: returned }]);
    if (!returned.ok) {
      throw returned.error
        ? EdgeError.fromBody(returned.error)
        : new EdgeError('model.failed', { operation: 'complete', subject: called.model });
    }
    const answer = await modelAnswer(called, returned, this.#parts.blobs);
    if (answer.text !== '') options?.onDelta?.({ kind: 'text', text: answer.text });
    for (const told of answer.toolCalls) options?.onDelta?.({ kind: 'tool_call', call: told });
    return answer;
  }
}

/** The answer of a recorded call. Throws `replay.diverged` where the record does not hold it. */
export async function modelAnswer(
  called: Called,
  returned: Returned,
  blobs: BlobStore | undefined,
): Promise<ModelAnswer> {
  const said = returned.answer ?? (await fromBlob(returned.answer_sha256, blobs));
  if (!said) throw diverged(`the record does not hold the answer of ${called.model}`);
  const text = said['text'];
  const calls = (said['tool_calls'] ?? said['toolCalls'] ?? []) as readonly Record<string, unknown>[];
  const stop = (said['stop_reason'] ?? said['stopReason'] ?? 'stop') as ModelAnswer['stopReason'];
  return {
    text: typeof text === 'string' ? text : '',
    ...(said['json'] === undefined ? {} : { json: said['json'] }),
    toolCalls: calls.map(toolCall),
    stopReason: stop,
    tokensIn: returned.tokens_in,
    tokensOut: returned.tokens_out,
    model: returned.model ?? called.model,
    modelId: returned.model_id ?? '',
    ...(returned.cached === undefined ? {} : { cached: returned.cached }),
  };
}

function toolCall(call: Record<string, unknown>): ModelToolCall {
  const text = call['arguments_text'] ?? call['argumentsText'] ?? call['arguments'] ?? '{}';
  return { id: String(call['id']), name: String(call['name']), argumentsText: String(text) };
}

async function fromBlob(
  sha256: string | undefined,
  blobs: BlobStore | undefined,
): Promise<Record<string, unknown> | undefined> {
  const bytes = sha256 === undefined ? undefined : await blobs?.get(sha256);
  return bytes && (parseJson(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>);
}

function diverged(message: string): EdgeError {
  return new EdgeError('replay.diverged', { operation: 'call model', subject: 'model', message });
}

type Emit = (events: readonly NewEvent[]) => Promise<void>;
type Answering = (
  request: ModelRequest,
  options: ModelOptions | undefined,
  emit: Emit,
) => Promise<ModelAnswer>;

class RecordedModel implements LanguageModel {
  readonly info: ModelInfo = {
    name: 'record',
    modelId: 'record',
    vision: true,
    tools: true,
    context: 1_000_000,
    latency: 'low',
    costIn: 0,
    costOut: 0,
  };
  readonly #emit: Emit;
  readonly #signal: AbortSignal;
  readonly #answer: Answering;

  constructor(emit: Emit, signal: AbortSignal, answer: Answering) {
    this.#emit = emit;
    this.#signal = signal;
    this.#answer = answer;
  }

  complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    const signal = options.signal ? AbortSignal.any([this.#signal, options.signal]) : this.#signal;
    return this.#answer(request, { ...options, signal }, this.#emit);
  }

  async health(): Promise<ModelHealth> {
    return { ok: true, reason: '', queueDepth: 0 };
  }

  async close(): Promise<void> {}
}
