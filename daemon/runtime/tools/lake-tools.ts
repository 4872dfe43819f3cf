import {
  type CellBus,
  type Clock,
  type LakeQueryRequest,
  type LakeRows,
  LIMITS,
  METHODS,
  type PolicyContext,
  type Tool,
  withDeadline,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Words } from './kit.ts';
import { recallSql } from './recall-sql.ts';

/** What one answer may cost the context of a model. */
const ROWS_MAX = 500;
const ROWS = 50;
const BYTES_MAX = 48 * 1024;
const CELL_CHARS_MAX = 2_000;
/** What may cross from the lake for one answer: a statement comes from a model, and may come from what it read. */
const ASK_BYTES = { bytes: 2 * BYTES_MAX, valueBytes: 4 * CELL_CHARS_MAX } as const;
const QUERY_MS = 15_000;

const CUT = /… \(\d+ bytes, cut\)$/;

export type LakeParts = { readonly bus: Pick<CellBus, 'request'>; readonly clock: Clock };

/** The lakehouse: one read-only statement, what was before, and what is worth knowing later. */
export function lakeTools({ bus, clock }: LakeParts): readonly Tool[] {
  const ask = (sql: string, limit: number, { tenant, principal }: PolicyContext): Promise<LakeRows> => {
    // Apart from the person: what an agent has read may make it ask for much.
    const by = { tenant, principal: `agent of ${principal}` };
    const body: LakeQueryRequest = { sql, limit, timeoutMs: QUERY_MS, by, ...ASK_BYTES };
    const asked = bus.request('memory', METHODS.memory.query, body, QUERY_MS + 1_000);
    return withDeadline(clock, QUERY_MS + 1_100, asked, 'lake.query', 'memory');
  };
  return [
    houseTool({
      name: 'lake.query',
      description:
        'One read-only SQL statement (DuckDB) on everything this robot logged and recorded. `show tables` and ' +
        "`describe runs` show what there is; messages('/topic', since, until) reads a recorded topic; payloads are JSON text, in brackets to compare: (payload->>'$.reason') = 'x'.",
      input: Type.Object(
        {
          sql: Words(8_192, 'one SELECT, SHOW, DESCRIBE or WITH statement'),
          rows_max: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: ROWS_MAX,
              description: `rows at most; ${ROWS} where absent`,
            }),
          ),
        },
        closed,
      ),
      effect: 'read',
      replay: 'safe',
      deadlineMs: QUERY_MS + 2_000,
      run: async ({ sql, rows_max = ROWS }, { intent }) => ({
        result: shown(await ask(sql, rows_max, intent.policy_ctx)),
      }),
    }),
    houseTool({
      name: 'memory.recall',
      description:
        'Searches what this robot did and noted before, also in earlier runs: notes, runs with their ends, calls ' +
        'of tools. The newest first. What just happened may take a second to be found.',
      input: Type.Object(
        {
          text: Type.Optional(
            Words(256, 'words that have to occur, upper and lower case alike; absent: all'),
          ),
          among: Type.Optional(
            Type.Union([Type.Literal('notes'), Type.Literal('runs'), Type.Literal('calls')], {
              description: 'notes where absent',
            }),
          ),
          within_h: Type.Optional(
            Type.Number({ minimum: 0.1, maximum: 87_600, description: 'not older than this, hours' }),
          ),
          rows_max: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100, description: 'at most this many; 20 where absent' }),
          ),
        },
        closed,
      ),
      effect: 'read',
      replay: 'safe',
      deadlineMs: QUERY_MS + 2_000,
      run: async ({ text, among = 'notes', within_h, rows_max = 20 }, { intent }) => {
        const sinceNs =
          within_h === undefined ? undefined : clock.now() - BigInt(Math.round(within_h * 3.6e12));
        const sql = recallSql({ among, text, sinceNs, tenant: intent.policy_ctx.tenant });
        return { result: shown(await ask(sql, rows_max, intent.policy_ctx)) };
      },
    }),
    houseTool({
      name: 'memory.note',
      description:
        'Keeps a note for later runs of this robot; memory.recall finds it. One fact per note, with what makes it ' +
        'findable: names, places with coordinates, dates.',
      input: Type.Object(
        {
          text: Words(2_000, 'the note'),
          tags: Type.Optional(
            Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,31}$' }), {
              maxItems: 8,
              description: 'lower-case words to group notes by',
            }),
          ),
        },
        closed,
      ),
      effect: 'write',
      // The call itself, in the log, is the note: nothing else happens, and an open one is simply answered.
      replay: 'safe',
      deadlineMs: LIMITS.CELL_REQUEST_MS,
      run: async () => ({ result: { noted: true } }),
    }),
  ];
}

/** Rows as they fit into an answer: the first ones, each value cut, and whether there was more. */
function shown({ columns, rows, truncated, notes }: LakeRows): Record<string, unknown> {
  const fitting: unknown[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const cells = row.map(cell);
    bytes += Buffer.byteLength(JSON.stringify(cells));
    if (bytes > BYTES_MAX) break;
    fitting.push(cells);
  }
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    rows: fitting,
    rows_shown: fitting.length,
    more: truncated || fitting.length < rows.length,
    ...(notes ? { missing: notes } : {}),
  };
}

function cell(value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return value.toString();
  const text = typeof value === 'string' ? value : (JSON.stringify(value, bigints) ?? '');
  if (text.length <= CELL_CHARS_MAX) return text;
  // A text that the lake cut ends with its true length.
  const mark = CUT.exec(text)?.[0] ?? `… (${text.length} characters)`;
  return `${text.slice(0, CELL_CHARS_MAX)}${mark}`;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
