import type { DatabaseSync } from 'node:sqlite';
import { refused } from './checkpoint.ts';
import { REPEAT_WINDOW, type WholeRow } from './repeats.ts';

/** Payloads of removed events that rows still refer to. They go when no row can refer to them any longer. */
const KEPT_SCHEMA = `
CREATE TABLE kept (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL) STRICT;
${refused('kept_keep_values BEFORE UPDATE ON kept')}
${refused(
  `kept_keep_rows BEFORE DELETE ON kept
   WHEN OLD.seq + ${REPEAT_WINDOW} > (SELECT coalesce(max(through), 0) FROM checkpoints)`,
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
 * Before events up to `through` go: keeps the payloads that rows after it refer to, and deletes those that none refers
 * to any longer. Within a transaction. Rows refer to the newest `REPEAT_WINDOW` events, which no cutter removes.
 */
export function keepReferredRows(database: DatabaseSync, through: number): void {
  const referred = database
    .prepare(
      `SELECT DISTINCT json_extract(payload, '$.same_as') AS seq FROM events
         WHERE kind = 'policy.decided' AND seq > ?1 AND seq < ?1 + ${REPEAT_WINDOW}
         AND json_extract(payload, '$.same_as') <= ?1`,
    )
    .all(through)
    .map((row) => Number(row['seq']));
  const kept = hasKept(database);
  if (referred.length > 0) {
    if (!kept) database.exec(KEPT_SCHEMA);
    const keep = database.prepare(
      'INSERT OR IGNORE INTO kept SELECT seq, payload FROM events WHERE seq = ? AND seq > 1',
    );
    for (const seq of referred) keep.run(seq);
  }
  if (kept) database.prepare(`DELETE FROM kept WHERE seq + ${REPEAT_WINDOW} <= ?`).run(through);
}
