import type {
  AssistantMessage,
  AssistantMessageEventStream,
  Context,
  Model,
  SimpleStreamOptions,
  Tool,
  TranscriptContext,
} from '@earendil-works/pi-ai';
import {
  type AgentDefinition,
  EdgeError,
  type LanguageModel,
  LIMITS,
  type ModelAnswer,
  type ModelNeed,
  type ModelRequest,
  type ModelToolCall,
  pause,
  type RunContext,
  type ThinkingLevel,
  type ToolSpec,
  toMs,
} from '../../contract/core.ts';
import { choicesOf, STOP } from './choices.ts';
import type { PiLibrary } from './pi-library.ts';
import { judgedCalls, type MaybeRefused } from './refusals.ts';
import { heldArguments, toMessages } from './transcript.ts';

/** The provider of all models in a session: it routes to the models of this daemon. */
export const PROVIDER = 'auraison';
/** The default model of a session: any that fits the needs of the agent. */
export const ANY_MODEL = 'any';

const CWD = /\s*<cwd>[^<]*<\/cwd>/;

/** After a failure the model is asked again after this long, milliseconds; doubles up to the next. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;

export type DoorParts = {
  readonly pi: PiLibrary;
  readonly context: RunContext;
  readonly model: LanguageModel;
  readonly agent: AgentDefinition;
  /** Tools by the names that models see. */
  readonly tools: ReadonlyMap<string, ToolSpec>;
  /** Appends the entries so far to the log, before the events of the model call. */
  readonly settle: () => Promise<void>;
  /** How long models that fail are asked again, milliseconds. */
  readonly patienceMs: number;
  /** Text as it comes, for who watches; an answer may still be asked for again. */
  readonly onText: (kind: 'text' | 'thinking', text: string) => void;
  /** Number of the answer that is asked for; part of the ids of its calls. */
  readonly turn: () => number;
  /** Settles when the run is not paused, or a person stops the session. */
  readonly unpaused: () => Promise<void>;
  /** Aborts when a person stops the session. */
  readonly halt: () => AbortSignal;
};

/**
 * Pi asks for models here, and nowhere else. A failed call is asked again for a while: until an answer is whole
 * none of its tool calls has happened. The final failure is `fault`, and ends the run.
 */
export class ModelDoor {
  readonly #parts: DoorParts;
  fault: EdgeError | undefined;
  /** As a person chose it; undefined: the default of the model. */
  thinking: ThinkingLevel | undefined;
  /** Instructions of a person for a summary. */
  focus: string | undefined;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  /** A configured model, or `auto`, in Pi's format. */
  describe(name: string): Model<string> {
    const { info } = this.#parts.model;
    return {
      id: name,
      name,
      api: PROVIDER,
      provider: PROVIDER,
      baseUrl: '',
      reasoning: false,
      input: info.vision ? ['text', 'image'] : ['text'],
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      contextWindow: info.context,
      maxTokens: this.#maxTokens(),
    };
  }

