import { EdgeError } from '../../contract/core.ts';
import { nodesOf, type SyntaxTree } from './read-only-statement.ts';

/**
 * Whether a statement names recorded messages: by messages(), by one of these tables, by a function over a table, or by a
 * table of the catalogue, which has the least and the largest value of each column, and small batches of rows.
 */
export function namesRecorded(tree: SyntaxTree, tables: ReadonlySet<string>): boolean {
  return [...nodesOf(tree.statements)].some(({ type, table_name: name, function: called }) => {
    const table = String(name).toLowerCase().replaceAll('"', '');
    if (type === 'BASE_TABLE' || type === 'SHOW_REF') {
      const own = table.split('.').at(-1) ?? '';
      return tables.has(own) || own.startsWith('ducklake_');
    }
    const { function_name: of = '' } = (called ?? {}) as { function_name?: unknown };
    return type === 'TABLE_FUNCTION' && /^(messages|ducklake_)/i.test(String(of));
  });
}

export function notShared(): EdgeError {
  return new EdgeError('policy.denied', {
    operation: 'lake.query',
    subject: 'recordings',
    message: 'recorded messages of this robot are not shared with guests of other tenants',
    hint: 'ask the operator of the robot; docs/policies.md says what a token opens',
  });
}
