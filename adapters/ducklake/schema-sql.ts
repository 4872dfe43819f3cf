import { STEP_TABLES } from './step-tables.ts';
import { EPOCHS, POSITION, TABLES, type Table } from './tables.ts';
import { TOPIC_SEGMENTS } from './topic-tables.ts';

/** The lake under this name in every connection, whatever stores it. */
export const LAKE = 'lake';

export type View = { readonly name: string; readonly text: string; readonly sql: string };

/** A goal is recorded when it is sent and at its end: the last row of each, with both times. */
const GOALS = `SELECT * EXCLUDE (stamp), started_at AS stamp,
  CASE WHEN goal_state NOT IN ('running', 'unknown') THEN stamp END AS ended_at
FROM (SELECT DISTINCT ON (coalesce(goal_id, started_at::VARCHAR || goal)) * FROM ${LAKE}.action_steps
  WHERE kind = 'goal' ORDER BY coalesce(goal_id, started_at::VARCHAR || goal), stamp DESC)`;

/** Read models over the append-only tables. */
export const VIEWS: readonly View[] = [
  {
    name: 'runs',
    text: 'one row per run: its latest status, phase and reason, and its times',
    sql: `SELECT run_id, any_value(intent_id) AS intent_id, any_value(intent_type) AS intent_type,
  any_value(app) AS app, any_value(harness) AS harness, max(attempt) AS attempt,
  arg_max(status, seq) FILTER (WHERE status IS NOT NULL) AS status,
  arg_max(phase, seq) FILTER (WHERE phase IS NOT NULL) AS phase,
  arg_max(reason, seq) FILTER (WHERE reason IS NOT NULL) AS reason,
  any_value(score) AS score, any_value(summary) AS summary, any_value(error_code) AS error_code,
  min(ts) AS accepted_at, min(ts) FILTER (WHERE kind = 'run.started') AS started_at,
  max(ts) FILTER (WHERE kind = 'run.finished') AS finished_at, cell, epoch
FROM ${LAKE}.run_events GROUP BY cell, epoch, run_id`,
  },
  {
    name: 'tool_calls',
    text: 'one row per tool call; ok is NULL while it has not returned',
    sql: `SELECT call_id, any_value(run_id) AS run_id, any_value(tool) AS tool, any_value(effect) AS effect,
  any_value(replay) AS replay, any_value(args) AS args, any_value(deadline_ms) AS deadline_ms,
  any_value(ok) AS ok, any_value(result) AS result, any_value(error_code) AS error_code,
  any_value(error_message) AS error_message, any_value(duration_ms) AS duration_ms,
  min(ts) FILTER (WHERE kind = 'tool.called') AS called_at,
  max(ts) FILTER (WHERE kind = 'tool.returned') AS returned_at, cell, epoch
FROM ${LAKE}.tool_events GROUP BY cell, epoch, call_id`,
  },
  {
    name: 'episodes',
    text: 'one row per whole episode: its latest label and outcome; those discarded are gone',
    sql: `SELECT episode_id, any_value(bag) AS bag,
  arg_max(label, seq) FILTER (WHERE label IS NOT NULL) AS label,
  arg_max(success, seq) FILTER (WHERE success IS NOT NULL) AS success,
  any_value(start_time) AS start_time, any_value(end_time) AS end_time,
  any_value(messages) AS messages, any_value(bytes) AS bytes,
  min(ts) FILTER (WHERE kind = 'episode.started') AS started_at,
  max(ts) FILTER (WHERE kind = 'episode.ended') AS ended_at, cell, epoch
FROM ${LAKE}.episode_events GROUP BY cell, epoch, episode_id
HAVING bool_or(kind = 'episode.ended') AND NOT bool_or(kind = 'episode.discarded')`,
  },
  {
    name: 'annotations',
    text: 'what people wrote about times of recordings, as it stands now',
    sql: `SELECT * EXCLUDE (removed, cell, epoch, seq) FROM (SELECT DISTINCT ON (annotation_id) *
  FROM ${LAKE}.annotation_events ORDER BY annotation_id, ts DESC, seq DESC) AS last_word WHERE NOT removed`,
  },
  {
    name: 'bags',
    text: 'one row per recording',
    sql: `SELECT bag, count(*) AS segments, sum(messages)::BIGINT AS messages, sum(bytes)::BIGINT AS bytes,
  min(start_time) AS start_time, max(end_time) AS end_time, bool_or(repaired) AS repaired,
  coalesce(any_value(dropped), 0)::BIGINT AS dropped
FROM (SELECT DISTINCT ON (path) * FROM ${LAKE}.segments
  WHERE path NOT IN (SELECT path FROM ${LAKE}.evictions) ORDER BY path, seq DESC) AS last_seal
LEFT JOIN (SELECT bag, sum(dropped) AS dropped FROM ${LAKE}.losses GROUP BY bag) AS lost USING (bag)
GROUP BY bag`,
  },
  {
    name: 'actions',
    text: 'one row per recorded control step and per goal that a node of the robot carried out, and where it came from',
    sql: `SELECT stamp, controller, kind, names, action, asked, verdict, verdict = 'limited' AS clamped,
  verdict = 'refused' AS refused, reason, chunk_id,
  CASE WHEN observation_time IS NULL THEN [] ELSE [epoch_ns(observation_time)] END AS observation_ids,
  observation_time, policy, policy_hash, plan_step, lease,
  coalesce(moved_for, caller_run) AS run_id, motion_id, segment, cell, epoch, seq,
  goal_id, goal, asked_by, goal_state, ended_at, result
FROM (SELECT *, NULL::TIMESTAMP_NS AS ended_at FROM ${LAKE}.action_steps WHERE kind IS DISTINCT FROM 'goal'
  UNION ALL BY NAME ${GOALS}) AS step
LEFT JOIN (SELECT call_id AS motion_id, any_value(run_id) AS caller_run
  FROM ${LAKE}.tool_events WHERE kind = 'tool.called' GROUP BY call_id) AS caller USING (motion_id)`,
  },
];

