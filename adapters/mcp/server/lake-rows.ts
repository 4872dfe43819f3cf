import { LIMITS, METHODS, withDeadline } from '../../../contract/index.ts';
import type { RobotMcpPorts } from './server-ports.ts';

export const BAGS_SQL =
  'SELECT bag, min(start_time)::VARCHAR AS start_time, max(end_time)::VARCHAR AS end_time, ' +
  'sum(bytes)::BIGINT AS bytes, sum(messages)::BIGINT AS messages, count(*)::BIGINT AS segments ' +
  'FROM segments GROUP BY bag ORDER BY max(ts) DESC LIMIT 200';

const ANSWER_BYTES = 512 * 1024;

/** Rows of one statement of this room as objects. Rejects as the lake does. */
export async function lakeRows(
  { bus, clock }: Pick<RobotMcpPorts, 'bus' | 'clock'>,
  sql: string,
): Promise<readonly Record<string, unknown>[]> {
  const body = { sql, limit: 200, timeoutMs: LIMITS.CELL_REQUEST_MS, bytes: ANSWER_BYTES };
  const asked = bus.request('memory', METHODS.memory.query, body, LIMITS.CELL_REQUEST_MS + 500);
  const answer = await withDeadline(clock, LIMITS.CELL_REQUEST_MS + 600, asked, 'lake.query', 'memory');
  return answer.rows.map((row) =>
    Object.fromEntries(answer.columns.map(({ name }, index) => [name, plain(row[index])])),
  );
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
