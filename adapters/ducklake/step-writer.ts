import {
  BIGINT,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBListValue,
  DuckDBTimestampNanosecondsValue,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  TIMESTAMP_NS,
  VARCHAR,
} from '@duckdb/node-api';
import type { AgentEvent, AppliedAction, CellName, StepBatch, UnreadSegment } from '../../contract/core.ts';
import type { LakeEngine } from './lake-engine.ts';
import { LAKE, quote } from './schema-sql.ts';
import { ACTION_STEPS, STEP_SEGMENTS, stepValues } from './step-tables.ts';
import type { ColumnType } from './tables.ts';

/** Values that one commit writes, one Parquet file: half a minute of seven joints at 500 Hz. */
const COMMIT_VALUES = 1 << 19;
/** Rows of one vector of the engine. */
const CHUNK_ROWS = 2_048;

const STEPS = `${LAKE}.${ACTION_STEPS.name}`;
const SEGMENTS = `${LAKE}.${STEP_SEGMENTS.name}`;
/** Steps on their way; in memory, gone with the connection. */
const STAGED = 'staged_steps';

/** Segments of clips: the recorder had another copy of their content. */
const CLIPPED = `SELECT path FROM ${LAKE}.segments WHERE bag IN (SELECT bag FROM ${LAKE}.clips)`;

const TYPES: Readonly<Partial<Record<ColumnType, DuckDBType>>> = {
  VARCHAR,
  BIGINT,
  TIMESTAMP_NS,
  'VARCHAR[]': LIST(VARCHAR),
  'DOUBLE[]': LIST(DOUBLE),
};
const TYPE_LIST = ACTION_STEPS.columns.map(({ type }) => TYPES[type]!);

/** What the caller said about the segment that is being read. */
type Reading = {
  readonly path: string;
  told: number;
  staged: number;
  stagedValues: number;
  taken: number;
  first: bigint | undefined;
  last: bigint | undefined;
};

/**
 * Control steps from segments, columns by columns. Between two commits they are staged in the engine, so that a
 * transaction is never open while a segment is read. One call at a time.
 */
export class StepWriter {
  readonly #engine: LakeEngine;
  #reading: Reading | undefined;
  /** Nothing was sealed or evicted since the last empty answer: asking again costs nothing. */
  #isIdle = false;

  constructor(engine: LakeEngine) {
    this.#engine = engine;
  }

  /** Sealed, not evicted since, and not read; the oldest first. */
  async unread(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]> {
    if (this.#isIdle) return [];
    const reader = await this.#engine.writer.runAndReadAll(
      `SELECT cell, epoch, seq, path, sha256, topics FROM (
         SELECT DISTINCT ON (path, sha256) * FROM ${LAKE}.segments ORDER BY path, sha256, seq) AS s
       WHERE contains(topics, ${quote(JSON.stringify(topicsBegin).slice(0, -1))})
         AND NOT EXISTS (SELECT 1 FROM ${LAKE}.evictions e
           WHERE e.path = s.path AND e.cell = s.cell AND e.epoch = s.epoch AND e.seq > s.seq)
         AND NOT EXISTS (SELECT 1 FROM ${SEGMENTS} r WHERE r.path = s.path AND r.sha256 = s.sha256)
       ORDER BY start_time, path LIMIT ${limit}`,
    );
    const found = (reader.getRows() as [CellName, string, bigint, string, string, string][]).map(
      ([cell, epoch, seq, path, sha256, topics]) => {
        const names = Object.keys(JSON.parse(topics) as object);
        const wanted = names.filter((name) => name.startsWith(topicsBegin));
        return { cell, epoch, seq: Number(seq), path, sha256, topics: wanted };
      },
    );
    this.#isIdle = found.length === 0;
    return found;
  }

