import type { Command } from 'commander';
import { EdgeError, type LakeRows } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { lakePlaceText, lakeState } from './lake-promote.ts';
import { VIEW_COLUMNS } from './lake-views.ts';

const ROWS_MAX = 10_000;

/** Every table and view of the lake with what it holds: name, kind, text. */
export const TABLES_SQL = `SELECT table_name AS name, 'table' AS kind, comment AS text FROM duckdb_tables()
  WHERE database_name = 'lake' AND NOT internal
UNION ALL SELECT view_name, 'view', comment FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal
ORDER BY name`;

/** Columns of a table or view: name, type, text; of a topic those that its messages have. */
export function columnsSql(name: string): string {
  const quoted = `'${name.replaceAll("'", "''")}'`;
  if (name.startsWith('/'))
    return `SELECT column_name AS name, column_type AS type, NULL AS text FROM (DESCRIBE FROM messages(${quoted}, most => 1))`;
  return `SELECT column_name AS name, data_type AS type, comment AS text FROM duckdb_columns()
    WHERE database_name = 'lake' AND table_name = lower(${quoted}) ORDER BY column_index`;
}

/** A column of the lake as it is shown. */
export type ShownColumn = { readonly name: string; readonly type: string; readonly text: string };

/** Rows of `columnsSql` with a text for each column: views have theirs here. */
export function shownColumns(name: string, rows: LakeRows['rows']): readonly ShownColumn[] {
  return rows.map(([column, type, text]) => ({
    ...{ name: String(column), type: String(type) },
    text: typeof text === 'string' ? text : (VIEW_COLUMNS[name.toLowerCase()]?.[String(column)] ?? ''),
  }));
}

export function addLakeTables(lake: Command): void {
  lake
    .command('tables')
    .description('where the lakehouse is, its tables and views, and what they hold')
    .action(
      action(async ({ api, out }) => {
        const { rows } = await ask(api, TABLES_SQL);
        const tables = rows.map(([name, kind, text]) => ({ name, kind, text }));
        const state = await lakeState(api);
        const { kind, place, path } = state;
        out.result({ tables, lake: { kind, place, path } }, () =>
          [
            lakePlaceText(state),
            table(
              ['NAME', 'KIND', 'WHAT'],
              rows.map((row) => row.map((value) => String(value ?? ''))),
            ),
          ].join('\n\n'),
        );
        return 0;
      }),
    );
  lake
    .command('describe <name>')
    .description('the columns of a table, a view, or a recorded topic')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison lake describe runs\n  auraison lake describe odometry\n  auraison lake describe /odom --json',
    )
    .action(
      action(async ({ api, out }, name: string) => {
        const { rows } = await ask(api, columnsSql(name));
        const columns = shownColumns(name, rows);
        if (columns.length === 0)
          throw new EdgeError('lake.failed', {
            ...{ operation: 'lake describe', subject: name, message: `unknown table ${name}` },
            hint: '`auraison lake tables` lists them; a topic starts with /',
            retryable: false,
          });
        out.result({ name, columns }, () =>
          table(
            ['COLUMN', 'TYPE', 'WHAT'],
            columns.map((one) => [one.name, one.type, one.text]),
          ),
        );
        return 0;
      }),
    );
}

function ask(api: ApiClient, sql: string): Promise<LakeRows> {
  return api.post<LakeRows>('/v1/query', { sql, limit: ROWS_MAX });
}
