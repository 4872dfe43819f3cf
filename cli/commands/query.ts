import type { Command } from 'commander';
import { EdgeError, type ErrorBody, type LakeColumn } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action } from '../context.ts';
import { table, toJson } from '../output.ts';

/** A statement has 30 s of the lake; the rest is for the transfer of its rows, milliseconds. */
const QUERY_MS = 120_000;

type End = {
  readonly truncated: boolean;
  readonly reason: string;
  readonly bytes: number;
  readonly cut: number;
  /** What is missing of the recordings that it read. */
  readonly notes?: readonly string[];
};
type Line = readonly unknown[] | { readonly end: End } | { readonly error: ErrorBody };
type Options = { readonly limit: string; readonly csv?: boolean; readonly lines?: boolean };

export function addQueryCommand(program: Command): void {
  program
    .command('query <sql>')
    .description('ask the lakehouse: one read-only SQL statement (DuckDB)')
    .option('--limit <rows>', 'at most this many rows', '1000')
    .option('--csv', 'as CSV, row by row')
    .option('--lines', 'as one JSON array per line, row by row')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison query "show tables"\n  auraison query "select topic, sum(written) from losses group by topic"\n  auraison query "select stamp, action, policy, run_id from actions where clamped"\n  auraison query "select phase, count(*) from events where kind = \'run.phase\' group by all" --json\n  auraison query "from events" --limit 100000 --csv > events.csv',
    )
    .action(
      action(async ({ api, out }, sql: string, options: Options) => {
        const lines = rowsOf(api, sql, Number(options.limit));
        const columns = ((await lines.next()).value as { columns: LakeColumn[] }).columns;
        const names = columns.map((column) => column.name);
        if (options.csv || options.lines) {
          const write = async (text: string) => {
            if (!process.stdout.write(`${text}\n`))
              await new Promise((resolve) => process.stdout.once('drain', resolve));
          };
          if (options.csv) await write(names.map(csv).join(','));
          const end = await each(lines, (row) =>
            write(options.csv ? row.map((value) => csv(textOf(value))).join(',') : toJson(row)),
          );
          const left = leftOut(end);
          if (left !== '') out.note(left);
          return 0;
        }
        const rows: (readonly unknown[])[] = [];
        const end = await each(lines, async (row) => void rows.push(row));
        out.result({ columns, ...end, rows }, () => {
          const texts = rows.map((row) => row.map(textOf));
          return [table(names, texts), leftOut(end)].filter((part) => part !== '').join('\n');
        });
        return 0;
      }),
    );
}

const rowsOf = (api: ApiClient, sql: string, limit: number) =>
  api.postLines('/v1/query', { sql, limit }, QUERY_MS);

/** Calls `take` for each row, in order, and returns the closing message. */
async function each(
  lines: AsyncGenerator<unknown>,
  take: (row: readonly unknown[]) => Promise<void>,
): Promise<End> {
  for await (const line of lines as AsyncGenerator<Line>) {
    if ('end' in line) return line.end;
    if ('error' in line) throw EdgeError.fromBody(line.error);
    await take(line);
  }
  throw new EdgeError('cell.unavailable', {
    operation: 'POST /v1/query',
    subject: 'rows',
    message: 'the daemon went away in the middle of its answer',
  });
}

function leftOut({ truncated, reason, cut, notes = [] }: End): string {
  const parts = [
    ...(truncated ? [`there are more rows: ${reason}`] : []),
    ...(cut > 0 ? [`${cut} long values are cut`] : []),
    ...notes.map((note) => `missing: ${note}`),
  ];
  return parts.length === 0 ? '' : `(${parts.join('; ')})`;
}

function textOf(value: unknown): string {
  return value === null ? '' : typeof value === 'string' ? value : toJson(value);
}

function csv(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
