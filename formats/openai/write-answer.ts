import { type ChatEnd, EdgeError, type ErrorBody, type ModelDelta } from '../../contract/core.ts';

/** Fields of each piece of one answer: `id` of the call, seconds since the epoch, the model that was asked for. */
export type ChatHead = { readonly id: string; readonly created: number; readonly model: string };

type Good = Extract<ChatEnd, { readonly ok: true }>;

/** `chat.completion`: the whole answer. */
export function completionBody(head: ChatHead, end: Good): object {
  const { text, toolCalls, stopReason } = end;
  const message = {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(callBody) }),
  };
  return {
    id: `chatcmpl-${head.id}`,
    object: 'chat.completion',
    created: head.created,
    model: end.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: stopReason }],
    usage: usageBody(end),
  };
}

/** Writes an answer as pieces, `chat.completion.chunk`, in the order in which a client expects them. */
export class ChunkWriter {
  readonly #head: ChatHead;
  #begun = false;
  #calls = 0;
  /** Text that went out. */
  #told = '';

  constructor(head: ChatHead) {
    this.#head = head;
  }

  /** Thoughts are no part of that API: they are left out. */
  delta(delta: ModelDelta): object | undefined {
    if (delta.kind !== 'tool_call') {
      if (delta.kind === 'thinking') return undefined;
      this.#told += delta.text;
      return this.#chunk({ ...this.#role(), content: delta.text }, null);
    }
    const call = { index: this.#calls, ...callBody(delta.call) };
    this.#calls += 1;
    return this.#chunk({ ...this.#role(), tool_calls: [call] }, null);
  }

  /**
   * What ends the answer; with `usage` a last piece says what it cost. Throws `model.failed` where pieces went out that
   * do not belong to it, as those of a model that failed before another one answered: they cannot be taken back.
   */
  end(end: Good, usage: boolean): object[] {
    const rest = this.#rest(end);
    const pieces: object[] = rest === '' ? [] : [this.#chunk({ ...this.#role(), content: rest }, null)];
    pieces.push(this.#chunk(this.#role(), end.stopReason));
    if (usage) pieces.push({ ...this.#frame(), choices: [], usage: usageBody(end) });
    return pieces;
  }

  /** Text of the answer that did not go out yet. */
  #rest({ text, toolCalls, model }: Good): string {
    // Half a character is no text that can be kept: in the answer it is fixed already.
    const told = this.#told.toWellFormed();
    if (text.startsWith(told)) return text.slice(told.length);
    // Calls that a model sent as text were streamed as text first; they are still calls.
    if (text === '' && toolCalls.length > 0) return '';
    throw new EdgeError('model.failed', {
      operation: 'chat',
      subject: model,
      message:
        'the text received so far is not part of the answer: the first model failed and another one continued',
      hint: 'discard the received text and send the request again, or send it without stream',
    });
  }

  #role(): object {
    if (this.#begun) return {};
    this.#begun = true;
    return { role: 'assistant' };
  }

  #chunk(delta: object, finish: string | null): object {
    return { ...this.#frame(), choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] };
  }

  #frame() {
    const { id, created, model } = this.#head;
    return { id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created, model };
  }
}

/** An error in the format of that API. It contains the whole EdgeError. */
export function chatErrorBody(error: ErrorBody): object {
  return { error: { ...error, message: error.message, type: typeOf(error.code), param: null } };
}

function typeOf(code: string): string {
  if (code === 'schema.invalid') return 'invalid_request_error';
  if (code === 'quota.exceeded' || code === 'cell.overloaded') return 'rate_limit_error';
  return code.startsWith('policy.') || code.startsWith('api.') ? 'permission_error' : 'server_error';
}

function callBody({ id, name, argumentsText }: Good['toolCalls'][number]): object {
  return { id, type: 'function', function: { name, arguments: argumentsText } };
}

function usageBody({ tokensIn, tokensOut }: Good): object {
  return { prompt_tokens: tokensIn, completion_tokens: tokensOut, total_tokens: tokensIn + tokensOut };
}
