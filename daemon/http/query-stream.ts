import { Readable } from 'node:stream';
import {
  EdgeError,
  type LakePage,
  type LakeQueryRequest,
  type LakeReadReply,
  LIMITS,
  METHODS,
} from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';
import { toJson } from './to-json.ts';

/** A page has the remaining time of the statement; the deadline here is later, so that the better error arrives. */
const PAGE_MS = LIMITS.LAKE_QUERY_MS + 3_000;

export const NDJSON = 'application/x-ndjson';

/** Whether an Accept header asks for lines. Otherwise the answer is JSON. */
export function wantsLines(accept: string | undefined): boolean {
  return accept?.split(',').some((one) => one.split(';')[0]?.trim().toLowerCase() === NDJSON) ?? false;
}

/**
 * The rows of a statement as lines of JSON: `{columns}`, then one array per row, then `{end}` with what was left out,
 * or `{error}`. The client sets the pace: a page is fetched from the lake when the one before it is taken. Rejects as
 * the lake does until the first page is there, so a statement that fails at once has its status.
 */
export async function queryLines(bus: HttpPorts['bus'], body: LakeQueryRequest): Promise<Readable> {
  const { read, readNext, readClose } = METHODS.memory;
  const { readId, columns } = await bus.request('memory', read, body, PAGE_MS);
  const next = () => bus.request('memory', readNext, { readId }, PAGE_MS);
  const first = await next();
  const lines = Readable.from(toLines(columns, first, next), { objectMode: false, highWaterMark: 0 });
  // Closing what was read to its end is no error, and a client that went away waits for nothing.
  lines.once('close', () => void bus.request('memory', readClose, { readId }).catch(() => {}));
  return lines;
}

async function* toLines(
  columns: LakeReadReply['columns'],
  first: LakePage,
  next: () => Promise<LakePage>,
): AsyncGenerator<string> {
  yield `${toJson({ columns })}\n`;
  const sum = { rows: 0, bytes: 0, cut: 0 };
  try {
    for (let page = first; ; page = await next()) {
      sum.rows += page.rows.length;
      sum.bytes += page.bytes;
      sum.cut += page.cut;
      const end = page.end ? `${toJson({ end: { ...page.end, ...sum } })}\n` : '';
      yield page.rows.map((row) => `${toJson(row)}\n`).join('') + end;
      if (page.end) return;
    }
  } catch (thrown) {
    // The status is sent already: the last line says it.
    const error = EdgeError.from(thrown, 'lake.failed', 'lake.query', 'statement');
    yield `${toJson({ error: error.toBody() })}\n`;
  }
}
