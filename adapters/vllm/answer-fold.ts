import type OpenAI from 'openai';
import { EdgeError, LIMITS, type ModelDelta, type ModelToolCall } from '../../contract/core.ts';

type Chunk = OpenAI.Chat.ChatCompletionChunk;
type Choice = Chunk['choices'][number];
/** Fields that some servers add for the reasoning of a model before its answer. */
type Delta = OpenAI.Chat.ChatCompletionChunk.Choice.Delta & {
  readonly reasoning?: unknown;
  readonly reasoning_content?: unknown;
};

type OpenCall = { id: string; name: string; argumentsText: string; readonly index: number };

export type FoldedAnswer = {
  readonly text: string;
  readonly calls: readonly ModelToolCall[];
  readonly stopReason: 'stop' | 'length' | 'tool_calls';
  /** As the server counted; undefined where it reported nothing usable. */
  readonly tokensIn: number | undefined;
  readonly tokensOut: number | undefined;
  readonly modelId: string;
};

/**
 * Folds the chunks of one stream. Everything that a server sends is checked here: the id of another answer in the
 * middle, invalid ends, calls under the same id, too many of them, too much text. Throws `model.failed`.
 */
export class AnswerFold {
  readonly #subject: string;
  readonly #makeId: () => string;
  readonly #calls: OpenCall[] = [];
  #id: string | undefined;
  #modelId = '';
  #text = '';
  #bytes = 0;
  #chunks = 0;
  #finish: string | undefined;
  #usage: { in: number | undefined; out: number | undefined } = { in: undefined, out: undefined };

  /** `makeId` names calls whose server gave them no usable name. */
  constructor(subject: string, makeId: () => string) {
    this.#subject = subject;
    this.#makeId = makeId;
  }

  /** Id that the server gave the answer. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Tokens delivered so far, as far as chunks are tokens. */
  get chunks(): number {
    return this.#chunks;
  }

  /** The new content; empty: nothing that counts as progress. `finished` does. */
  take(chunk: Chunk): { readonly deltas: readonly ModelDelta[]; readonly alive: boolean } {
    if (typeof chunk !== 'object' || chunk === null) throw this.#broken('an event that is no object');
    this.#identify(chunk);
    this.#count(chunk.usage);
    const choices: unknown = chunk.choices ?? [];
    if (!Array.isArray(choices)) throw this.#broken('choices that are no list');
    const choice = (choices as Choice[]).find((one) => (one?.index ?? 0) === 0);
    if (choice === undefined) return { deltas: [], alive: false };
    const deltas: ModelDelta[] = [];
    let alive = false;
    const delta = (choice.delta ?? {}) as Delta;
    const thinking = delta.reasoning_content ?? delta.reasoning;
    if (typeof thinking === 'string' && thinking !== '')
      deltas.push({ kind: 'thinking', text: this.#grow(thinking) });
    if (typeof delta.content === 'string' && delta.content !== '') {
      this.#text += this.#grow(delta.content);
      deltas.push({ kind: 'text', text: delta.content });
    }
    for (const part of toolParts(delta)) alive = this.#callPart(part) || alive;
    if (typeof choice.finish_reason === 'string') {
      this.#finish = choice.finish_reason;
      alive = true;
    }
    alive ||= deltas.length > 0;
    if (alive) this.#chunks += 1;
    return { deltas, alive };
  }

  /** The stream is over. A stream without an end is broken: its content is incomplete. */
  end(): FoldedAnswer {
    if (this.#finish === undefined) throw this.#broken('a stream that ends in the middle');
    const stopReason = this.#stopReason(this.#finish);
    const ids = new Set<string>();
    const calls = this.#calls.map(({ id, name, argumentsText }): ModelToolCall => {
      if (name === '') throw this.#broken('a call without a name');
      const usable = /^[A-Za-z0-9_-]{9,128}$/.test(id) ? id : this.#makeId();
      if (ids.has(usable)) throw this.#broken(`two calls with the id ${usable}`);
      ids.add(usable);
      return {
        id: usable,
        name: name.slice(0, 256).toWellFormed(),
        argumentsText: argumentsText.toWellFormed(),
      };
    });
    return {
      // Half a character, as a server may send it, is no text that can be kept.
      text: this.#text.toWellFormed(),
      calls,
      stopReason: stopReason === 'stop' && calls.length > 0 ? 'tool_calls' : stopReason,
      tokensIn: this.#usage.in,
      tokensOut: this.#usage.out,
      modelId: this.#modelId,
    };
  }

  #stopReason(finish: string): FoldedAnswer['stopReason'] {
    if (finish === 'length') return 'length';
    if (finish === 'tool_calls' || finish === 'function_call')
      return this.#calls.length > 0 ? 'tool_calls' : 'stop';
    if (finish === 'stop') return 'stop';
    throw this.#broken(`an answer that ended by ${finish.slice(0, 40)}`);
  }

