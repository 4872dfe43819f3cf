import {
  type ChatRequest,
  EdgeError,
  LIMITS,
  type ModelMessage,
  type ModelTool,
  plainSchema,
  SchemaBudget,
  type ToolImage,
} from '../../contract/core.ts';

/** A request of the OpenAI API (`POST /v1/chat/completions`), in the types of the port. */
export type ChatAsk = {
  readonly request: ChatRequest;
  /** As it was asked for; `auto`: any model that fits. */
  readonly model: string;
  readonly stream: boolean;
  /** True: a last piece has the token counts (`stream_options.include_usage`). */
  readonly usage: boolean;
  /** Name for cancelling it, where there is no connection to close. */
  readonly call: string | undefined;
};

const MESSAGES_MAX = 512;
const TOOLS_MAX = 128;
const IMAGES_MAX = 16;
const TOKENS_MAX = 131_072;
const TOKENS_DEFAULT = 1_024;
const DEADLINE_MS_DEFAULT = 60_000;

/** Supported fields. `deadline_ms` and `call` are extensions of that API. */
const READ = new Set([
  ...['messages', 'model', 'max_tokens', 'max_completion_tokens', 'temperature', 'seed', 'stream'],
  ...['stream_options', 'tools', 'tool_choice', 'response_format', 'deadline_ms', 'call'],
]);
/** Fields that do not affect an answer. */
const IGNORED = new Set([
  'user',
  'metadata',
  'store',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'parallel_tool_calls',
]);
/** Fields that are supported only with their default: other values are refused. */
const FIXED: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  top_p: [1],
  presence_penalty: [0],
  frequency_penalty: [0],
  logprobs: [false],
  stop: [[]],
};

/** Throws `schema.invalid`, naming the field. Nothing is coerced. */
export function readChatAsk(body: unknown): ChatAsk {
  const root = asObject(body, '/');
  for (const [key, value] of Object.entries(root)) {
    if (READ.has(key) || IGNORED.has(key) || value === null) continue;
    const fixed = Object.hasOwn(FIXED, key) ? FIXED[key] : undefined;
    if (fixed?.some((one) => JSON.stringify(one) === JSON.stringify(value))) continue;
    throw invalid(
      `/${key}`,
      fixed ? `only the value ${JSON.stringify(fixed[0])} is supported` : 'unknown field',
    );
  }
  const given = Object.fromEntries(Object.entries(root).filter(([, value]) => value !== null));
  const maxTokens =
    whole(given['max_completion_tokens'], '/max_completion_tokens', TOKENS_MAX) ??
    whole(given['max_tokens'], '/max_tokens', TOKENS_MAX) ??
    TOKENS_DEFAULT;
  const { seed, tools, temperature = 1 } = given;
  if (typeof temperature !== 'number' || !(temperature >= 0 && temperature <= 2))
    throw invalid('/temperature', 'a number from 0 to 2');
  if (seed !== undefined && !(typeof seed === 'number' && Number.isSafeInteger(seed)))
    throw invalid('/seed', 'a whole number');
  const deadlineMs = given['deadline_ms'] ?? DEADLINE_MS_DEFAULT;
  if (typeof deadlineMs !== 'number' || !(deadlineMs > 0 && deadlineMs <= LIMITS.CHAT_DEADLINE_MS_MAX))
    throw invalid('/deadline_ms', `must be milliseconds above 0 and at most ${LIMITS.CHAT_DEADLINE_MS_MAX}`);
  const budget = new SchemaBudget({
    ...{ of: 'the request', partsMax: REQUEST_PARTS_MAX, charsMax: REQUEST_CHARS_MAX },
  });
  const answerSchema = readFormat(given['response_format'], budget);
  const model = text(given['model'] ?? 'auto', '/model', 128);
  const call = given['call'] === undefined ? undefined : text(given['call'], '/call', 64);
  const listed =
    tools === undefined ? [] : list(tools, '/tools', TOOLS_MAX).map((one, i) => readTool(one, i, budget));
  const toolChoice = readChoice(given['tool_choice'], listed);
  return {
    model,
    call,
    stream: flag(given['stream'], '/stream'),
    usage: flag(
      asObject(given['stream_options'] ?? {}, '/stream_options')['include_usage'],
      '/stream_options/include_usage',
    ),
    request: {
      ...{ messages: readMessages(given['messages']), maxTokens, temperature, deadlineMs },
      ...(listed.length === 0 ? {} : { tools: listed }),
      ...(toolChoice === undefined ? {} : { toolChoice }),
      ...(answerSchema === undefined ? {} : { answerSchema }),
      ...(seed === undefined ? {} : { seed: seed as number }),
    },
  };
}