const ALL_TABLES: readonly Table[] = [...TABLES, ...STEP_TABLES, TOPIC_SEGMENTS];

/** Statements that create missing tables; with comments, so that \`duckdb_columns()\` explains the lake. */
export function createStatements(): string[] {
  return [...[EPOCHS, ...ALL_TABLES].flatMap(createTable), ...VIEWS.flatMap(createView)];
}

function createTable(table: Table): string[] {
  const columns = [...POSITION, ...table.columns];
  const name = `${LAKE}.${table.name}`;
  return [
    `CREATE TABLE ${name} (${columns.map((c) => `${c.name} ${c.type}`).join(', ')})`,
    `COMMENT ON TABLE ${name} IS ${quote(table.text)}`,
    ...columns.map((c) => `COMMENT ON COLUMN ${name}.${c.name} IS ${quote(c.text)}`),
  ];
}

function createView(view: View): string[] {
  return [
    `CREATE VIEW ${LAKE}.${view.name} AS ${view.sql}`,
    `COMMENT ON VIEW ${LAKE}.${view.name} IS ${quote(view.text)}`,
  ];
}

/** Statements that add the columns a lake of an older version lacks; `there` are `table.column` names. */
export function upgradeStatements(there: ReadonlySet<string>): string[] {
  const isThere = (table: Table) => there.has(`${table.name}.${POSITION[0]!.name}`);
  const added = ALL_TABLES.filter((table) => !isThere(table));
  const columns = ALL_TABLES.filter(isThere).flatMap((table) =>
    table.columns
      .filter((c) => c.before !== undefined && !there.has(`${table.name}.${c.name}`))
      .flatMap((c) => [
        `ALTER TABLE ${LAKE}.${table.name} ADD COLUMN ${c.name} ${c.type} DEFAULT ${c.before}`,
        `COMMENT ON COLUMN ${LAKE}.${table.name}.${c.name} IS ${quote(c.text)}`,
      ]),
  );
  if (added.length === 0 && columns.length === 0) return [];
  const views = VIEWS.flatMap((view) => [`DROP VIEW IF EXISTS ${LAKE}.${view.name}`, ...createView(view)]);
  return [...columns, ...added.flatMap(createTable), ...views];
}

/**
 * Order-independent and duplicate-sensitive: the count and the sums of both halves of each row's MD5. Two
 * lakes with the same rows give the same figures, whatever their batches, files and order.
 */
export function digestStatement(table: Table): string {
  const row = 'to_json(t)::VARCHAR';
  return (
    `SELECT count(*)::VARCHAR, coalesce(sum(md5_number_lower(${row})::HUGEINT), 0)::VARCHAR, ` +
    `coalesce(sum(md5_number_upper(${row})::HUGEINT), 0)::VARCHAR FROM ${LAKE}.${table.name} AS t`
  );
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
