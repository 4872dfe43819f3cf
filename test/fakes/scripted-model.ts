import {
  EdgeError,
  type LanguageModel,
  type ModelAnswer,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
} from '../../contract/index.ts';

/** What a script says to one request: words, calls, or a failure that it throws. */
export type Line = {
  readonly text?: string;
  readonly calls?: readonly {
    readonly name: string;
    readonly args?: unknown;
    readonly raw?: string;
    readonly id?: string;
  }[];
  readonly stop?: ModelAnswer['stopReason'];
};

/**
 * A model that answers by a script. The script sees the whole request and knows nothing else, as a server does: so
 * it says the same after a restart.
 */
export class ScriptedModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly requests: ModelRequest[] = [];
  readonly #script: (request: ModelRequest, count: number) => Line | Promise<Line>;

  constructor(
    script: (request: ModelRequest, count: number) => Line | Promise<Line>,
    info: Partial<ModelInfo> = {},
  ) {
    this.#script = script;
    this.info = {
      name: 'scripted',
      modelId: 'scripted-1',
      vision: true,
      tools: true,
      context: 128_000,
      latency: 'low',
      costIn: 0,
      costOut: 0,
      ...info,
    };
  }

  async complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    this.requests.push(request);
    const { signal } = options;
    if (signal?.aborted) throw new EdgeError('run.cancelled', { operation: 'complete', subject: 'scripted' });
    const line = await this.#script(request, this.requests.length);
    const { text = '', calls = [] } = line;
    if (text !== '') options.onDelta?.({ kind: 'text', text });
    const toolCalls = calls.map(({ name, args, raw, id }, index) => ({
      // Servers give the same ids again and again.
      id: id ?? `call_${index}`,
      name,
      argumentsText: raw ?? JSON.stringify(args ?? {}),
    }));
    for (const call of toolCalls) options.onDelta?.({ kind: 'tool_call', call });
    return {
      text,
      toolCalls,
      stopReason: line.stop ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'),
      tokensIn: Math.ceil(JSON.stringify(request.messages.map((message) => message.text)).length / 4),
      tokensOut: text.length,
      model: this.info.name,
      modelId: this.info.modelId,
    };
  }

  async health(): Promise<ModelHealth> {
    return { ok: true, reason: '', queueDepth: 0 };
  }

  async close(): Promise<void> {}
}

/** Answers of the model that the request holds: how far a conversation is. */
export function turnOf(request: ModelRequest): number {
  return request.messages.filter(({ role }) => role === 'assistant').length;
}
