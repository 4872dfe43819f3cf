import type { DuckDBConnection } from '@duckdb/node-api';
import { LIMITS } from '../../contract/core.ts';
import { checkReadOnly, MESSAGES, nodesOf, refuse, type SyntaxTree } from './read-only-statement.ts';

type Node = Record<string, unknown>;
type Called = {
  readonly function_name?: unknown;
  readonly schema?: unknown;
  readonly catalog?: unknown;
  readonly children?: readonly Node[];
};

/** What one call of messages() asks for: messages of a topic from `startNs` on, before `endNs`, the first of them. */
export type MessagesAsk = {
  readonly topic: string;
  readonly startNs: bigint | undefined;
  readonly endNs: bigint | undefined;
  readonly most: number | undefined;
};

const PARAMETERS = ['topic', 'since', 'until', 'most'] as const;
type Parameter = (typeof PARAMETERS)[number];
const USE =
  "messages('/topic', since, until, most => 10): since and until are times or nanoseconds since 1970, both optional";
/** The longest argument that is looked at, characters; a topic of ROS has 255 at most. */
const ARGUMENT_CHARS = 512;

/** The calls of messages() in a statement; each node is replaced where it stands. */
export function messagesCalls(tree: SyntaxTree): Node[] {
  return [...nodesOf(tree.statements)].filter(
    ({ type, function: called }) => type === 'TABLE_FUNCTION' && isMessages(called as Called),
  );
}

function isMessages({ function_name, schema, catalog }: Called): boolean {
  return String(function_name).toLowerCase() === MESSAGES && !schema && !catalog;
}

/** The values of the arguments of a call: any expression that needs no row of the statement. Throws `lake.failed`. */
export async function argumentsOf(
  connection: DuckDBConnection,
  sql: string,
  node: Node,
): Promise<MessagesAsk> {
  const given = new Map<Parameter, Node>();
  const { children = [] } = node['function'] as Called;
  for (const [i, child] of children.entries()) {
    const name = (child['alias'] || PARAMETERS[i]) as Parameter | undefined;
    if (name === undefined || !PARAMETERS.includes(name) || given.has(name))
      throw refuse(sql, 'messages() was called with wrong arguments', USE);
    given.set(name, { ...child, alias: name });
  }
  if (!given.has('topic')) throw refuse(sql, 'messages() was called without a topic', USE);
  const names = [...given.keys()];
  const texts = await evaluated(connection, sql, [...given.values()]);
  const text = new Map(names.map((name, i) => [name, texts[i]]));
  const topic = text.get('topic');
  if (topic === null || topic === undefined) throw refuse(sql, 'the topic of messages() is NULL', USE);
  const most = text.get('most') ?? undefined;
  if (most !== undefined && !/^[1-9]\d{0,9}$/.test(most))
    throw refuse(sql, `most: expected a whole number from 1 on, found ${most}`, USE);
  return {
    topic,
    startNs: await moment(connection, sql, text.get('since'), 'since'),
    endNs: await moment(connection, sql, text.get('until'), 'until'),
    most: most === undefined ? undefined : Number(most),
  };
}

/** One row of texts: the engine computes the expressions in a statement of their own. */
async function evaluated(
  connection: DuckDBConnection,
  sql: string,
  expressions: readonly Node[],
): Promise<(string | null)[]> {
  const tree = await checkReadOnly(connection, `SELECT 1 AS ${MESSAGES}`);
  const [statement] = tree.statements as [{ node: Node }];
  statement.node['select_list'] = expressions;
  const select = await textOf(connection, tree);
  const columns = expressions.map((_, i) => `left(c${i}::VARCHAR, ${ARGUMENT_CHARS})`);
  const names = expressions.map((_, i) => `c${i}`);
  const found = await connection.runAndReadAll(
    `SELECT ${columns.join(', ')} FROM (${select}) t(${names.join(', ')}) LIMIT 2`,
  );
  const rows = found.getRows();
  if (rows.length !== 1) throw refuse(sql, 'an argument of messages() is not one value', USE);
  return rows[0]!.map((value) => (value === null ? null : String(value)));
}

async function moment(
  connection: DuckDBConnection,
  sql: string,
  text: string | null | undefined,
  name: Parameter,
): Promise<bigint | undefined> {
  if (text === null || text === undefined) return undefined;
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  const found = await connection.runAndReadAll('SELECT epoch_ns(try_cast($text AS TIMESTAMP_NS))', { text });
  const ns = found.getRows()[0]?.[0];
  if (typeof ns !== 'bigint')
    throw refuse(sql, `${name}: expected a time or nanoseconds since 1970, found ${text.slice(0, 64)}`, USE);
  return ns;
}

/** Puts a table in the place of a call, under the name that the statement gave to it. */
export function replaceCall(node: Node, table: string): void {
  const { alias, sample, query_location, column_name_alias } = node;
  for (const key of Object.keys(node)) delete node[key];
  Object.assign(node, {
    ...{ type: 'BASE_TABLE', alias: alias || MESSAGES, sample, query_location, column_name_alias },
    ...{ catalog_name: 'temp', schema_name: 'main', table_name: table, at_clause: null },
  });
}

/** The statement of a tree as text. Throws `lake.failed` where the engine cannot write it. */
export async function textOf(connection: DuckDBConnection, tree: SyntaxTree): Promise<string> {
  const reader = await connection.runAndReadAll('SELECT json_deserialize_sql($tree::JSON)', {
    tree: JSON.stringify(tree),
  });
  return String(reader.getRows()[0]?.[0]);
}

/** Throws `lake.failed` where a statement has too many calls, or one of a form that is not answered. */
export function checkCalls(sql: string, calls: readonly Node[]): void {
  if (calls.length > LIMITS.LAKE_MESSAGES_CALLS_MAX)
    throw refuse(sql, `${calls.length} calls of messages(); at most ${LIMITS.LAKE_MESSAGES_CALLS_MAX}`, USE);
  const isOrdinal = calls.some(({ with_ordinality: ordinal }) => ordinal === 'WITH_ORDINALITY');
  if (isOrdinal) throw refuse(sql, 'messages() WITH ORDINALITY is not answered', 'use row_number()');
}
