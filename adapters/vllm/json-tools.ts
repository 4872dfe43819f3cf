import { type ModelRequest, type ModelTool, parseJson } from '../../contract/core.ts';
import { fencedText } from '../../formats/openai/index.ts';

/**
 * How calls of tools and answers by schema are asked for: `native` fields of the API, one JSON `schema`, or `text`.
 * `auto` is native, but a call that is forced goes by schema: vLLM 0.32 does not constrain the arguments of a forced
 * call in a stream (seen: `true`, `1.7`), while it keeps to a `response_format`.
 */
export type JsonMode = 'auto' | 'native' | 'schema' | 'text';

type Schema = Readonly<Record<string, unknown>>;

/** Marks around a call that a model says as text. */
const BEGIN = '<tool_call>';
const END = '</tool_call>';

/** Tools that a call may choose from. */
export function offered({
  tools = [],
  choices = tools,
  toolChoice = 'auto',
}: ModelRequest): readonly ModelTool[] {
  if (toolChoice === 'none') return [];
  if (typeof toolChoice === 'object') return choices.filter(({ name }) => name === toolChoice.name);
  return choices;
}

/** Whether an answer has to be a call. */
export function forced({ toolChoice = 'auto' }: ModelRequest): boolean {
  return toolChoice === 'required' || typeof toolChoice === 'object';
}

/** The effect of a mode on one request. */
export function modeFor(request: ModelRequest, mode: JsonMode): Exclude<JsonMode, 'auto'> {
  if (mode !== 'auto') return mode;
  return forced(request) && offered(request).length > 0 ? 'schema' : 'native';
}

/** The schema of an answer that is a call of one of the tools or, where none is forced, a text. */
export function choiceSchema(request: ModelRequest): Schema | undefined {
  const tools = offered(request);
  if (tools.length === 0) return undefined;
  const options: Schema[] = tools.map(({ name, parameters }) => ({
    type: 'object',
    properties: { tool: { const: name }, arguments: { ...parameters } },
    required: ['tool', 'arguments'],
    additionalProperties: false,
  }));
  if (!forced(request)) {
    options.push({
      type: 'object',
      properties: { answer: { type: 'string' } },
      required: ['answer'],
      additionalProperties: false,
    });
  }
  return options.length === 1 ? options[0]! : { anyOf: options };
}

/**
 * The prompt about tools for a model without tools in its chat format: all of them, whichever may be called now, so
 * that a conversation starts with the same words each time and servers need not read them again.
 */
export function toolInstructions(request: ModelRequest): string | undefined {
  const { choices: _now, ...ever } = request;
  const tools = offered(ever);
  if (offered(request).length === 0) return undefined;
  const lines = tools.map(
    ({ name, description, parameters }) =>
      `- ${name}: ${description} Arguments: ${JSON.stringify(parameters)}`,
  );
  const form = 'Answer with JSON only: {"tool": "<name>", "arguments": {…}} to use a tool';
  const text = forced(request) ? '.' : ', or {"answer": "<text>"} when you are done.';
  return `Tools:\n${lines.join('\n')}\n${form}${text}`;
}

export type FoundCall = { readonly name: string; readonly argumentsText: string };
export type ToldText = { readonly calls: readonly FoundCall[]; readonly text: string };

/**
 * Calls in an answer that is nothing but calls: JSON, in a code fence or in `<tool_call>` marks. JSON within prose is
 * prose: a model that quotes calls nothing. Names beyond `names` are no calls, where it is given. Pure.
 */
export function readToolText(answer: string, names: ReadonlySet<string> | undefined): ToldText {
  const none: ToldText = { calls: [], text: answer };
  const body = answer.trim();
  const { marked, beside } = readMarks(body);
  if (marked.length > 0) {
    if (beside.trim() !== '') return none;
    return callsOf(marked.map(parsed), names, none);
  }
  const value = parsed((fencedText(body) ?? body).replace(/^\[TOOL_CALLS\]\s*/, ''));
  if (isRecord(value) && Object.keys(value).length === 1 && typeof value['answer'] === 'string') {
    return { calls: [], text: value['answer'] };
  }
  return callsOf(Array.isArray(value) ? value : [value], names, none);
}

/** The text between `<tool_call>` and the next `</tool_call>`, and the text outside. In one pass over the text. */
function readMarks(text: string): { readonly marked: readonly string[]; readonly beside: string } {
  const marked: string[] = [];
  let beside = '';
  for (let at = 0; ; ) {
    const begin = text.indexOf(BEGIN, at);
    const end = begin < 0 ? -1 : text.indexOf(END, begin + BEGIN.length);
    if (end < 0) return { marked, beside: beside + text.slice(at) };
    beside += text.slice(at, begin);
    marked.push(text.slice(begin + BEGIN.length, end));
    at = end + END.length;
  }
}

function callsOf(
  values: readonly unknown[],
  names: ReadonlySet<string> | undefined,
  none: ToldText,
): ToldText {
  const calls: FoundCall[] = [];
  for (const value of values) {
    const call = callOf(value);
    if (call === undefined || names?.has(call.name) === false) return none;
    calls.push(call);
  }
  return calls.length === 0 ? none : { calls, text: '' };
}

function callOf(value: unknown): FoundCall | undefined {
  if (!isRecord(value)) return undefined;
  const inner = isRecord(value['function']) ? value['function'] : value;
  const name = inner['tool'] ?? inner['name'] ?? (inner === value ? value['function'] : undefined);
  const args = inner['arguments'] ?? inner['parameters'] ?? inner['args'];
  if (typeof name !== 'string' || args === undefined) return undefined;
  return { name, argumentsText: typeof args === 'string' ? args : JSON.stringify(args) };
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
