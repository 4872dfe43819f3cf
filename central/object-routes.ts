import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { EdgeError, LIMITS, type ObjectStanding } from '../contract/index.ts';
import { HASH_BYTES } from '../formats/merkle/index.ts';
import { eachBytes, readBytes, readJson } from './http-body.ts';
import type { ObjectDesk } from './object-desk.ts';
import type { Caller } from './require-own.ts';

export type Answer = {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
};

const OBJECT = /^\/link\/v2\/objects\/([0-9a-f]{32})(\/tree)?$/;
const READ = /^\/objects\/v1\/([0-9a-f]{32})$/;
const ROBOT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Objects in one list, and bytes in one answer; a reader asks for the next. */
const LISTED_MAX = 1_000;
const READ_BYTES_MAX = 8 * 1024 * 1024;

/** Endpoints of objects, by LINK.md; undefined: another request. `by`: the robot that asks. */
export async function objectAnswer(
  desk: ObjectDesk,
  request: IncomingMessage,
  path: string,
  query: URLSearchParams,
  by: Caller,
): Promise<Answer | undefined> {
  const { method } = request;
  if (method === 'POST' && path === '/link/v2/objects')
    return json(await desk.offer(await readJson(request), by));
  const [, id, tree] = OBJECT.exec(path) ?? [];
  if (method === 'PUT' && id !== undefined) {
    if (tree === undefined) return json(await put(desk, request, id, query, by));
    const leaves = await readBytes(request, LIMITS.LINK_PARTS_MAX * HASH_BYTES);
    return json(await desk.tree(id, leaves, by));
  }
  if (method !== 'GET') return undefined;
  if (path === '/link/v2/custody') return json(desk.custody(robotOf(query), query.get('head') ?? '', by));
  if (path === '/objects/v1') return json({ objects: list(desk, query) });
  const [, wanted] = READ.exec(path) ?? [];
  return wanted === undefined ? undefined : await read(desk, wanted, request.headers.range);
}

async function put(
  desk: ObjectDesk,
  request: IncomingMessage,
  id: string,
  query: URLSearchParams,
  by: Caller,
): Promise<ObjectStanding> {
  const intake = desk.put(id, whole(query, 'offset', Number.MAX_SAFE_INTEGER), by);
  const isComplete = await eachBytes(request, (bytes) => intake.take(bytes));
  if (isComplete) return await intake.end();
  await intake.settled();
  throw invalid('the body ended early; what came of it counts');
}

function list(desk: ObjectDesk, query: URLSearchParams) {
  return desk.list(robotOf(query), query.get('after') ?? '', whole(query, 'limit', LISTED_MAX, 100));
}

function robotOf(query: URLSearchParams): string {
  const robot = query.get('robot') ?? '';
  if (ROBOT.test(robot)) return robot;
  throw invalid('/robot: the name of a robot expected');
}

async function read(desk: ObjectDesk, id: string, range: string | undefined): Promise<Answer> {
  const [, first, last] = /^bytes=([0-9]{1,15})-([0-9]{0,15})$/.exec(range ?? 'bytes=0-') ?? [];
  if (first === undefined) throw invalid('range: bytes=FROM-TO expected');
  const from = Number(first);
  const most = from + READ_BYTES_MAX;
  const wanted = last === '' || last === undefined ? undefined : Number(last) + 1;
  const size = desk.locate(id, from, from + 1).bytes;
  const found = desk.locate(id, from, Math.min(most, wanted ?? size));
  const handle = await open(found.path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(found.to - found.from);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, found.from);
    return {
      status: 206,
      body: buffer.subarray(0, bytesRead),
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `bytes ${found.from}-${found.from + bytesRead - 1}/${found.bytes}`,
      },
    };
  } finally {
    await handle.close();
  }
}

function whole(query: URLSearchParams, name: string, maximum: number, otherwise?: number): number {
  const text = query.get(name);
  if (text === null && otherwise !== undefined) return otherwise;
  const value = /^[0-9]{1,16}$/.test(text ?? '') ? Number(text) : -1;
  if (value >= 0 && value <= maximum) return value;
  throw invalid(`/${name}: a whole number from 0 to ${maximum} expected`);
}

function json(value: unknown): Answer {
  return { status: 200, body: JSON.stringify(value) };
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'take object', subject: 'request', message });
}
