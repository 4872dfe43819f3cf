import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStatements, upgradeStatements } from '../../adapters/ducklake/schema-sql.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lake-upgrade-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('a lake from before routes gets the columns of the ledger that it lacks, and its rows their meaning', async () => {
  const instance = await DuckDBInstance.create();
  const db = await instance.connect();
  await db.run(`ATTACH '${join(dir, 'old.db')}' AS lake`);
  for (const sql of createStatements()) {
    // As it was: without hop and forwarded.
    if (sql.includes('.losses.hop') || sql.includes('.losses.forwarded')) continue;
    await db.run(sql.replace(', hop VARCHAR, forwarded BIGINT', ''));
  }
  await db.run(
    "INSERT INTO lake.losses VALUES ('execution', 'e', 1, TIMESTAMP '2026-01-01', 'b', 's', '/a', 3, 2, 1, '{}')",
  );
  const columns = async () => {
    const reader = await db.runAndReadAll(
      "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE database_name = 'lake'",
    );
    return new Set(reader.getRows().map(([name]) => String(name)));
  };
  for (const sql of upgradeStatements(await columns())) await db.run(sql);
  expect(upgradeStatements(await columns())).toEqual([]);
  const rows = await db.runAndReadAll('SELECT topic, received, written, hop, forwarded FROM lake.losses');
  expect(rows.getRows()).toEqual([['/a', 3n, 2n, 'recorder', 0n]]);
  db.closeSync();
});