  /** `isWanted`: false where the rest of the segment is not, since it is gone, or has to be read again. */
  async add(
    segment: UnreadSegment,
    { from, steps, end }: StepBatch,
  ): Promise<{ isWanted: boolean; isCommitted: boolean }> {
    if (from === 0 && (await this.#isThere(segment))) await this.#begin(segment);
    const reading = this.#reading;
    if (reading?.path !== segment.path || reading.told !== from)
      return { isWanted: false, isCommitted: false };
    await this.#stage(segment, reading, steps);
    if (!end && reading.stagedValues < COMMIT_VALUES) return { isWanted: true, isCommitted: false };
    await this.#commit(segment, reading, end);
    return { isWanted: true, isCommitted: true };
  }

  /** Rows were dropped: the current segment is read again. */
  restart(): void {
    this.#reading = undefined;
    this.#isIdle = false;
  }

  /** Part of the transaction that projects `events`: steps go with their segment. */
  async forgetEvicted(events: readonly AgentEvent[]): Promise<void> {
    if (events.some(({ kind }) => kind === 'segment.sealed' || kind === 'segment.evicted'))
      this.#isIdle = false;
    const paths = events.flatMap(({ kind, payload }) =>
      kind === 'segment.evicted' ? [String((payload as { path?: unknown }).path)] : [],
    );
    if (paths.length === 0) return;
    const { writer } = this.#engine;
    const these = `IN (${paths.map(quote).join(', ')})`;
    // What another segment has too, a clip for example, is read again from there.
    await writer.run(
      `DELETE FROM ${SEGMENTS} WHERE path ${these} OR (elsewhere > 0 AND EXISTS (
         SELECT 1 FROM ${SEGMENTS} g WHERE g.path ${these} AND g.steps > 0
           AND g.first_step <= ${STEP_SEGMENTS.name}.last_step AND g.last_step >= ${STEP_SEGMENTS.name}.first_step))`,
    );
    await writer.run(`DELETE FROM ${STEPS} WHERE segment ${these}`);
    // The one that is being read is not noted there yet: it is gone, or what it left out may be.
    const reading = this.#reading;
    if (!reading) return;
    const isPartElsewhere = reading.told - reading.staged > reading.taken;
    if (isPartElsewhere || paths.includes(reading.path)) this.#reading = undefined;
  }

  async #isThere({ cell, epoch, seq, path }: UnreadSegment): Promise<boolean> {
    const where = `cell = ${quote(cell)} AND epoch = ${quote(epoch)} AND path = ${quote(path)}`;
    const found = await this.#engine.writer.runAndReadAll(
      `SELECT 1 FROM ${LAKE}.segments WHERE ${where} AND seq = ${seq} AND NOT EXISTS (
         SELECT 1 FROM ${LAKE}.evictions WHERE ${where} AND seq > ${seq}) LIMIT 1`,
    );
    return found.currentRowCount > 0;
  }