function readMessages(value: unknown): ModelMessage[] {
  const messages = list(value, '/messages', MESSAGES_MAX);
  if (messages.length === 0) throw invalid('/messages', 'at least one message');
  let images = 0;
  return messages.map((one, i) => {
    const message = readMessage(one, `/messages/${i}`);
    images += message.images?.length ?? 0;
    if (images > IMAGES_MAX)
      throw invalid(`/messages/${i}`, `a request may have at most ${IMAGES_MAX} images`);
    return message;
  });
}

const ROLES: Readonly<Record<string, ModelMessage['role']>> = {
  ...{ system: 'system', developer: 'system', user: 'user', assistant: 'assistant', tool: 'tool' },
};

function readMessage(value: unknown, path: string): ModelMessage {
  const message = asObject(value, path);
  const { role: name, content, tool_calls: calls, tool_call_id: callId } = message;
  const role = typeof name === 'string' && Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (role === undefined) throw invalid(`${path}/role`, `one of ${Object.keys(ROLES).join(', ')}`);
  const { words, images } = readContent(content, `${path}/content`, role === 'assistant');
  if (role === 'tool' && typeof callId !== 'string')
    throw invalid(`${path}/tool_call_id`, 'the id of the call it answers');
  return {
    role,
    text: words,
    ...(images.length === 0 ? {} : { images }),
    ...(role === 'assistant' && calls !== undefined && calls !== null
      ? {
          toolCalls: list(calls, `${path}/tool_calls`, TOOLS_MAX).map((one, i) =>
            readCall(one, `${path}/tool_calls/${i}`),
          ),
        }
      : {}),
    ...(role === 'tool' ? { callId: callId as string } : {}),
  };
}

function readContent(value: unknown, path: string, mayLack: boolean): { words: string; images: ToolImage[] } {
  if (typeof value === 'string') return { words: value, images: [] };
  if ((value === null || value === undefined) && mayLack) return { words: '', images: [] };
  const words: string[] = [];
  const images: ToolImage[] = [];
  for (const [i, one] of list(value, path, MESSAGES_MAX).entries()) {
    const part = asObject(one, `${path}/${i}`);
    if (part['type'] === 'text')
      words.push(text(part['text'], `${path}/${i}/text`, LIMITS.CHAT_REQUEST_BYTES_MAX));
    else if (part['type'] === 'image_url')
      images.push(readImage(part['image_url'], `${path}/${i}/image_url`));
    else throw invalid(`${path}/${i}/type`, 'text or image_url');
  }
  return { words: words.join('\n'), images };
}

/** Only images in the request itself: this robot fetches nothing from addresses in requests. */
function readImage(value: unknown, path: string): ToolImage {
  const { url } = asObject(value, path);
  const data =
    typeof url === 'string' ? /^data:(image\/(?:jpeg|png));base64,([A-Za-z0-9+/]+={0,2})$/.exec(url) : null;
  if (!data)
    throw invalid(`${path}/url`, 'must be data:image/jpeg;base64,… or image/png; URLs are not fetched');
  return { mime: data[1] as ToolImage['mime'], data: new Uint8Array(Buffer.from(data[2]!, 'base64')) };
}

function readCall(value: unknown, path: string) {
  const call = asObject(value, path);
  const called = asObject(call['function'], `${path}/function`);
  return {
    id: text(call['id'], `${path}/id`, 128),
    name: text(called['name'], `${path}/function/name`, 128),
    argumentsText: text(called['arguments'], `${path}/function/arguments`, LIMITS.API_BODY_BYTES_MAX),
  };
}

