import type { DuckDBConnection } from '@duckdb/node-api';
import { EdgeError } from '../../contract/core.ts';

/** Table functions that only look. Everything else could change the lake or read files: refused. */
const ALLOWED_TABLE_FUNCTIONS = new Set([
  ...['range', 'generate_series', 'unnest', 'repeat', 'json_each', 'json_tree'],
  ...[
    'duckdb_tables',
    'duckdb_views',
    'duckdb_columns',
    'duckdb_functions',
    'duckdb_types',
    'duckdb_settings',
  ],
  ...['ducklake_snapshots', 'ducklake_current_snapshot', 'ducklake_table_info', 'ducklake_list_files'],
  ...['ducklake_table_changes', 'ducklake_table_insertions', 'ducklake_table_deletions'],
]);

/**
 * Throws `lake.failed` unless `sql` is exactly one SELECT (also FROM, VALUES, WITH, DESCRIBE, SHOW,
 * SUMMARIZE) that uses only harmless table functions. Judged on the engine's own syntax tree, not on text.
 */
export async function checkReadOnly(connection: DuckDBConnection, sql: string): Promise<void> {
  const tree = await syntaxTree(connection, sql);
  if (tree.error === true) {
    const syntax = tree.error_type !== 'not implemented';
    throw refuse(
      sql,
      syntax ? (tree.error_message ?? 'not SQL') : 'only one SELECT statement is answered here',
      syntax ? '' : 'the lakehouse is a read-only projection of the event logs',
    );
  }
  if (tree.statements?.length !== 1)
    throw refuse(sql, `${tree.statements?.length ?? 0} statements; send one`, 'send one statement at a time');
  for (const name of tableFunctions(tree.statements)) {
    if (!ALLOWED_TABLE_FUNCTIONS.has(name.toLowerCase()))
      throw refuse(
        sql,
        `the table function ${name} is not allowed here`,
        'query the tables of the lakehouse',
      );
  }
}

type Tree = {
  readonly error?: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly unknown[];
};

async function syntaxTree(connection: DuckDBConnection, sql: string): Promise<Tree> {
  const reader = await connection.runAndReadAll('SELECT json_serialize_sql($sql::VARCHAR)', { sql });
  return JSON.parse(String(reader.getRows()[0]?.[0])) as Tree;
}

/** Names of all table functions in a tree, in whatever depth. */
function tableFunctions(tree: unknown): string[] {
  const names: string[] = [];
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    const { type, function: called } = node as { type?: unknown; function?: { function_name?: unknown } };
    if (type === 'TABLE_FUNCTION') names.push(String(called?.function_name));
    for (const child of Object.values(node)) open.push(child);
  }
  return names;
}

function refuse(sql: string, message: string, hint: string): EdgeError {
  const subject = sql.slice(0, 200);
  return new EdgeError('lake.failed', { operation: 'lake.query', subject, message, hint, retryable: false });
}
