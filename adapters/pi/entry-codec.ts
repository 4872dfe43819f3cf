import { type BlobStore, EdgeError, LIMITS, parseJson, type SessionEntry } from '../../contract/core.ts';

type Json = Readonly<Record<string, unknown>>;

/** Entries above this go into the blob store, bytes; the event keeps their head. */
const ENTRY_BYTES_MAX = LIMITS.EVENT_PAYLOAD_BYTES_MAX / 2;
/** Characters of a stored entry that stay in its event, for people who look. */
const HEAD_CHARS = 200;
/** Times in a session are logical, one second per entry from here: the events around the entries say when. */
const EPOCH_MS = 1_700_000_000_000;

/**
 * A Pi entry as the log holds it: without ids (the event has them), without times, images by the hash of their blob.
 */
export async function toLog(entry: Json, blobs: BlobStore | undefined): Promise<Json> {
  const { id: _id, parentId: _parent, timestamp: _time, ...rest } = plain(entry);
  const timeless = withoutTime(rest);
  const pictured = (await mapImages(timeless, async (image) => {
    const bytes = Buffer.from(String(image['data'] ?? ''), 'base64');
    const sha256 = await blobsOf(blobs).put(bytes);
    return { type: 'image', mimeType: image['mimeType'], sha256, bytes: bytes.byteLength };
  })) as Json;
  const text = JSON.stringify(pictured);
  if (Buffer.byteLength(text) <= ENTRY_BYTES_MAX) return pictured;
  const bytes = Buffer.from(text);
  const stored = { sha256: await blobsOf(blobs).put(bytes), bytes: bytes.byteLength };
  return { type: pictured['type'], stored, text: headOf(pictured) };
}

/** The reverse. Rejects with `run.interrupted` when a blob is gone; a lost image becomes a text. */
export async function fromLog(
  logged: SessionEntry,
  index: number,
  blobs: BlobStore | undefined,
): Promise<Json> {
  const whole = await unstored(logged, blobs);
  const ms = EPOCH_MS + index * 1_000;
  const pictured = (await mapImages(whole, async (image) => {
    const sha256 = image['sha256'];
    if (typeof sha256 !== 'string') return image;
    const bytes = await blobs?.get(sha256).catch(() => undefined);
    if (!bytes) return { type: 'text', text: '[an image that is no longer kept]' };
    return { type: 'image', mimeType: image['mimeType'], data: Buffer.from(bytes).toString('base64') };
  })) as Json;
  const timed: Record<string, unknown> = { ...pictured };
  for (const key of ['message', 'systemMessage']) {
    if (isObject(timed[key])) timed[key] = { ...timed[key], timestamp: ms };
  }
  return {
    ...timed,
    id: logged.entryId,
    parentId: logged.parentId ?? null,
    timestamp: new Date(ms).toISOString(),
  };
}

async function unstored({ entryId, entry }: SessionEntry, blobs: BlobStore | undefined): Promise<Json> {
  const stored = entry['stored'];
  if (!isObject(stored)) return entry;
  const bytes = await blobs?.get(String(stored['sha256']));
  if (bytes) return parseJson(Buffer.from(bytes).toString('utf8')) as Json;
  throw new EdgeError('run.interrupted', {
    operation: 'restore session',
    subject: entryId,
    message: `entry ${entryId} is kept as a blob that is gone`,
    retryable: false,
  });
}

/** What JSON keeps of it. */
function plain(entry: Json): Json {
  return parseJson(JSON.stringify(entry)) as Json;
}

function withoutTime(entry: Json): Json {
  const timeless: Record<string, unknown> = { ...entry };
  for (const key of ['message', 'systemMessage']) {
    const part = timeless[key];
    if (!isObject(part)) continue;
    const { timestamp: _time, ...rest } = part;
    timeless[key] = rest;
  }
  return timeless;
}

/** Images stand in lists of content only: of a message, of an edit, of a message of an extension. */
async function mapImages(value: unknown, map: (image: Json) => Promise<Json>, depth = 0): Promise<unknown> {
  if (depth > 6 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return await Promise.all(value.map((one) => mapImages(one, map, depth + 1)));
  const object = value as Json;
  if (object['type'] === 'image' && ('data' in object || 'sha256' in object)) return await map(object);
  const copy: Record<string, unknown> = { ...object };
  for (const key of ['message', 'content', 'replacement']) {
    if (key in copy) copy[key] = await mapImages(copy[key], map, depth + 1);
  }
  return copy;
}

function headOf(entry: Json): string {
  const message = isObject(entry['message']) ? entry['message'] : entry;
  const content = message['content'] ?? entry['summary'] ?? '';
  if (typeof content === 'string') return content.slice(0, HEAD_CHARS);
  if (!Array.isArray(content)) return '';
  const text = content.flatMap((part) =>
    isObject(part) && typeof part['text'] === 'string' ? [part['text']] : [],
  );
  return text.join(' ').slice(0, HEAD_CHARS);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function blobsOf(blobs: BlobStore | undefined): BlobStore {
  if (blobs) return blobs;
  throw new EdgeError('log.failed', {
    operation: 'keep session entry',
    subject: 'blob store',
    message: 'an image or a large entry needs the blob store, which is not configured',
  });
}