function readTool(value: unknown, i: number, budget: SchemaBudget): ModelTool {
  const path = `/tools/${i}`;
  const tool = asObject(value, path);
  if (tool['type'] !== 'function') throw invalid(`${path}/type`, 'function');
  const told = asObject(tool['function'], `${path}/function`);
  const name = text(told['name'], `${path}/function/name`, 64);
  if (!/^[A-Za-z0-9_-]+$/.test(name))
    throw invalid(`${path}/function/name`, 'letters, digits, dash, underscore');
  return {
    name,
    description:
      told['description'] === undefined
        ? ''
        : text(told['description'], `${path}/function/description`, 8_192),
    parameters: readSchema(
      told['parameters'] ?? { type: 'object', properties: {} },
      `${path}/function/parameters`,
      budget,
    ),
  };
}

function readChoice(value: unknown, tools: readonly ModelTool[]): ChatRequest['toolChoice'] {
  if (value === undefined) return undefined;
  if (value === 'auto' || value === 'none') return value;
  if (tools.length === 0) throw invalid('/tool_choice', 'allowed only together with tools');
  if (value === 'required') return value;
  const name = text(
    asObject(asObject(value, '/tool_choice')['function'], '/tool_choice/function')['name'],
    '/tool_choice/function/name',
    64,
  );
  if (!tools.some((tool) => tool.name === name))
    throw invalid('/tool_choice/function/name', 'the name of one of the tools');
  return { name };
}

function readFormat(value: unknown, budget: SchemaBudget): ChatRequest['answerSchema'] {
  if (value === undefined) return undefined;
  const format = asObject(value, '/response_format');
  if (format['type'] === 'text') return undefined;
  if (format['type'] === 'json_object') return { type: 'object' };
  if (format['type'] !== 'json_schema')
    throw invalid('/response_format/type', 'text, json_object or json_schema');
  const told = asObject(format['json_schema'], '/response_format/json_schema');
  return readSchema(told['schema'], '/response_format/json_schema/schema', budget);
}

/** Characters of one schema, serialized, and how deep it may be. */
const SCHEMA_CHARS_MAX = 65_536;
const SCHEMA_DEPTH_MAX = 48;
/** Sub-schemas and characters that all schemas of a request unfold to: the same thread may drive a robot. */
const REQUEST_PARTS_MAX = 16_000;
const REQUEST_CHARS_MAX = 524_288;
/** An untrusted regular expression on the text of a model could block this process for hours. */
const REFUSED = new Set(['pattern', 'patternProperties', '$ref', '$dynamicRef']);
const NONE: ReadonlySet<string> = new Set();

/** An untrusted JSON Schema: answers of models are checked against it in this process, and models read it. */
function readSchema(value: unknown, path: string, request: SchemaBudget): Record<string, unknown> {
  const given = asObject(value, path);
  walk(given, path, 0, NONE);
  if (JSON.stringify(given).length > SCHEMA_CHARS_MAX)
    throw invalid(path, `at most ${SCHEMA_CHARS_MAX} characters`);
  const schema = asObject(plainSchema(given, path, new SchemaBudget({ within: request })), path);
  walk(schema, path, 0, REFUSED);
  return schema;
}

function walk(value: unknown, path: string, depth: number, refused: ReadonlySet<string>): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > SCHEMA_DEPTH_MAX) throw invalid(path, `at most ${SCHEMA_DEPTH_MAX} levels`);
  for (const [key, one] of Object.entries(value)) {
    // A property may have such a name; a keyword has text, or a table of them.
    const keyword = key === 'patternProperties' || typeof one === 'string';
    if (refused.has(key) && keyword) throw invalid(`${path}/${key}`, 'not allowed in a schema of a request');
    walk(one, `${path}/${key}`, depth + 1, refused);
  }
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalid(path, 'an object');
}

function list(value: unknown, path: string, max: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= max) return value;
  throw invalid(path, `a list of at most ${max}`);
}

function text(value: unknown, path: string, charsMax: number): string {
  if (typeof value === 'string' && value.length <= charsMax) return value;
  throw invalid(path, `text of at most ${charsMax} characters`);
}

function flag(value: unknown, path: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalid(path, 'true or false');
}

function whole(value: unknown, path: string, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw invalid(path, `a whole number from 1 to ${max}`);
}

function invalid(path: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'read request',
    subject: path.slice(0, 256),
    message: `${path.slice(0, 256)}: ${expected}`,
    hint: 'docs/inference.md lists the supported part of the OpenAI API',
  });
}
