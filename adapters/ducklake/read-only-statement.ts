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
 * Databases and schemas that a statement may name. Others are attached beside the lake: on servers the whole database of
 * PostgreSQL, with whatever its user may read there.
 */
const ALLOWED_PLACES = new Set([
  ...['', 'lake', 'main', 'memory', 'temp', 'system', 'information_schema', 'pg_catalog'],
]);

/** Not a function of the engine: its calls are replaced before the statement runs. */
export const MESSAGES = 'messages';

/**
 * The syntax tree of the statement. Throws `lake.failed` unless `sql` is exactly one SELECT (also FROM, VALUES, WITH, DESCRIBE, SHOW,
 * SUMMARIZE) that uses only harmless table functions, and tables of the lake. Judged on the engine's own syntax tree, not on text.
 */
export async function checkReadOnly(connection: DuckDBConnection, sql: string): Promise<SyntaxTree> {
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
  for (const node of nodesOf(tree.statements)) {
    const elsewhere = placesOf(node).find((name) => !ALLOWED_PLACES.has(name.toLowerCase()));
    if (elsewhere !== undefined)
      throw refuse(sql, `${elsewhere} is not the lakehouse`, 'query the tables of the lakehouse');
    const { type, function: called } = node as { type?: unknown; function?: { function_name?: unknown } };
    if (type !== 'TABLE_FUNCTION') continue;
    const name = String(called?.function_name);
    if (!ALLOWED_TABLE_FUNCTIONS.has(name.toLowerCase()) && name.toLowerCase() !== MESSAGES)
      throw refuse(
        sql,
        `the table function ${name} is not allowed here`,
        'query the tables of the lakehouse',
      );
  }
  return tree;
}

/** Database and schema that a table of the tree names; empty: none. */
function placesOf({
  type,
  catalog_name: database,
  schema_name: schema,
  table_name: table,
}: SyntaxNode): string[] {
  if (type !== 'BASE_TABLE' && type !== 'SHOW_REF') return [];
  const named =
    type === 'SHOW_REF'
      ? String(table ?? '')
          .replaceAll('"', '')
          .split('.')
          .slice(0, -1)
      : [];
  return [String(database ?? ''), String(schema ?? ''), ...named];
}

type SyntaxNode = {
  readonly type?: unknown;
  readonly catalog_name?: unknown;
  readonly schema_name?: unknown;
  readonly table_name?: unknown;
};

export type SyntaxTree = {
  readonly error?: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly unknown[];
};

async function syntaxTree(connection: DuckDBConnection, sql: string): Promise<SyntaxTree> {
  const reader = await connection.runAndReadAll('SELECT json_serialize_sql($sql::VARCHAR)', { sql });
  const text = String(reader.getRows()[0]?.[0]);
  // The tree of a statement that calls messages() is written back: its numbers stay as they are.
  return JSON.parse(text, sql.toLowerCase().includes(MESSAGES) ? exactNumber : undefined) as SyntaxTree;
}

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** For `JSON.parse`: a number that a double cannot hold is kept as its text, which `JSON.stringify` writes again. */
function exactNumber(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return typeof value === 'number' && source !== undefined && String(value) !== source
    ? rawJSON(source)
    : value;
}

/** All objects of a tree, in whatever depth. */
export function* nodesOf(tree: unknown): Generator<Record<string, unknown>> {
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    yield node as Record<string, unknown>;
    for (const child of Object.values(node)) open.push(child);
  }
}

export function refuse(sql: string, message: string, hint: string): EdgeError {
  const subject = sql.slice(0, 200);
  return new EdgeError('lake.failed', { operation: 'lake.query', subject, message, hint, retryable: false });
}
