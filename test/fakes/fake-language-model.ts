import {
  EdgeError,
  type LanguageModel,
  type ModelAnswer,
  type ModelDelta,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
} from '../../contract/index.ts';

export type Reply =
  | (Partial<ModelAnswer> & { readonly fail?: undefined })
  | { readonly fail: EdgeError; readonly toldCall?: boolean };
export type ReplyOf = (request: ModelRequest, options: ModelOptions, call: number) => Reply | Promise<Reply>;

/** A model that says what its script says, in memory. */
export class FakeLanguageModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly asked: ModelRequest[] = [];
  readonly seen: ModelOptions[] = [];
  state: ModelHealth = { ok: true, reason: '', queueDepth: 0 };
  woken = 0;
  closed = false;
  readonly #reply: ReplyOf;

  constructor(name: string, reply: ReplyOf, info: Partial<ModelInfo> = {}) {
    this.info = {
      name,
      modelId: `served/${name}`,
      vision: false,
      tools: true,
      context: 8192,
      latency: 'any',
      costIn: 0,
      costOut: 0,
      ...info,
    };
    this.#reply = reply;
  }

  async complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    this.asked.push(request);
    this.seen.push(options);
    let told = '';
    const onDelta = (delta: ModelDelta) => {
      if (delta.kind === 'text') told += delta.text;
      options.onDelta?.(delta);
    };
    const reply = await this.#reply(request, { ...options, onDelta }, this.asked.length);
    if (reply.fail) {
      if (reply.toldCall) options.onDelta?.({ kind: 'tool_call', call: CALL });
      throw reply.fail;
    }
    const answer: ModelAnswer = {
      text: '',
      toolCalls: [],
      stopReason: 'stop',
      tokensIn: 10,
      tokensOut: 5,
      model: this.info.name,
      modelId: this.info.modelId,
      firstTokenMs: 1,
      ...reply,
    };
    // What its script told piece by piece is not told again.
    const rest = answer.text.startsWith(told) ? answer.text.slice(told.length) : answer.text;
    if (rest !== '') options.onDelta?.({ kind: 'text', text: rest });
    for (const call of answer.toolCalls) options.onDelta?.({ kind: 'tool_call', call });
    return answer;
  }

  async health(): Promise<ModelHealth> {
    return this.state;
  }

  async wake(): Promise<void> {
    this.woken += 1;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export const CALL = { id: 'call-0123456789', name: 'robot_drive', argumentsText: '{"metres":1}' };

export function down(message = 'the connection failed: ECONNREFUSED', cause?: unknown): { fail: EdgeError } {
  return {
    fail: new EdgeError('model.unavailable', { operation: 'complete', subject: 'm', message, cause }),
  };
}

export function babble(message = 'the answer does not fit'): { fail: EdgeError } {
  return { fail: new EdgeError('model.failed', { operation: 'complete', subject: 'm', message }) };
}
