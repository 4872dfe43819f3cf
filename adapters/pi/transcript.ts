import type { Message, TranscriptContext } from '@earendil-works/pi-ai';
import { type ModelMessage, type ModelToolCall, parseJson, type ToolImage } from '../../contract/core.ts';

/**
 * Number of images that a model gets at a time, the newest ones. Each costs about as much context as a page of text.
 */
const IMAGES_MAX = 4;

/** Deepest nesting of arguments that are kept as an object. */
const DEPTH_MAX = 32;

type Block = { readonly type: string } & Readonly<Record<string, unknown>>;

/** Kept with a call besides Pi's own fields: its arguments as the model sent them, where they are no object. */
export type RawArguments = { readonly rawArguments?: string };

/**
 * The messages of a transcript in the format of the model port. `system` goes first; images only for models that see.
 */
export function toMessages(
  system: string,
  { messages }: Pick<TranscriptContext, 'messages'>,
  vision: boolean,
): ModelMessage[] {
  const images = vision ? newestImages(messages) : new Set<unknown>();
  const turned = messages.flatMap((message) => toMessage(message, images));
  return system === '' ? turned : [{ role: 'system', text: system }, ...turned];
}

function toMessage(message: Message, shown: ReadonlySet<unknown>): ModelMessage[] {
  if (message.role === 'system') return [];
  const blocks = blocksOf(message.content);
  const text = blocks
    .map((block) => textOf(block, shown))
    .filter((part) => part !== '')
    .join('\n');
  const images = blocks.filter((block) => shown.has(block)).map(toImage);
  const seen = images.length > 0 ? { images } : {};
  if (message.role === 'toolResult') return [{ role: 'tool', text, callId: message.toolCallId, ...seen }];
  if (message.role === 'user') return [{ role: 'user', text, ...seen }];
  // A failed answer is no part of a conversation.
  if (message.stopReason === 'error' || message.stopReason === 'aborted') return [];
  const toolCalls = blocks.filter((block) => block.type === 'toolCall').map(toCall);
  if (text === '' && toolCalls.length === 0) return [];
  return [{ role: 'assistant', text, ...(toolCalls.length > 0 ? { toolCalls } : {}) }];
}

function textOf(block: Block, shown: ReadonlySet<unknown>): string {
  if (block.type === 'text') return String(block['text'] ?? '');
  if (block.type === 'image' && !shown.has(block)) return '[an image, not shown]';
  return '';
}

function toCall(block: Block): ModelToolCall {
  const raw = (block as RawArguments).rawArguments;
  return {
    id: String(block['id']),
    name: String(block['name']),
    argumentsText: raw ?? JSON.stringify(block['arguments'] ?? {}),
  };
}

function toImage(block: Block): ToolImage {
  const mime = block['mimeType'] === 'image/png' ? 'image/png' : 'image/jpeg';
  return { mime, data: new Uint8Array(Buffer.from(String(block['data'] ?? ''), 'base64')) };
}

function newestImages(messages: readonly Message[]): Set<unknown> {
  const all = messages
    .filter((message) => message.role === 'user' || message.role === 'toolResult')
    .flatMap((message) => blocksOf(message.content))
    .filter((block) => block.type === 'image' && typeof block['data'] === 'string');
  return new Set(all.slice(-IMAGES_MAX));
}

function blocksOf(content: unknown): readonly Block[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? (content as Block[]) : [];
}

/** What the model sent as the arguments of a call, parsed and not coerced; its text where it is no JSON. */
export function argumentsOf(block: Block): unknown {
  const raw = (block as RawArguments).rawArguments;
  if (raw === undefined) return block['arguments'];
  try {
    return parseJson(raw) as unknown;
  } catch {
    return raw;
  }
}

/** The arguments of a call as Pi holds them: an object that JSON can hold, and the text where it was not. */
export function heldArguments(text: string): { arguments: Record<string, unknown> } & RawArguments {
  if (text.trim() === '') return { arguments: {} };
  try {
    const parsed = parseJson(text) as unknown;
    if (typeof parsed === 'object' && !Array.isArray(parsed) && isTold(parsed, 0))
      return { arguments: parsed as Record<string, unknown> };
  } catch {
    // No JSON: kept as text.
  }
  return { arguments: {}, rawArguments: text };
}

/** Numbers beyond those of JSON (1e999) and bottomless nesting are kept as text too. */
function isTold(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value !== 'object') return depth > 0;
  return depth < DEPTH_MAX && Object.values(value).every((one) => isTold(one, depth + 1));
}
