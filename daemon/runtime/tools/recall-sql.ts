export type Recall = {
  readonly among: 'notes' | 'runs' | 'calls';
  readonly text: string | undefined;
  /** Nanoseconds since the Unix epoch. */
  readonly sinceNs: bigint | undefined;
  readonly tenant: string;
};

/**
 * The statement that finds what was before. Only runs whose intent was accepted for this tenant count: another
 * tenant's notes do not exist. Everything that came from outside is a quoted literal.
 */
export function recallSql({ among, text, sinceNs, tenant }: Recall): string {
  const mine =
    "WITH mine AS (SELECT run_id FROM events WHERE kind = 'intent.accepted' " +
    `AND (payload->>'$.intent.policy_ctx.tenant') = ${literal(tenant)}) `;
  const since = sinceNs === undefined ? '' : ` AND epoch_ns(ts) >= ${sinceNs}`;
  const words = (text ?? '').split(/\s+/).filter((word) => word !== '');
  const has = (column: string) =>
    words.map((word) => ` AND contains(lower(${column}), lower(${literal(word)}))`).join('');
  switch (among) {
    case 'notes':
      return (
        `${mine}SELECT strftime(called.ts::TIMESTAMP, '%Y-%m-%dT%H:%M:%SZ') AS noted_at, called.run_id, ` +
        "called.args->>'$.text' AS note, called.args->>'$.tags' AS tags FROM tool_events called " +
        "WHERE called.kind = 'tool.called' AND called.tool = 'memory.note' AND called.run_id IN (FROM mine) " +
        // A note that a policy refused does not count.
        "AND called.call_id IN (SELECT call_id FROM tool_events WHERE kind = 'tool.returned' AND ok)" +
        `${since.replace('ts', 'called.ts')}${has('called.args')} ORDER BY called.ts DESC`
      );
    case 'runs':
      return (
        `${mine}SELECT strftime(ts::TIMESTAMP, '%Y-%m-%dT%H:%M:%SZ') AS ended_at, run_id, status, reason, score, ` +
        "summary, error_code FROM run_events WHERE kind = 'run.finished' AND run_id IN (FROM mine)" +
        `${since}${has("concat_ws(' ', reason, summary, error_code, app, intent_type)")} ORDER BY ts DESC`
      );
    case 'calls':
      return (
        `${mine}SELECT strftime(ts::TIMESTAMP, '%Y-%m-%dT%H:%M:%SZ') AS returned_at, run_id, tool, ok, result, ` +
        "error_message FROM tool_events WHERE kind = 'tool.returned' AND run_id IN (FROM mine)" +
        `${since}${has("concat_ws(' ', tool, result, error_message)")} ORDER BY ts DESC`
      );
  }
}

/** A string of SQL: only the quote ends it. What no log can hold (NUL) is left out. */
function literal(text: string): string {
  return `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`;
}