  /** Pi's stream function: never throws; failures are in the stream. */
  readonly stream = (
    model: Model<string>,
    context: Context | TranscriptContext,
    options: SimpleStreamOptions = {},
  ): AssistantMessageEventStream => {
    const { ai } = this.#parts.pi;
    const stream = ai.createAssistantMessageEventStream();
    const partial = emptyAnswer(model, toMs(this.#parts.context.clock.now()));
    stream.push({ type: 'start', partial });
    this.#answer(model, ai.normalizeContext(context as Context), options, partial, stream).then(
      (message) => stream.push({ type: 'done', reason: message.stopReason as 'stop', message }),
      (thrown: unknown) => stream.push({ type: 'error', ...failed(partial, thrown, options.signal) }),
    );
    return stream;
  };

  async #answer(
    model: Model<string>,
    transcript: TranscriptContext,
    options: SimpleStreamOptions,
    partial: AssistantMessage,
    stream: AssistantMessageEventStream,
  ): Promise<AssistantMessage> {
    const { context, settle, turn, unpaused } = this.#parts;
    const inSession = options.sessionId === context.runId;
    const halt = this.#parts.halt();
    const ends = [context.signal, halt, ...(options.signal ? [options.signal] : [])];
    const signal = AbortSignal.any(ends);
    const onText = (text: string, kind: 'text' | 'thinking') => {
      tell(partial, stream, kind, text);
      if (inSession) this.#parts.onText(kind, text);
    };
    try {
      const request = this.#request(model, transcript, inSession, options.maxTokens);
      const answer = await this.#patiently(async () => {
        await unpaused();
        await settle();
        signal.throwIfAborted();
        partial.content = [];
        return await this.#parts.model.complete(request, {
          signal,
          onDelta: (delta) => {
            if (delta.kind !== 'tool_call') onText(delta.text, delta.kind);
          },
        });
      }, signal);
      // Pi shortens a context that was too large and asks again: then nothing has failed.
      if (inSession) this.fault = undefined;
      const named = answer.toolCalls.map((call) => ({ ...call, name: this.#shown(call.name) }));
      const stops = named.some(({ name }) => this.#parts.tools.get(name)?.name === STOP);
      return whole(partial, answer, judgedCalls(named, request, this.#parts.tools), turn(), stops);
    } catch (thrown) {
      // Where exactly the stop met the call makes no difference to what the session says of it.
      const why: unknown = halt.aborted && !context.signal.aborted ? halt.reason : thrown;
      const fault = EdgeError.from(why, 'model.failed', 'complete', 'model');
      if (inSession) this.fault ??= fault;
      throw fault;
    }
  }

  async #patiently(ask: () => Promise<ModelAnswer>, signal: AbortSignal): Promise<ModelAnswer> {
    const { context, patienceMs } = this.#parts;
    const until = context.clock.monotonicMs() + patienceMs;
    for (let delay = RETRY_FIRST_MS; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      try {
        return await ask();
      } catch (thrown) {
        const fault = EdgeError.from(thrown, 'model.failed', 'complete', 'model');
        if (signal.aborted || !isOutage(fault) || this.#overflows(fault)) throw fault;
        if (context.clock.monotonicMs() + delay >= until) throw fault;
      }
      await pause(context.clock, delay, signal);
      if (signal.aborted) throw new EdgeError('run.cancelled', { operation: 'complete', subject: 'model' });
    }
  }

  /** The conversation is too long for the model: a retry does not help, a summary does. */
  #overflows({ message }: EdgeError): boolean {
    const { pi, context } = this.#parts;
    const said = emptyAnswer(this.describe(ANY_MODEL), toMs(context.clock.now()));
    return pi.ai.isContextOverflow({ ...said, stopReason: 'error', errorMessage: message });
  }

  #request(
    model: Model<string>,
    transcript: TranscriptContext,
    inSession: boolean,
    maxTokens: number | undefined,
  ): ModelRequest {
    const { agent, pi, model: door } = this.#parts;
    // Pi mentions its folder in the prompt; no folder exists here.
    const system = pi.ai.getCurrentSystemPrompt(transcript.messages).replace(CWD, '').trim();
    const messages = toMessages(system, transcript, door.info.vision);
    const tools = inSession ? this.#tools(pi.ai.getCurrentTools(transcript.messages)) : [];
    const choices = tools.length > 0 ? choicesOf(agent, messages, this.#parts.tools, tools) : undefined;
    const last = messages.at(-1);
    if (!inSession && this.focus !== undefined && last)
      messages[messages.length - 1] = { ...last, text: `${last.text}\n\nPay attention to: ${this.focus}` };
    return {
      messages,
      ...(tools.length > 0 ? { tools, toolChoice: agent.toolChoice ?? 'auto' } : {}),
      ...(choices ? { choices } : {}),
      ...(inSession && this.thinking !== undefined ? { thinking: this.thinking } : {}),
      uncheckedCalls: true,
      maxTokens: Math.min(maxTokens ?? this.#maxTokens(), this.#maxTokens()),
      temperature: inSession ? (agent.temperature ?? 0) : 0,
      deadlineMs: LIMITS.AGENT_MODEL_MS,
      purpose: inSession ? 'agent turn' : 'compaction',
      need: need(agent.need, model.id, tools.length > 0, messages),
    };
  }

  /** Pi holds tools without their schemas, so that it can neither check nor coerce; models get the real schemas. */
  #tools(declared: readonly Tool[]): NonNullable<ModelRequest['tools']> {
    return declared.map(({ name, description, parameters }) => {
      const spec = this.#parts.tools.get(name);
      const schema = spec?.input ?? parameters;
      return {
        name,
        description: spec?.description ?? description,
        parameters: schema as Record<string, unknown>,
      };
    });
  }

  /** A model that calls a tool by its true name means it. */
  #shown(name: string): string {
    if (this.#parts.tools.has(name)) return name;
    for (const [shown, spec] of this.#parts.tools) if (spec.name === name) return shown;
    return name.slice(0, 128);
  }

  #maxTokens(): number {
    return this.#parts.agent.maxTokens ?? LIMITS.AGENT_ANSWER_TOKENS;
  }
}

/** The model cannot be reached or does not work; another try or another model may. */
export function isOutage({ code }: EdgeError): boolean {
  return code === 'model.unavailable' || code === 'model.failed' || code === 'deadline.exceeded';
}

function need(
  wanted: ModelNeed = {},
  chosen: string,
  tools: boolean,
  messages: ModelRequest['messages'],
): ModelNeed {
  const vision = wanted.vision === true || messages.some(({ images }) => images !== undefined);
  return {
    ...wanted,
    ...(tools ? { tools: true } : {}),
    ...(vision ? { vision: true } : {}),
    ...(chosen === ANY_MODEL ? {} : { prefer: [chosen, ...(wanted.prefer ?? [])] }),
  };
}

function emptyAnswer(model: Model<string>, timestamp: number): AssistantMessage {
  return {
    role: 'assistant',
    content: [],
    api: PROVIDER,
    provider: PROVIDER,
    model: model.id,
    usage: usage(0, 0),
    stopReason: 'stop',
    timestamp,
  };
}

function usage(input: number, output: number): AssistantMessage['usage'] {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 };
  return { input, output, cacheRead: 0, cacheWrite: 0, totalTokens: input + output, cost };
}

/** Text as it comes, for observers. */
function tell(
  partial: AssistantMessage,
  stream: AssistantMessageEventStream,
  kind: 'text' | 'thinking',
  text: string,
): void {
  const at = partial.content.at(-1);
  if (at?.type !== kind) {
    partial.content.push(kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '' });
    stream.push({ type: `${kind}_start`, contentIndex: partial.content.length - 1, partial });
  }
  const block = partial.content.at(-1)!;
  if (block.type === 'text') block.text += text;
  if (block.type === 'thinking') block.thinking += text;
  stream.push({ type: `${kind}_delta`, contentIndex: partial.content.length - 1, delta: text, partial });
}

