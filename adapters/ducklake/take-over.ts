import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type DataFiles, fsyncPath } from './data-files.ts';
import { LAKE, quote } from './schema-sql.ts';
import { EPOCHS, TABLES } from './tables.ts';

const OLD = 'plain';

/**
 * Moves the rows of a plain DuckDB lake into the DuckLake, in one transaction, and removes the plain file
 * afterwards. Only rows behind what the DuckLake already has of each log are taken, so that a crash between
 * the commit and the removal, or a DuckLake that was used before, doubles nothing.
 */
export async function takeOver(connection: DuckDBConnection, path: string, files: DataFiles): Promise<void> {
  await connection.run(`ATTACH ${quote(path)} AS ${OLD}`);
  await connection.run(
    `CREATE TEMP TABLE have AS SELECT cell, epoch, max(seq) AS seq FROM ${LAKE}.events GROUP BY cell, epoch`,
  );
  await connection.run('BEGIN');
  try {
    await connection.run(
      `INSERT INTO ${LAKE}.${EPOCHS.name} SELECT cell, epoch, seq, ordinal + ` +
        `(SELECT coalesce(max(ordinal), 0) FROM ${LAKE}.${EPOCHS.name}) FROM ${OLD}.${EPOCHS.name} ` +
        `ANTI JOIN (SELECT cell, epoch FROM ${LAKE}.${EPOCHS.name}) USING (cell, epoch)`,
    );
    for (const { name } of TABLES) {
      await connection.run(
        `INSERT INTO ${LAKE}.${name} SELECT o.* FROM ${OLD}.${name} o ` +
          'LEFT JOIN have h ON o.cell = h.cell AND o.epoch = h.epoch WHERE o.seq > coalesce(h.seq, 0)',
      );
    }
    await files.syncNew();
    await connection.run('COMMIT');
  } catch (thrown) {
    await connection.run('ROLLBACK').catch(() => {});
    throw thrown;
  } finally {
    await connection.run('DROP TABLE IF EXISTS have');
    await connection.run(`DETACH ${OLD}`);
  }
  rmSync(path);
  rmSync(`${path}.wal`, { force: true });
  await fsyncPath(dirname(path));
}
