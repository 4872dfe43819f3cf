import { type Checker, EdgeError, LIMITS, type ToolAnswer, type ToolImage } from '../../contract/index.ts';
import { foreignText } from './foreign-text.ts';

/** The parts of a result that are used; nothing in it is trusted. */
export type ForeignResult = {
  readonly content?: unknown;
  readonly structuredContent?: unknown;
  readonly isError?: unknown;
};

/**
 * The answer of a server, made safe for an agent: its text is cut to size, its structure checked against the
 * promised schema, and the type of images taken from their bytes. Throws `tool.failed` where the server says that the
 * tool failed, `mcp.failed` where it broke its promise.
 */
export function answerOf(
  result: ForeignResult,
  name: string,
  bytesMax: number,
  promised: Checker<unknown> | undefined,
): ToolAnswer {
  const notes: string[] = [];
  const images: ToolImage[] = [];
  const texts: string[] = [];
  const blocks = Array.isArray(result.content) ? result.content.slice(0, 1_000) : [];
  for (const block of blocks) take(block as Record<string, unknown>, texts, images, notes);
  const whole = texts.join('\n');
  if (result.isError === true) {
    const message = foreignText(whole, 2_048);
    throw new EdgeError('tool.failed', {
      operation: 'call',
      subject: name,
      message: message || 'the server says that it failed',
      retryable: false,
    });
  }
  const structured = result.structuredContent;
  if (promised && structured === undefined) throw lied(name, 'it promised structured content and gave none');
  let room = bytesMax;
  if (structured !== undefined) {
    // Before it is checked: a check takes longer the more they send.
    const bytes = Buffer.byteLength(JSON.stringify(structured) ?? '');
    if (bytes > bytesMax) throw lied(name, `its result has ${bytes} bytes, at most ${bytesMax} are taken`);
    // The place of the fault is not searched: that would match patterns on texts that are too long for them.
    if (promised && !promised.is(structured))
      throw lied(name, 'its result does not fit the schema it promised');
    room -= bytes;
  }
  const text = cutBytes(foreignText(whole, whole.length + 6), room);
  return {
    result: {
      text,
      ...(structured === undefined ? {} : { structured }),
      ...(notes.length === 0 ? {} : { notes: notes.slice(0, 16) }),
    },
    ...(images.length === 0 ? {} : { images }),
  };
}

function take(block: Record<string, unknown>, texts: string[], images: ToolImage[], notes: string[]): void {
  const { type } = block ?? {};
  if (type === 'text' && typeof block['text'] === 'string') texts.push(block['text']);
  else if (type === 'image') takeImage(block['data'], images, notes);
  else if (type === 'resource') takeResource(block['resource'], texts, notes);
  else if (type === 'resource_link') notes.push(`link: ${foreignText(String(block['uri']), 256)}`);
  else notes.push(`left out: ${foreignText(String(type), 32)}`);
}

function takeResource(resource: unknown, texts: string[], notes: string[]): void {
  const { text, uri } = (resource ?? {}) as Record<string, unknown>;
  if (typeof text === 'string') texts.push(text);
  else notes.push(`left out: ${foreignText(String(uri), 256)}`);
}

/** The first bytes of an image give its type. */
function takeImage(data: unknown, images: ToolImage[], notes: string[]): void {
  if (images.length >= LIMITS.MCP_IMAGES_MAX) return void notes.push('left out: a further image');
  if (typeof data !== 'string' || data.length > (LIMITS.MCP_IMAGE_BYTES_MAX * 4) / 3)
    return void notes.push('left out: an image that is too large');
  const bytes = Buffer.from(data, 'base64');
  const png = bytes.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
  if (png || jpeg) images.push({ mime: png ? 'image/png' : 'image/jpeg', data: new Uint8Array(bytes) });
  else notes.push('left out: an image that is neither PNG nor JPEG');
}

function cutBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  const kept = bytes
    .subarray(0, Math.max(0, bytesMax - 64))
    .toString()
    .replace(/\ufffd$/, '');
  return `${kept} [cut: ${bytes.length} bytes in all]`;
}

export function lied(name: string, message: string): EdgeError {
  return new EdgeError('mcp.failed', { operation: 'call', subject: name, message, retryable: false });
}