/**
 * The answer that counts: the final answer of the model, not what was streamed before. Its calls get ids of their
 * own, since servers give the same ones again, and a call is found by its id after a cut.
 */
function whole(
  partial: AssistantMessage,
  answer: ModelAnswer,
  toolCalls: readonly (ModelToolCall & MaybeRefused)[],
  turn: number,
  stops: boolean,
): AssistantMessage {
  const content: AssistantMessage['content'] = [];
  if (answer.text !== '') content.push({ type: 'text', text: answer.text });
  for (const [index, { name, argumentsText, refused }] of toolCalls.entries()) {
    const held = heldArguments(argumentsText) as { arguments: Record<string, never> };
    const kept = { ...held, ...(refused ? { refused } : {}) };
    content.push({ type: 'toolCall', id: `call_${turn}_${index + 1}`, name, ...kept });
  }
  const calls = toolCalls.length > 0;
  // Pi makes no call of a truncated answer. A stop is executed even if its arguments were truncated.
  const stopReason = answer.stopReason === 'length' && !stops ? 'length' : calls ? 'toolUse' : 'stop';
  Object.assign(partial, {
    content,
    stopReason,
    responseModel: answer.model,
    usage: usage(answer.tokensIn, answer.tokensOut),
  });
  return partial;
}

function failed(
  partial: AssistantMessage,
  thrown: unknown,
  signal: AbortSignal | undefined,
): { reason: 'error' | 'aborted'; error: AssistantMessage } {
  const fault = EdgeError.from(thrown, 'model.failed', 'complete', 'model');
  const reason = signal?.aborted || fault.code === 'run.cancelled' ? 'aborted' : 'error';
  const error = {
    ...partial,
    content: [],
    stopReason: reason,
    errorMessage: `${fault.code}: ${fault.message}`,
  };
  return { reason, error: error as AssistantMessage };
}
