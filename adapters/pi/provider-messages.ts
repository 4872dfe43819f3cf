import type { AssistantMessage, Context, Message, Model, Tool } from '@earendil-works/pi-ai';
import type { ModelAnswer, ModelMessage, ModelRequest, ModelToolCall } from '../../contract/core.ts';
import { heldArguments } from './transcript.ts';

/** A request in the format of Pi's providers. `now`: milliseconds, which they do not send. */
export function toContext(request: ModelRequest, model: Model<string>, now: number): Context {
  const { messages, tools: all = [], choices: tools = all, answerSchema } = request;
  const system = messages.filter(({ role }) => role === 'system').map(({ text }) => text);
  if (answerSchema)
    system.push(
      `Answer with JSON that satisfies this schema, and nothing else:\n${JSON.stringify(answerSchema)}`,
    );
  const names = new Map(
    messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id, name }) => [id, name] as const)),
  );
  return {
    systemPrompt: system.join('\n\n'),
    messages: messages.flatMap((message) => toMessage(message, model, names, now)),
    ...(tools.length > 0 && request.toolChoice !== 'none' ? { tools: tools as unknown as Tool[] } : {}),
  };
}

function toMessage(
  message: ModelMessage,
  model: Model<string>,
  names: ReadonlyMap<string, string>,
  timestamp: number,
): Message[] {
  const { role, text, images = [], toolCalls = [], callId = '' } = message;
  const blocks = [
    ...(text === '' && images.length > 0 ? [] : [{ type: 'text' as const, text }]),
    ...images.map(({ mime, data }) => ({
      type: 'image' as const,
      mimeType: mime,
      data: Buffer.from(data).toString('base64'),
    })),
  ];
  if (role === 'user') return [{ role, content: blocks, timestamp }];
  if (role === 'tool')
    return [
      {
        role: 'toolResult',
        toolCallId: callId,
        toolName: names.get(callId) ?? 'tool',
        content: blocks,
        isError: false,
        timestamp,
      },
    ];
  if (role === 'system') return [];
  const calls = toolCalls.map(({ id, name, argumentsText }) => {
    const held = heldArguments(argumentsText).arguments as Record<string, never>;
    return { type: 'toolCall' as const, id, name, arguments: held };
  });
  const { api, provider } = model;
  const said = text === '' ? [] : [{ type: 'text' as const, text }];
  const answer: AssistantMessage = {
    role: 'assistant',
    content: [...said, ...calls],
    api,
    provider,
    model: model.id,
    usage: {
      input: 0,
      output: 0,
      cacheRead: 0,
      cacheWrite: 0,
      totalTokens: 0,
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
    },
    stopReason: calls.length > 0 ? 'toolUse' : 'stop',
    timestamp,
  };
  return [answer];
}

/** The answer of a provider in the format of the port. `raw`: arguments as they came, by the place of their call. */
export function toAnswer(
  message: AssistantMessage,
  raw: ReadonlyMap<number, string>,
  name: string,
  modelId: string,
): ModelAnswer {
  const text = message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const seen = new Set<string>();
  const toolCalls = message.content.flatMap((part, index): ModelToolCall[] => {
    if (part.type !== 'toolCall') return [];
    const id = part.id === '' || seen.has(part.id) ? `${part.id}#${index}` : part.id;
    seen.add(id);
    // Pi fixes broken JSON; the gate judges the text that the model sent.
    const told = raw.get(index);
    return [{ id, name: part.name, argumentsText: told?.trim() ? told : JSON.stringify(part.arguments) }];
  });
  const { input, cacheRead, cacheWrite, output } = message.usage;
  const stopReason =
    message.stopReason === 'length' ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop';
  return {
    text,
    toolCalls,
    stopReason,
    tokensIn: input + cacheRead + cacheWrite,
    tokensOut: output,
    model: name,
    modelId: message.responseModel ?? modelId,
  };
}
