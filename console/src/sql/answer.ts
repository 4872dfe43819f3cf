/** Rows of a statement as they come, and what is made of them. Reads lines; everything else is pure. */
import { call, Refusal, send } from '../lib/api.ts';
import type { Catalogue } from './words.ts';

export type Column = { readonly name: string; readonly type: string };
export type Answer = {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly unknown[])[];
  /** What is missing, in words of the API. */
  readonly notes: readonly string[];
  readonly tookMs: number;
};
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

export const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

/** RFC 4180, for spreadsheets too: no value starts a formula. */
export function csvOf({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const value = (one: unknown) => {
    const text = textOf(one);
    return cell(typeof one === 'string' && /^[=+@\t\r-]/.test(text) && !isNumber(text) ? `'${text}` : text);
  };
  const lines = rows.map((row) => row.map(value).join(','));
  return [columns.map(({ name }) => cell(name)).join(','), ...lines, ''].join('\r\n');
}

const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));
const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL(\(\d+,\d+\))?)$/i;
const TIME = /^(TIMESTAMP\w*( WITH TIME ZONE)?|DATE)$/i;

/** Seconds for times, numbers as they are; NaN where a value is missing. */
export function numberOf(value: unknown, { type }: Column): number {
  if (value === null || value === undefined || value === '') return Number.NaN;
  if (!TIME.test(type)) return Number(value);
  const text = String(value).replace(' ', 'T');
  return Date.parse(/[zZ]|[+-]\d\d(:?\d\d)?$/.test(text) ? text : `${text}Z`) / 1_000;
}

export const isTime = ({ type }: Column): boolean => TIME.test(type);
/** Columns that a chart can show. */
export const isDrawable = (column: Column): boolean => NUMBER.test(column.type) || isTime(column);
