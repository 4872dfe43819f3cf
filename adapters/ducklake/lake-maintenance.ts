import type { Clock, EdgeError } from '../../contract/core.ts';
import { lakeFailed } from './faults.ts';
import { FILE_MB } from './file-options.ts';
import type { LakeEngine } from './lake-engine.ts';
import { LAKE, quote } from './schema-sql.ts';
import { ACTION_STEPS } from './step-tables.ts';
import { TOPIC_SEGMENTS } from './topic-tables.ts';

/** Commits between two rounds of maintenance: a few minutes of a busy robot. */
const COMMITS_PER_ROUND = 256;
/** Snapshots are kept for time travel this long; one commit makes one snapshot. */
const SNAPSHOTS_KEPT = '1 HOUR';
/** A file of which so much was deleted is written again. */
const DELETED_SHARE = 0.3;
/** Below the share that was asked for: its digits are a DECIMAL, which may be rounded up on its way to a DOUBLE. */
const SHARE_MARGIN = 1e-9;
/** Of such files those in which least is left, up to this much in one round; one in any case. */
const REWRITTEN_BYTES = 32e6;
/** Two files below this always fit into one. Larger ones would count as joins although they have no partner. */
const JOINED_BELOW = (FILE_MB * 1e6) / 2;
/** No join starts later than this in a round. Events wait meanwhile; the cell has 10 s for that. */
const JOIN_MS = 3_000;

/**
 * Turns inlined rows into Parquet, joins small files, writes files again of which much was deleted, forgets old
 * snapshots and removes the files that only they needed. A failed step does not hold up the rest. Safe at any
 * time; plain DuckDB needs none of it.
 */
export class LakeMaintenance {
  readonly #engine: LakeEngine;
  readonly #clock: Clock;
  readonly #commits: { count: number };
  /** The table that was joined last: each gets its turn. */
  #last = '';
  #told = '';

  constructor(engine: LakeEngine, clock: Clock, commits: { count: number } = { count: 0 }) {
    this.#engine = engine;
    this.#commits = commits;
    this.#clock = clock;
  }

  /** Counts a commit of events or steps; starts a round now and then. A fault of it is reported, not thrown. */
  async committed(): Promise<void> {
    this.#commits.count += 1;
    if (this.#commits.count % COMMITS_PER_ROUND !== 0) return;
    const [fault] = await this.#round();
    if (fault && fault.message !== this.#told)
      this.#engine.report('warn', `maintenance of the lake: ${fault.message.split('\n')[0]}`, fault.toBody());
    this.#told = fault?.message ?? '';
  }

  /** A round now; rejects with the first error, after the rest is done. */
  async run(): Promise<void> {
    const [fault] = await this.#round();
    if (fault) throw fault;
  }

  async #round(): Promise<EdgeError[]> {
    const { info, files, writer } = this.#engine;
    if (info.kind !== 'ducklake') return [];
    const faults: EdgeError[] = [];
    const step = async (work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (thrown) {
        faults.push(lakeFailed(thrown, 'lake.maintain', info.path));
      }
    };
    await step(() => this.#call(`ducklake_flush_inlined_data('${LAKE}')`));
    await this.#join(step);
    for (const table of [ACTION_STEPS.name, ...(await this.#topicTables())])
      await step(() => this.#rewrite(table));
    await step(() =>
      writer.run(
        `CALL ducklake_expire_snapshots('${LAKE}', older_than => now() - INTERVAL ${SNAPSHOTS_KEPT})`,
      ),
    );
    await step(() => writer.run(`CALL ducklake_cleanup_old_files('${LAKE}', cleanup_all => true)`));
    if (files) await step(() => files.syncNew());
    return faults;
  }

  /** One file after the other, table by table, until nothing is left to join or the time is over. */
  async #join(step: (work: () => Promise<unknown>) => Promise<void>): Promise<void> {
    const until = this.#clock.monotonicMs() + JOIN_MS;
    let left: string[] = [];
    await step(async () => {
      left = await this.#joinable();
    });
    while (left.length > 0) {
      const more: string[] = [];
      for (const table of left) {
        await step(async () => {
          if (await this.#joinOne(table)) more.push(table);
        });
        this.#last = table;
        if (this.#clock.monotonicMs() >= until && more.length > 0) return;
      }
      left = more;
    }
  }

  /** Tables with small files, start after the one that had its turn last. */
  async #joinable(): Promise<string[]> {
    const found = await this.#rows(
      `SELECT t.table_name FROM ${this.#engine.catalog}.ducklake_data_file f JOIN ${this.#engine.catalog}.ducklake_table t USING (table_id)
       WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL AND f.file_size_bytes < ${JOINED_BELOW}
       GROUP BY t.table_name HAVING count(*) > 1 ORDER BY t.table_name`,
    );
    const names = found.map(([name]) => String(name));
    const next = names.filter((name) => name > this.#last);
    return [...next, ...names.filter((name) => name <= this.#last)];
  }

  /** Makes one file out of the first small ones of a table; whether there were any. */
  async #joinOne(table: string): Promise<boolean> {
    const joined = await this.#call(
      `ducklake_merge_adjacent_files('${LAKE}', '${table}', ` +
        `max_file_size => ${JOINED_BELOW}, max_compacted_files => 1)`,
    );
    return joined.length > 0;
  }

  async #topicTables(): Promise<string[]> {
    const marked = `SELECT DISTINCT name FROM ${LAKE}.${TOPIC_SEGMENTS.name} WHERE messages > 0 ORDER BY name`;
    return (await this.#rows(marked).catch(() => [])).map(([name]) => String(name));
  }

  /** Rows of evicted segments lie in their files until those are written again. */
  async #rewrite(table: string): Promise<void> {
    // The function knows no bound but the share: the lowest one whose files are not too much for one round.
    const [row] = await this.#rows(
      `SELECT min(share) FROM (
         SELECT share, sum(bytes * (1 - share)) OVER (ORDER BY share DESC) AS written, row_number() OVER (ORDER BY share DESC) AS n
         FROM (SELECT f.file_size_bytes AS bytes, d.delete_count / f.record_count AS share
           FROM ${this.#engine.catalog}.ducklake_data_file f JOIN ${this.#engine.catalog}.ducklake_delete_file d USING (data_file_id)
           JOIN ${this.#engine.catalog}.ducklake_table t ON t.table_id = f.table_id
           WHERE t.table_name = ${quote(table)} AND t.end_snapshot IS NULL
             AND f.end_snapshot IS NULL AND d.end_snapshot IS NULL)
         WHERE share >= ${DELETED_SHARE})
       WHERE written <= ${REWRITTEN_BYTES} OR n = 1`,
    );
    const share = row?.[0];
    if (typeof share !== 'number') return;
    await this.#call(
      `ducklake_rewrite_data_files('${LAKE}', ${quote(table)}, delete_threshold => ${share - SHARE_MARGIN})`,
    );
  }

  /** A function of DuckLake that writes files, in a transaction of its own. */
  async #call(call: string): Promise<unknown[][]> {
    let rows: unknown[][] = [];
    await this.#engine.transaction('lake.maintain', async () => {
      rows = await this.#rows(`CALL ${call}`);
    });
    return rows;
  }

  async #rows(sql: string): Promise<unknown[][]> {
    return (await this.#engine.writer.runAndReadAll(sql)).getRows();
  }
}
