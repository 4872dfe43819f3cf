import { compilePattern, type TopicTable } from '../../contract/core.ts';
import { column, type Table } from './tables.ts';

/** Which segments were read into which table of messages, each row at the position of the event that sealed it. */
export const TOPIC_SEGMENTS: Table = {
  name: 'topic_segments',
  text: 'segments that were read into tables of topics ([[lake.topics]])',
  columns: [
    column('name', 'VARCHAR', 'table of messages'),
    column('spec', 'VARCHAR', 'JSON: topics and types of that table when it was read'),
    column('path', 'VARCHAR', 'segment, relative to the data directory'),
    column('sha256', 'VARCHAR', 'of the file, as it was sealed'),
    column('messages', 'BIGINT', 'messages that were taken from it'),
    column('fault', 'VARCHAR', 'why it could not be read whole; NULL when it was'),
  ],
  rows: () => [],
};

/** A table of messages with its patterns compiled. */
export type TopicSpec = {
  readonly name: string;
  readonly spec: string;
  readonly text: string;
  takes(topic: string, type: string): boolean;
};

export function topicSpec({ table, topics, types }: TopicTable): TopicSpec {
  const patterns = topics.map(compilePattern);
  const of = [...topics, ...types].join(', ');
  return {
    name: table,
    spec: JSON.stringify([topics, types]),
    text: `recorded messages of ${of}, out of the sealed segments; fields as the definition in the recording has them`,
    takes: (topic, type) =>
      (patterns.length === 0 || patterns.some((pattern) => pattern.match(topic) !== undefined)) &&
      (types.length === 0 || types.includes(type)),
  };
}
