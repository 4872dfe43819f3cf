import type { DuckDBConnection } from '@duckdb/node-api';
import { LAKE, quote } from './schema-sql.ts';

export type RecordedSegment = {
  readonly path: string;
  readonly bag: string;
  /** Part of a clip: another recording may have the same messages. */
  readonly isClip: boolean;
  /** Log time of its first message; undefined beyond the year 2262. */
  readonly startNs: bigint | undefined;
};

/** Sealed segments that are still there, each as it was sealed last. */
export const PRESENT_SEGMENTS = `SELECT * FROM (
    SELECT DISTINCT ON (path) * FROM ${LAKE}.segments ORDER BY path, ts DESC, seq DESC) AS s
  WHERE NOT EXISTS (SELECT 1 FROM ${LAKE}.evictions e
    WHERE e.path = s.path AND e.cell = s.cell AND e.epoch = s.epoch AND e.seq > s.seq)`;

/** Segments that hold this topic in this range of log times, by time; clips last. */
export async function segmentsOf(
  connection: DuckDBConnection,
  topic: string,
  startNs: bigint | undefined,
  endNs: bigint | undefined,
): Promise<readonly RecordedSegment[]> {
  const wanted = [`contains(topics, ${quote(`${JSON.stringify(topic)}:`)})`];
  if (startNs !== undefined) wanted.push(`(end_time IS NULL OR epoch_ns(end_time) >= ${startNs})`);
  if (endNs !== undefined) wanted.push(`(start_time IS NULL OR epoch_ns(start_time) < ${endNs})`);
  const found = await connection.runAndReadAll(
    `SELECT path, bag, bag IN (SELECT bag FROM ${LAKE}.clips) AS is_clip, epoch_ns(start_time), topics
     FROM (${PRESENT_SEGMENTS}) WHERE ${wanted.join(' AND ')} ORDER BY is_clip, start_time, path`,
  );
  return (found.getRows() as [string, string, boolean, bigint | null, string][])
    .filter(([, , , , topics]) => Object.hasOwn(JSON.parse(topics) as object, topic))
    .map(([path, bag, isClip, startAt]) => ({ path, bag, isClip, startNs: startAt ?? undefined }));
}
