import type { ExtensionEvent } from '../../contract/core.ts';

/** Texts of a hook that go to a model, characters. */
const TEXT_CHARS_MAX = 64 * 1024;

/** What a hook may answer, checked; undefined: nothing that counts. A throw is a fault of the extension. */
type Rule = (answer: Readonly<Record<string, unknown>>) => Record<string, unknown> | undefined;

/** It listens; what it answers does not count. */
const listens: Rule = () => undefined;

/**
 * The hooks that a session on a robot has. An answer can only make an agent do less (block a call) or change what its
 * model reads; results, arguments, messages and ends stay what the log says they are.
 */
const RULES: Readonly<Record<ExtensionEvent, Rule>> = {
  session_start: listens,
  session_shutdown: listens,
  session_compact: listens,
  session_compact_failed: listens,
  agent_start: listens,
  agent_end: listens,
  agent_settled: listens,
  turn_start: listens,
  turn_end: listens,
  message_start: listens,
  message_update: listens,
  message_end: listens,
  tool_execution_start: listens,
  tool_execution_end: listens,
  before_agent_start: ({ systemPrompt }) =>
    systemPrompt === undefined ? undefined : { systemPrompt: text(systemPrompt, 'systemPrompt') },
  tool_call: ({ block, reason }) =>
    block === true ? { block, reason: reason === undefined ? 'blocked' : text(reason, 'reason') } : undefined,
  tool_result: ({ content }) => (content === undefined ? undefined : { content: parts(content, 'content') }),
  context: ({ messages }) => (messages === undefined ? undefined : { messages: messagesOf(messages) }),
  input: (answer) =>
    answer['action'] === 'transform'
      ? { action: 'transform', text: text(answer['text'], 'text') }
      : undefined,
};

export function isHook(event: string): event is ExtensionEvent {
  return Object.hasOwn(RULES, event);
}

/** What counts of the answer of a hook. Throws a TypeError that says what is wrong with it. */
export function judged(event: ExtensionEvent, answer: unknown): Record<string, unknown> | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  return RULES[event](answer as Record<string, unknown>);
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= TEXT_CHARS_MAX) return value;
  throw new TypeError(`${name} is not a text of at most ${TEXT_CHARS_MAX} characters`);
}

const ROLES = new Set(['user', 'assistant', 'toolResult', 'custom', 'compactionSummary', 'branchSummary']);

/** Messages go to a model as they are; an invalid message would fail the run. */
function messagesOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('messages is not a list');
  for (const message of value as readonly unknown[]) {
    if (typeof message !== 'object' || message === null) throw new TypeError('a message is not an object');
    const { role, content, summary } = message as Readonly<Record<string, unknown>>;
    if (typeof role !== 'string' || !ROLES.has(role)) throw new TypeError('a message has no role');
    if (typeof summary === 'string' || typeof content === 'string') continue;
    parts(content, `content of a message of ${role}`);
  }
  return structuredClone(value) as readonly unknown[];
}

function parts(value: unknown, name: string): readonly unknown[] {
  const fits = Array.isArray(value) && value.every(isPart);
  if (!fits) throw new TypeError(`${name} is not a list of texts, images and calls`);
  return structuredClone(value) as readonly unknown[];
}

function isPart(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false;
  const { type, ...rest } = part as Readonly<Record<string, unknown>>;
  if (type === 'text') return typeof rest['text'] === 'string' && rest['text'].length <= TEXT_CHARS_MAX;
  if (type === 'image') return typeof rest['data'] === 'string' && typeof rest['mimeType'] === 'string';
  if (type === 'thinking') return typeof rest['thinking'] === 'string';
  return type === 'toolCall' && typeof rest['id'] === 'string' && typeof rest['name'] === 'string';
}

/** What a hook is shown is a copy: what it does to it is its own affair. */
export function shownTo(event: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    try {
      shown[key] = structuredClone(value);
    } catch {
      // Functions and signals are not shown.
    }
  }
  return shown;
}