  #identify({ id, model }: Chunk): void {
    if (typeof id === 'string' && id !== '') {
      this.#id ??= id;
      if (this.#id !== id) throw this.#broken(`a piece of another answer (${id.slice(0, 60)})`);
    }
    if (typeof model === 'string' && model !== '') this.#modelId = model.slice(0, 256);
  }

  #count(usage: Chunk['usage']): void {
    if (typeof usage !== 'object' || usage === null) return;
    this.#usage = { in: count(usage.prompt_tokens), out: count(usage.completion_tokens) };
  }

  /** Whether the piece brought anything. */
  #callPart(part: ToolPart): boolean {
    const { index = 0, id } = part;
    if (!Number.isSafeInteger(index) || index < 0) throw this.#broken('a call with an invalid index');
    // Some servers put each call under index 0 with different ids: the last one under an index is meant.
    const known = this.#calls.findLast((call) => call.index === index);
    const open =
      known === undefined || (typeof id === 'string' && id !== '' && known.id !== '' && id !== known.id)
        ? this.#openCall(index)
        : known;
    if (typeof id === 'string' && id !== '') open.id = id;
    const { name, arguments: args } = part.function ?? {};
    let grown = open !== known;
    if (typeof name === 'string' && open.name === '') open.name = this.#grow(name);
    if (typeof args === 'string' && args !== '') {
      open.argumentsText += this.#grow(args);
      grown = true;
    } else if (typeof args === 'object' && args !== null) {
      // Not as specified, but unambiguous.
      open.argumentsText += this.#grow(JSON.stringify(args));
      grown = true;
    }
    return grown;
  }

  #openCall(index: number): OpenCall {
    if (this.#calls.length >= LIMITS.MODEL_TOOL_CALLS_MAX) {
      throw this.#broken(`more than ${LIMITS.MODEL_TOOL_CALLS_MAX} calls of tools`);
    }
    const open: OpenCall = { id: '', name: '', argumentsText: '', index };
    this.#calls.push(open);
    return open;
  }

  #grow(text: string): string {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > LIMITS.MODEL_ANSWER_BYTES_MAX) {
      throw this.#broken(`an answer of more than ${LIMITS.MODEL_ANSWER_BYTES_MAX} bytes`);
    }
    return text;
  }

  #broken(what: string): EdgeError {
    return new EdgeError('model.failed', {
      operation: 'complete',
      subject: this.#subject,
      message: `the server sent ${what}`,
    });
  }
}

type ToolPart = {
  readonly index?: number;
  readonly id?: unknown;
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown };
};

function toolParts(delta: Delta): readonly ToolPart[] {
  const parts: unknown = delta.tool_calls;
  if (!Array.isArray(parts)) return [];
  return parts.filter((part): part is ToolPart => typeof part === 'object' && part !== null);
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 1e9
    ? value
    : undefined;
}
