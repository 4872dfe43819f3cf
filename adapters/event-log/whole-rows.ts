import type { DatabaseSync } from 'node:sqlite';
import { refused } from './checkpoint.ts';
import { REPEAT_START, REPEAT_WINDOW, sameAs, type WholeRow } from './repeats.ts';

/** Payloads of removed events that rows still refer to. They go when no row can refer to them any longer. */
const KEPT_SCHEMA = `
CREATE TABLE kept (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL) STRICT;
${refused('kept_keep_values BEFORE UPDATE ON kept')}
${refused(
  `kept_keep_rows BEFORE DELETE ON kept
   WHEN EXISTS (SELECT 1 FROM events WHERE seq > 1 AND seq < OLD.seq + ${REPEAT_WINDOW})`,
)}
`;
/** Payloads that a reader keeps, at most. */
const CACHED_MAX = 32;

function hasKept(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kept'").get() !== undefined;
}

/** Finds what rows of this database refer to; the newest are kept in memory. */
export function wholeRows(database: DatabaseSync): WholeRow {
  const cached = new Map<number, string>();
  return (seq) => {
    const known = cached.get(seq);
    if (known !== undefined) return known;
    const row =
      database.prepare('SELECT payload FROM events WHERE seq = ?').get(seq) ??
      (hasKept(database) ? database.prepare('SELECT payload FROM kept WHERE seq = ?').get(seq) : undefined);
    const payload = row?.['payload'] as string | undefined;
    if (payload === undefined) return undefined;
    if (cached.size >= CACHED_MAX) cached.clear();
    cached.set(seq, payload);
    return payload;
  };
}

/**
 * Removes events up to `through`, a part of them; the first event stays. Keeps the payloads that rows refer to which are
 * still there, also such as go with the next part. Within one transaction. Returns how many were removed.
 */
export function removeRows(database: DatabaseSync, through: number, rowsMax: number): number {
  const range = 'FROM (SELECT seq FROM events WHERE seq > 1 AND seq <= ? ORDER BY seq LIMIT ?)';
  const { rows, last } = database
    .prepare(`SELECT count(*) AS rows, max(seq) AS last ${range}`)
    .get(through, rowsMax) as { rows: number; last: number | null };
  if (last === null) return 0;
  keepReferredRows(database, last);
  database.prepare('DELETE FROM events WHERE seq > 1 AND seq <= ?').run(last);
  if (hasKept(database)) database.prepare(`DELETE FROM kept WHERE seq + ${REPEAT_WINDOW} <= ?`).run(last);
  return rows;
}

/** Rows after `last` refer to events less than `REPEAT_WINDOW` before them. */
function keepReferredRows(database: DatabaseSync, last: number): void {
  // Not with json_extract: it refuses deep facts, which the log takes.
  const rows = database
    .prepare(
      `SELECT kind, payload FROM events
         WHERE kind = 'policy.decided' AND seq > ?1 AND seq < ?1 + ${REPEAT_WINDOW}
         AND substr(payload, 1, length(?2)) = ?2`,
    )
    .iterate(last, REPEAT_START) as Iterable<{ kind: string; payload: string }>;
  const referred = new Set<number>();
  for (const { kind, payload } of rows) {
    const seq = sameAs(kind, payload);
    if (seq !== undefined && seq > 1 && seq <= last) referred.add(seq);
  }
  if (referred.size === 0) return;
  if (!hasKept(database)) database.exec(KEPT_SCHEMA);
  // What went with an earlier part is kept already.
  const keep = database.prepare('INSERT OR IGNORE INTO kept SELECT seq, payload FROM events WHERE seq = ?');
  for (const seq of referred) keep.run(seq);
}
