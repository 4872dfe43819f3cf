/** Rows of a statement as they come. */
import { call, Refusal, send } from '../lib/api.ts';
import type { Answer, Column } from './rows.ts';
import type { Catalogue } from './words.ts';

type Fault = { readonly message: string; readonly hint?: string; readonly code?: string };
type End = {
  readonly truncated: boolean;
  readonly reason: string;
  readonly cut: number;
  readonly notes?: readonly string[];
};
type Line =
  | { readonly columns: readonly Column[] }
  | { readonly end: End }
  | { readonly error: Fault }
  | readonly unknown[];

/** A statement has 30 s of the lake; the rest is for its rows. */
const ANSWER_MS = 120_000;
const CATALOGUE_SQL = `SELECT lower(table_name) AS name, list(column_name ORDER BY column_index) AS columns
FROM duckdb_columns() WHERE database_name = 'lake' GROUP BY ALL ORDER BY name`;

/** `progress` gets the number of rows so far. Rejects with what the API says; ends where `signal` aborts. */
export async function ask(
  sql: string,
  limit: number,
  signal: AbortSignal,
  progress: (rows: number) => void,
): Promise<Answer> {
  const from = performance.now();
  const response = await call('/v1/query', {
    ...{ method: 'POST', answerMs: ANSWER_MS, signal },
    headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
    body: JSON.stringify({ sql, limit }),
  });
  if (!response.ok) throw faultOf((await response.json().catch(() => ({}))) as Fault, response.status);
  let columns: readonly Column[] = [];
  const rows: (readonly unknown[])[] = [];
  for await (const line of linesOf(response)) {
    if (Array.isArray(line)) {
      rows.push(line);
      if (rows.length % 500 === 0) progress(rows.length);
    } else if ('columns' in line) ({ columns } = line);
    else if ('error' in line) throw faultOf(line.error, response.status);
    else if ('end' in line)
      return { columns, rows, notes: notesOf(line.end), tookMs: performance.now() - from };
  }
  throw new Error('the daemon went away in the middle of its answer');
}

async function* linesOf(response: Response): AsyncGenerator<Line> {
  let rest = '';
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as Line;
    }
  } finally {
    // The robot ends the statement when its reader is gone.
    void reader.cancel().catch(() => {});
  }
}

function faultOf({ message, hint, code }: Fault, status: number): Refusal {
  const words = message ?? `the robot answered ${status}`;
  return new Refusal(hint ? `${words} (${hint})` : words, status, code);
}

function notesOf({ truncated, reason, cut, notes = [] }: End): string[] {
  return [
    ...(truncated ? [`there are more rows: ${reason}`] : []),
    ...(cut > 0 ? [`${cut} long values are cut`] : []),
    ...notes.map((note) => `missing: ${note}`),
  ];
}

/** Tables and views of the lake with their columns. */
export async function readCatalogue(): Promise<Catalogue> {
  const { rows } = await send<{ rows: readonly (readonly [string, readonly string[]])[] }>('/v1/query', {
    ...{ sql: CATALOGUE_SQL, limit: 2_000 },
  });
  return new Map(rows.map(([name, columns]) => [name, columns]));
}
