import type OpenAI from 'openai';
import { type ModelMessage, type ModelRequest, parseJson, type ToolImage } from '../../contract/core.ts';
import { choiceSchema, type modeFor, toolInstructions } from './json-tools.ts';

type Params = OpenAI.Chat.ChatCompletionCreateParamsStreaming;
type Message = OpenAI.Chat.ChatCompletionMessageParam;
type Part = OpenAI.Chat.ChatCompletionContentPart;

/**
 * One request as an OpenAI-compatible server takes it. Constraints go by `response_format`: vLLM takes the older
 * `guided_json` and similar fields silently and ignores them. Pure.
 */
export function requestBody(
  request: ModelRequest,
  modelId: string,
  mode: ReturnType<typeof modeFor>,
): Params {
  const { tools = [], toolChoice, answerSchema, maxTokens, temperature, seed, thinking } = request;
  const native = mode === 'native';
  const withTools = tools.length > 0;
  const schema = withTools && !native ? choiceSchema(request) : undefined;
  const constraint = schema ?? (withTools && toolChoice !== 'none' ? undefined : answerSchema);
  return {
    model: modelId,
    messages: native ? request.messages.flatMap(nativeMessages) : plainMessages(request),
    max_tokens: maxTokens,
    temperature,
    ...(seed === undefined ? {} : { seed }),
    ...(thinking === undefined ? {} : { reasoning_effort: effortOf(thinking) }),
    stream: true,
    stream_options: { include_usage: true },
    ...(native && withTools ? nativeTools(request) : {}),
    ...(constraint === undefined || mode === 'text' ? {} : { response_format: responseFormat(constraint) }),
  };
}

/** The API calls no thinking `none`, and its word for the most is younger than most servers. */
function effortOf(thinking: NonNullable<ModelRequest['thinking']>): NonNullable<Params['reasoning_effort']> {
  if (thinking === 'off') return 'none';
  return thinking === 'xhigh' ? 'high' : thinking;
}

function responseFormat(schema: Readonly<Record<string, unknown>>): NonNullable<Params['response_format']> {
  return { type: 'json_schema', json_schema: { name: 'answer', schema: { ...schema }, strict: true } };
}

function nativeTools(request: ModelRequest): Pick<Params, 'tools' | 'tool_choice'> {
  const { tools = [], choices = tools, toolChoice = 'auto' } = request;
  return {
    tools: choices.map(({ name, description, parameters }) => ({
      type: 'function',
      function: { name, description, parameters: { ...parameters } },
    })),
    tool_choice:
      typeof toolChoice === 'object' ? { type: 'function', function: { name: toolChoice.name } } : toolChoice,
  };
}

function nativeMessages(message: ModelMessage): Message[] {
  const { role, text, images = [] } = message;
  if (role === 'system') return [{ role, content: text }];
  if (role === 'user') return [{ role, content: withImages(text, images) }];
  if (role === 'assistant') {
    const calls = (message.toolCalls ?? []).map(({ id, name, argumentsText }) => ({
      id,
      type: 'function' as const,
      function: { name, arguments: argumentsObject(argumentsText) },
    }));
    return [{ role, content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }];
  }
  const result: Message = { role: 'tool', tool_call_id: message.callId ?? '', content: text };
  // The API has no images in results: they follow as a user message.
  if (images.length === 0) return [result];
  return [result, { role: 'user', content: withImages('Images of this result:', images) }];
}

/** Chat formats of servers parse earlier arguments and fail on what is no object. */
function argumentsObject(text: string): string {
  try {
    const value: unknown = parseJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch {
    // said below
  }
  return JSON.stringify({ malformed: text });
}

/** For chat formats that know neither tools nor results: both as text. */
function plainMessages(request: ModelRequest): Message[] {
  const instructions = toolInstructions(request);
  const messages = request.messages.map((message): Message => {
    const { role, text, images = [] } = message;
    if (role === 'system') return { role, content: text };
    if (role === 'user') return { role, content: withImages(text, images) };
    if (role === 'tool') {
      return {
        role: 'user',
        content: withImages(`Result of ${message.callId ?? 'the tool'}: ${text}`, images),
      };
    }
    const calls = (message.toolCalls ?? []).map(
      ({ name, argumentsText }) =>
        `{"tool": ${JSON.stringify(name)}, "arguments": ${argumentsObject(argumentsText)}}`,
    );
    return { role, content: [text, ...calls].filter((part) => part !== '').join('\n') };
  });
  if (instructions === undefined) return messages;
  const [first, ...rest] = messages;
  if (first?.role === 'system' && typeof first.content === 'string') {
    return [{ role: 'system', content: `${first.content}\n\n${instructions}` }, ...rest];
  }
  return [{ role: 'system', content: instructions }, ...messages];
}

function withImages(text: string, images: readonly ToolImage[]): string | Part[] {
  if (images.length === 0) return text;
  return [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...images.map(({ mime, data }) => ({
      type: 'image_url' as const,
      image_url: { url: `data:${mime};base64,${Buffer.from(data).toString('base64')}` },
    })),
  ];
}
