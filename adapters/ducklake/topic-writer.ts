import type { AgentEvent, RecordedMessage } from '../../contract/core.ts';
import type { LakeEngine } from './lake-engine.ts';
import { HEAD, MessageTable, type Place } from './message-table.ts';
import { PRESENT_SEGMENTS } from './recorded-segments.ts';
import { LAKE, quote } from './schema-sql.ts';
import { TOPIC_SEGMENTS, type TopicSpec } from './topic-tables.ts';

const MARKS = `${LAKE}.${TOPIC_SEGMENTS.name}`;
const STAGED = 'staged_messages';
/** Rows that are made before the event loop gets its turn: some ten milliseconds. */
const CHUNK_ROWS = 256;
const CLIPS = `SELECT path FROM ${LAKE}.segments WHERE bag IN (SELECT bag FROM ${LAKE}.clips)`;

/** A segment that some tables do not have yet. */
export type TopicSegment = Place & {
  readonly position: string;
  readonly sha256: string;
  readonly missing: readonly TopicSpec[];
};

/**
 * Tables of messages: made when their first message comes, with a column for each field; one transaction for each piece
 * of a segment. A piece that was committed before a kill goes when its segment is started again. One call at a time.
 */
export class TopicWriter {
  readonly specs: readonly TopicSpec[];
  readonly #engine: LakeEngine;
  readonly #tables = new Map<string, MessageTable>();
  #isIdle = false;
  /** The segment whose pieces are being added; undefined: what was added of it may be gone, it is read again. */
  #begun: string | undefined;

  constructor(engine: LakeEngine, specs: readonly TopicSpec[]) {
    this.#engine = engine;
    this.specs = specs;
  }

  /** Drops tables that are no longer configured, or were filled from other topics; before anything else. */
  async load(): Promise<void> {
    const known = new Map(this.specs.map(({ name, spec }) => [name, spec]));
    const found = (await this.#rows(`SELECT DISTINCT name, spec FROM ${MARKS}`)) as [string, string][];
    for (const name of await this.#unmarked()) found.push([name, '']);
    for (const [name, spec] of found) {
      if (known.get(name) === spec) continue;
      await this.#engine.transaction('lake.open', async () => {
        await this.#engine.writer.run(`DROP TABLE IF EXISTS ${tableOf(name)}`);
        await this.#engine.writer.run(`DELETE FROM ${MARKS} WHERE name = ${quote(name)}`);
      });
    }
  }

