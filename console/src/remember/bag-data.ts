/** What the lakehouse and the files of the robot say of its recordings. */
import { call, Refusal, send } from '../lib/api.ts';
import type { SegmentFacts } from './bag-reader.ts';
import { MARK_COLUMNS, MARK_FILTER, type Mark, marksOf } from './marks.ts';
import type { FetchRange } from './segment-file.ts';

type Row = Readonly<Record<string, unknown>>;
type Answer = {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
};

/** A recording as the list shows it; times in nanoseconds of its own clock. */
export type Recording = {
  readonly bag: string;
  readonly segments: number;
  readonly messages: number;
  readonly bytes: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** When its last segment was sealed, by the clock of the host. */
  readonly sealedMs: number;
  readonly dropped: number;
  /** Why there is this recording: label of an episode, cause of a clip. */
  readonly label: string;
  readonly notes: number;
};

const EVENTS_TOPIC = '/auraison/events';
const QUERY_MS = 30_000;
const RECORDINGS_MAX = 500;
const SEGMENTS_MAX = 5_000;
const MARKS_MAX = 5_000;
const RANGE_MS = 60_000;
/** Parts of other pages are read at the moment: how often and how long it is tried again. */
const TRIES = 6;
const AGAIN_MS = 700;

export const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

async function rowsOf(sql: string, limit: number, signal?: AbortSignal): Promise<Row[]> {
  const options = { answerMs: QUERY_MS, ...(signal ? { signal } : {}) };
  const { columns, rows } = await send<Answer>('/v1/query', { sql, limit }, options);
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
}

const wide = (value: unknown) => BigInt(typeof value === 'string' || typeof value === 'number' ? value : 0);
const words = (value: unknown) => (typeof value === 'string' ? value : '');

/** All recordings, the newest first. */
export async function readRecordings(): Promise<Recording[]> {
  const rows = await rowsOf(
    `SELECT bag, segments, messages, bytes, epoch_ns(start_time) AS start_ns, epoch_ns(end_time) AS end_ns, dropped,
  epoch_ms(sealed) AS sealed_ms, trim(concat_ws(' ', clip, episode)) AS label, coalesce(notes, 0) AS notes
FROM bags JOIN (SELECT bag, max(ts) AS sealed FROM segments GROUP BY bag) USING (bag)
LEFT JOIN (SELECT bag, any_value('clip: ' || coalesce(nullif(reason, ''), "trigger")) AS clip FROM clips GROUP BY bag) USING (bag)
LEFT JOIN (SELECT bag, any_value('episode: ' || label || CASE success WHEN true THEN ' ✓' WHEN false THEN ' ✗' ELSE '' END)
  AS episode FROM episodes GROUP BY bag) USING (bag)
LEFT JOIN (SELECT bag, count(*) AS notes FROM annotations GROUP BY bag) USING (bag)
ORDER BY sealed DESC, bag`,
    RECORDINGS_MAX,
  );
  return rows.map((row) => ({
    bag: words(row['bag']),
    segments: Number(row['segments']),
    messages: Number(row['messages']),
    bytes: Number(row['bytes']),
    startNs: wide(row['start_ns']),
    endNs: wide(row['end_ns']),
    sealedMs: Number(row['sealed_ms']),
    dropped: Number(row['dropped']),
    label: words(row['label']),
    notes: Number(row['notes']),
  }));
}

/** Sealed segments of a recording that are still there, the oldest first. */
export async function readSegments(bag: string, signal: AbortSignal): Promise<SegmentFacts[]> {
  const rows = await rowsOf(
    `SELECT path, bytes, epoch_ns(start_time) AS start_ns, epoch_ns(end_time) AS end_ns
FROM (SELECT DISTINCT ON (path) * FROM segments WHERE bag = ${quoted(bag)}
  AND path NOT IN (SELECT path FROM evictions WHERE bag = ${quoted(bag)}) ORDER BY path, seq DESC) ORDER BY start_time, path`,
    SEGMENTS_MAX,
    signal,
  );
  return rows.map((row) => ({
    file: words(row['path']).split('/').at(-1)!,
    bytes: Number(row['bytes']),
    startNs: wide(row['start_ns']),
    endNs: wide(row['end_ns']),
  }));
}

/** What was decided while this was recorded; `more`: the first of more. */
export async function readMarks(
  bag: string,
  [startNs, endNs]: readonly [bigint, bigint],
  signal: AbortSignal,
): Promise<{ readonly marks: Mark[]; readonly more: boolean }> {
  const look = (from: string) => {
    const rows = `SELECT ${MARK_COLUMNS} FROM ${from} WHERE bag = ${quoted(bag)} AND data IS NOT NULL`;
    return rowsOf(`SELECT * FROM (${rows}) WHERE ${MARK_FILTER} ORDER BY ns`, MARKS_MAX, signal);
  };
  const rows = await look('recorded_events').catch((error: unknown) => {
    // That table comes with its first row, where the configuration does not leave it out.
    if (!(error instanceof Refusal && /recorded_events/.test(error.message))) throw error;
    return look(`messages('${EVENTS_TOPIC}', ${startNs}, ${endNs + 1n})`).catch((other: unknown) => {
      if (other instanceof Refusal && other.message.includes(EVENTS_TOPIC)) return [];
      throw other;
    });
  });
  return { marks: marksOf(rows), more: rows.length >= MARKS_MAX };
}

export type Note = Mark & { readonly label: string };

/** What people wrote about the recording. */
export async function readNotes(bag: string, signal?: AbortSignal): Promise<Note[]> {
  const rows = await rowsOf(
    `SELECT annotation_id, epoch_ns(start_time) AS start_ns, epoch_ns(end_time) AS end_ns, label, text, author
FROM annotations WHERE bag = ${quoted(bag)} ORDER BY start_time`,
    MARKS_MAX,
    signal,
  );
  return rows.map((row) => {
    const [startS, endS] = [row['start_ns'], row['end_ns']].map((ns) => Number(ns) / 1e9);
    const label = words(row['label']);
    const text = [label, words(row['text'])].filter((part) => part !== '').join(': ');
    return {
      ...{ key: words(row['annotation_id']), kind: 'note', timeS: startS!, text, label },
      ...{ why: `by ${words(row['author'])}`, ...(endS! > startS! ? { endS: endS! } : {}) },
    };
  });
}

/** A part of a file of the robot. It waits where others read. */
export const fetchRange: FetchRange = async (path, first, last) => {
  for (let left = TRIES; ; left--) {
    const response = await call(path, {
      answerMs: RANGE_MS,
      headers: () => ({ range: `bytes=${first}-${last}` }),
    });
    if (response.status === 206) return new Uint8Array(await response.arrayBuffer());
    if (response.status !== 503 || left === 0) {
      const body = (await response.json().catch(() => ({}))) as { message?: string };
      throw new Refusal(body.message ?? `${path}: ${response.status}`, response.status);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
};