  async #begin({ path }: UnreadSegment): Promise<void> {
    const { writer } = this.#engine;
    const columns = ACTION_STEPS.columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    await writer.run(`CREATE OR REPLACE TEMP TABLE ${STAGED} (${columns})`);
    const left = await writer.runAndReadAll(`SELECT 1 FROM ${STEPS} WHERE segment = ${quote(path)} LIMIT 1`);
    if (left.currentRowCount > 0)
      await this.#engine.transaction('lake.read', () =>
        writer.run(`DELETE FROM ${STEPS} WHERE segment = ${quote(path)}`),
      );
    this.#reading = {
      ...{ path, told: 0, staged: 0, stagedValues: 0, taken: 0 },
      ...{ first: undefined, last: undefined },
    };
  }

  async #stage({ path }: UnreadSegment, reading: Reading, steps: readonly AppliedAction[]): Promise<void> {
    if (steps.length === 0) return;
    for (const { time_ns, names } of steps) {
      const time = BigInt(time_ns);
      if (reading.first === undefined || time < reading.first) reading.first = time;
      if (reading.last === undefined || time > reading.last) reading.last = time;
      reading.stagedValues += ACTION_STEPS.columns.length + 3 * names.length;
    }
    reading.told += steps.length;
    reading.staged += steps.length;
    const appender = await this.#engine.writer.createAppender(STAGED);
    try {
      for (let at = 0; at < steps.length; at += CHUNK_ROWS) {
        const rows = steps.slice(at, at + CHUNK_ROWS).map((step) => stepValues(step, path));
        const chunk = DuckDBDataChunk.create(TYPE_LIST, rows.length);
        chunk.setColumns(TYPE_LIST.map((type, i) => rows.map((row) => engineValue(type, row[i]))));
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
  }

  /**
   * Leaves out the steps `s` of a segment that others have too. A start of a controller is known by its id. Older
   * recordings do not hold it, and what they hold is the same in each session of a simulation: there only a clip
   * repeats another recording, in all fields of a step.
   */
  async #notElsewhere(path: string): Promise<string> {
    const found = await this.#engine.writer.runAndReadAll(
      `SELECT epoch_ns(min(stamp)), epoch_ns(max(stamp)), ${quote(path)} IN (${CLIPPED}) FROM ${STAGED}`,
    );
    const [from, to, isClip] = found.getRows()[0]!;
    const others = `SELECT * FROM ${STEPS} WHERE segment <> ${quote(path)}
      AND stamp BETWEEN make_timestamp_ns(${from}) AND make_timestamp_ns(${to})`;
    const all = ACTION_STEPS.columns.map(({ name }) => name).filter((name) => name !== 'segment');
    return `
      ANTI JOIN (${others} AND motion_id IS NOT NULL) a ON s.stamp = a.stamp AND s.controller = a.controller
        AND s.lease = a.lease AND s.chunk_id = a.chunk_id AND s.motion_id = a.motion_id
      ANTI JOIN (${others} AND motion_id IS NULL ${isClip ? '' : `AND segment IN (${CLIPPED})`}) o
        ON ${all.map((name) => `s.${name} IS NOT DISTINCT FROM o.${name}`).join(' AND ')}`;
  }

  async #commit(segment: UnreadSegment, reading: Reading, end: StepBatch['end']): Promise<void> {
    const { writer } = this.#engine;
    const { cell, epoch, seq, path, sha256 } = segment;
    const position = `${quote(cell)}, ${quote(epoch)}, ${seq}`;
    let taken = 0;
    await this.#engine.transaction('lake.read', async () => {
      if (reading.staged > 0) {
        const columns = ACTION_STEPS.columns.map(({ name }) => `s.${name}`).join(', ');
        const told = await writer.run(
          `INSERT INTO ${STEPS} SELECT ${position}, ${columns} FROM ${STAGED} s ${await this.#notElsewhere(path)}`,
        );
        taken = Number(told.rowsChanged);
      }
      if (!end) return;
      const steps = reading.taken + taken;
      const [first, last] = [reading.first, reading.last].map((ns) =>
        ns === undefined ? 'NULL' : `make_timestamp_ns(${ns})`,
      );
      const fault = end.fault === '' ? 'NULL' : quote(end.fault);
      await writer.run(
        `INSERT INTO ${SEGMENTS} VALUES (${position}, ${quote(path)}, ${quote(sha256)}, ${steps}, ` +
          `${reading.told - steps}, ${end.unreadable}, ${fault}, ${first}, ${last})`,
      );
    });
    reading.taken += taken;
    reading.staged = 0;
    reading.stagedValues = 0;
    if (end) this.#reading = undefined;
    await writer.run(end ? `DROP TABLE IF EXISTS ${STAGED}` : `TRUNCATE ${STAGED}`);
  }
}

function engineValue(type: DuckDBType, value: unknown): DuckDBValue {
  if (value === null || value === undefined) return null;
  if (type === TIMESTAMP_NS) return new DuckDBTimestampNanosecondsValue(value as bigint);
  return Array.isArray(value) ? new DuckDBListValue(value as DuckDBValue[]) : (value as DuckDBValue);
}