  /** Tables of messages that have pieces of segments only: a kill came before the end of the first one. */
  async #unmarked(): Promise<string[]> {
    const found = await this.#rows(
      `SELECT table_name FROM duckdb_columns()
       WHERE database_name = '${LAKE}' AND column_name IN ('log_time', 'publish_time', 'by_reference', 'fault')
         AND table_name NOT IN (SELECT name FROM ${MARKS})
       GROUP BY table_name HAVING count(*) = 4`,
    );
    return found.map(([name]) => String(name));
  }

  /** Sealed, not evicted, not in all of the tables; the newest first, so that what happens now is there soon. */
  async unread(limit: number): Promise<readonly TopicSegment[]> {
    if (this.#isIdle || this.specs.length === 0) return [];
    const found = await this.#rows(
      `SELECT s.cell, s.epoch, s.seq, s.path, s.bag, s.sha256, coalesce(r.names, []::VARCHAR[]) AS names
       FROM (${PRESENT_SEGMENTS}) AS s
       LEFT JOIN (SELECT path, sha256, list(DISTINCT name) AS names FROM ${MARKS} GROUP BY path, sha256) AS r
         ON r.path = s.path AND r.sha256 = s.sha256
       WHERE len(coalesce(r.names, []::VARCHAR[])) < ${this.specs.length}
       ORDER BY s.start_time DESC, s.path LIMIT ${limit}`,
    );
    this.#isIdle = found.length === 0;
    return found.map((row) => {
      const [cell, epoch, seq, path, bag, sha256, names] = row as [
        string,
        string,
        bigint,
        string,
        string,
        string,
        Names,
      ];
      const read = new Set(names.items);
      const missing = this.specs.filter(({ name }) => !read.has(name));
      const position = `${quote(cell)}, ${quote(epoch)}, ${seq}`;
      return { position, segment: path, bag, sha256, missing };
    });
  }

  /** Rows that were left by a reader that did not come to its end. */
  async begin({ segment, missing }: TopicSegment): Promise<void> {
    this.#begun = segment;
    for (const { name } of missing) {
      if (!(await this.#tableOf(name))) continue;
      const rows = `FROM ${tableOf(name)} WHERE segment = ${quote(segment)}`;
      if ((await this.#rows(`SELECT 1 ${rows} LIMIT 1`)).length === 0) continue;
      await this.#engine.transaction('lake.read', () => this.#engine.writer.run(`DELETE ${rows}`));
    }
  }

  /** One piece of a segment; with `end`, its last. False where the segment is gone, or has to be started again. */
  async add(
    of: TopicSegment,
    messages: readonly RecordedMessage[],
    end?: { readonly fault: string; readonly counts: ReadonlyMap<string, number> },
  ): Promise<boolean> {
    const { position, segment, sha256, missing } = of;
    if (this.#begun !== segment) return false;
    const there = `SELECT 1 FROM (${PRESENT_SEGMENTS}) WHERE path = ${quote(segment)} AND sha256 = ${quote(sha256)}`;
    if ((await this.#rows(there)).length === 0) return false;
    try {
      await this.#engine.transaction('lake.read', async () => {
        for (const spec of missing) {
          const own = messages.filter(({ topic, type }) => spec.takes(topic, type));
          if (own.length > 0) await this.#insert(spec, own, of);
        }
        if (!end) return;
        const fault = end.fault === '' ? 'NULL' : quote(end.fault);
        const marks = missing.map(
          ({ name, spec }) =>
            `(${position}, ${quote(name)}, ${quote(spec)}, ${quote(segment)}, ${quote(sha256)}, ` +
            `${end.counts.get(name) ?? 0}, ${fault})`,
        );
        await this.#engine.writer.run(`INSERT INTO ${MARKS} VALUES ${marks.join(', ')}`);
      });
    } catch (thrown) {
      // Columns that were added went with the transaction.
      this.#tables.clear();
      throw thrown;
    }
    return true;
  }

  /** Part of the transaction that projects `events`: messages go with their segment; a clip may have them too. */
  async forgetEvicted(events: readonly AgentEvent[]): Promise<void> {
    if (events.some(({ kind }) => /^(segment\.|clip\.)/.test(kind))) this.#isIdle = false;
    const paths = events.flatMap(({ kind, payload }) =>
      kind === 'segment.evicted' ? [quote(String((payload as { path?: unknown }).path))] : [],
    );
    if (paths.length === 0) return;
    const these = `IN (${paths.join(', ')})`;
    const clips = `SELECT c.path FROM ${LAKE}.segments c, ${LAKE}.segments g WHERE g.path ${these} AND c.path IN (${CLIPS})
        AND c.start_time <= g.end_time AND c.end_time >= g.start_time`;
    // Its pieces so far left out what the evicted segment had.
    const isBegun = `SELECT coalesce(${quote(this.#begun ?? '')} IN (${clips}), false)`;
    if ((await this.#rows(isBegun))[0]?.[0] === true) this.#begun = undefined;
    for (const { name } of this.specs)
      if (await this.#tableOf(name))
        await this.#engine.writer.run(`DELETE FROM ${tableOf(name)} WHERE segment ${these}`);
    await this.#engine.writer.run(`DELETE FROM ${MARKS} WHERE path ${these} OR path IN (${clips})`);
  }

  /** Part of a transaction that dropped marks: their rows go too. */
  async forgetUnmarked(): Promise<void> {
    this.#isIdle = false;
    this.#begun = undefined;
    for (const { name } of this.specs)
      if (await this.#tableOf(name))
        await this.#engine.writer.run(
          `DELETE FROM ${tableOf(name)} WHERE segment NOT IN (SELECT path FROM ${MARKS} WHERE name = ${quote(name)})`,
        );
  }

  async #insert(
    { name, text }: TopicSpec,
    messages: readonly RecordedMessage[],
    place: Place,
  ): Promise<void> {
    const { writer } = this.#engine;
    const table = (await this.#tableOf(name)) ?? (await this.#create(name, text));
    const added = messages.flatMap((message) => [...table.adopt(message)]);
    for (const { name: column, type, text: note } of added)
      if (!table.isThere(column)) {
        await writer.run(`ALTER TABLE ${tableOf(name)} ADD COLUMN "${column}" ${type}`);
        await writer.run(`COMMENT ON COLUMN ${tableOf(name)}."${column}" IS ${quote(note)}`);
      }
    const columns = table.columns.map((one) => `"${one.name}" ${one.type}`);
    await writer.run(`CREATE OR REPLACE TEMP TABLE ${STAGED} (${columns.join(', ')})`);
    const appender = await writer.createAppender(STAGED, 'main', 'temp');
    try {
      for (let at = 0; at < messages.length; at += CHUNK_ROWS) {
        const rows = messages.slice(at, at + CHUNK_ROWS).map((message) => table.row(message, place).values);
        appender.appendDataChunk(table.chunk(rows));
        await new Promise((resolve) => setImmediate(resolve));
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
    const same = (a: string, b: string) =>
      ['log_time', 'publish_time', 'topic', 'bytes'].map((key) => `${a}.${key} = ${b}.${key}`).join(' AND ');
    const segment = quote(place.segment);
    const isClip = (await this.#rows(`SELECT ${segment} IN (${CLIPS})`))[0]?.[0] === true;
    const others = `(SELECT * FROM ${tableOf(name)} WHERE segment <> ${segment})`;
    if (!isClip)
      await writer.run(
        `DELETE FROM ${tableOf(name)} WHERE segment IN (${CLIPS}) AND EXISTS (
           SELECT 1 FROM temp.main.${STAGED} s WHERE ${same('s', name)})`,
      );
    const names = table.columns.map((one) => `"${one.name}"`).join(', ');
    await writer.run(
      `INSERT INTO ${tableOf(name)} (${names}) SELECT ${names} FROM temp.main.${STAGED} s
       ${isClip ? `WHERE NOT EXISTS (SELECT 1 FROM ${others} o WHERE ${same('o', 's')})` : ''}`,
    );
    await writer.run(`DROP TABLE temp.main.${STAGED}`);
  }

  async #create(name: string, text: string): Promise<MessageTable> {
    const { writer } = this.#engine;
    await writer.run(
      `CREATE TABLE ${tableOf(name)} (${HEAD.map((one) => `${one.name} ${one.type}`).join(', ')})`,
    );
    await writer.run(`COMMENT ON TABLE ${tableOf(name)} IS ${quote(text)}`);
    for (const one of HEAD)
      await writer.run(`COMMENT ON COLUMN ${tableOf(name)}.${one.name} IS ${quote(one.text)}`);
    const table = new MessageTable();
    this.#tables.set(name, table);
    return table;
  }

  async #tableOf(name: string): Promise<MessageTable | undefined> {
    const known = this.#tables.get(name);
    if (known) return known;
    const found = await this.#rows(
      `SELECT column_name, data_type FROM duckdb_columns()
       WHERE database_name = '${LAKE}' AND table_name = ${quote(name)}`,
    );
    if (found.length === 0) return undefined;
    const table = new MessageTable(new Map(found as [string, string][]));
    this.#tables.set(name, table);
    return table;
  }

  async #rows(sql: string): Promise<unknown[][]> {
    return (await this.#engine.writer.runAndReadAll(sql)).getRows() as unknown[][];
  }
}

type Names = { readonly items: readonly string[] };

function tableOf(name: string): string {
  return `${LAKE}."${name}"`;
}
