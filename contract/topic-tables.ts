import type { TopicTable } from './ports/lake.ts';

const byType = (table: string, ...types: string[]): TopicTable => ({ table, topics: [], types });

/** What a robot is asked about most, by type whatever the topics are called; `lake.default_topics` switches them off. */
export const DEFAULT_TOPIC_TABLES: readonly TopicTable[] = [
  byType('odometry', 'nav_msgs/msg/Odometry'),
  byType('poses', 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PoseWithCovarianceStamped'),
  byType('battery', 'sensor_msgs/msg/BatteryState'),
  byType('diagnostics', 'diagnostic_msgs/msg/DiagnosticArray'),
  byType('tf', 'tf2_msgs/msg/TFMessage'),
  byType('commands', 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'),
  // What the timeline of a recording shows, without another look into its segments.
  { table: 'recorded_events', topics: ['/auraison/events'], types: [] },
];

/** Names of tables and views that the lakehouse has anyway. */
export const LAKE_NAMES: ReadonlySet<string> = new Set([
  ...['epochs', 'events', 'run_events', 'tool_events', 'segments', 'evictions', 'clips', 'episode_events'],
  ...['annotation_events', 'annotations'],
  ...['losses', 'action_steps', 'step_segments', 'topic_segments'],
  ...['runs', 'tool_calls', 'episodes', 'bags', 'actions', 'messages'],
]);

/** The configured tables, and the defaults that none of them replaces by its name. */
export function topicTables(rows: readonly TopicTable[], withDefaults: boolean): readonly TopicTable[] {
  const names = new Set(rows.map(({ table }) => table));
  return withDefaults ? [...rows, ...DEFAULT_TOPIC_TABLES.filter(({ table }) => !names.has(table))] : rows;
}
