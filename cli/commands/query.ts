import type { Command } from 'commander';
import type { LakeRows } from '../../contract/index.ts';
import { action } from '../context.ts';
import { table, toJson } from '../output.ts';

export function addQueryCommand(program: Command): void {
  program
    .command('query <sql>')
    .description('ask the lakehouse: one read-only SQL statement (DuckDB)')
    .option('--limit <rows>', 'at most this many rows', '1000')
    .option('--csv', 'as CSV')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison query "show tables"\n  auraison query "select topic, sum(written) from losses group by topic"\n  auraison query "select stamp, action, policy, run_id from actions where clamped"\n  auraison query "select phase, count(*) from events where kind = \'run.phase\' group by all" --json',
    )
    .action(
      action(async ({ api, out }, sql: string, options: { limit: string; csv?: boolean }) => {
        const answer = await api.post<LakeRows>('/v1/query', { sql, limit: Number(options.limit) });
        const names = answer.columns.map((column) => column.name);
        const text = (value: unknown) =>
          value === null ? '' : typeof value === 'string' ? value : toJson(value);
        out.result(answer, () => {
          if (options.csv)
            return [names, ...answer.rows.map((row) => row.map(text))]
              .map((row) => row.map(csv).join(','))
              .join('\n');
          const body = table(
            names,
            answer.rows.map((row) => row.map(text)),
          );
          return answer.truncated ? `${body}\n(cut at ${answer.rows.length} rows: --limit)` : body;
        });
        return 0;
      }),
    );
}

function csv(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
