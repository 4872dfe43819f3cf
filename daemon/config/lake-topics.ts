import { LAKE_NAMES, patternFault, type TopicTable } from '../../contract/core.ts';
import { type KeySpec, tables, text, texts } from './spec.ts';
import { rowReader } from './zenoh-rules.ts';

const ROW = rowReader({
  table: text('', 'name of the table', {
    match: /^[a-z][a-z0-9_]{0,62}$/,
    expected: 'a name of lower-case letters, digits and _, at most 63',
  }),
  topics: texts([], 'patterns of topics; empty: any topic with one of the types'),
  types: texts([], 'types of messages, such as sensor_msgs/msg/Imu; empty: any'),
});
const TYPE = /^[A-Za-z]\w*\/(?:msg|srv|action)\/\w+$/;

/** One row of `[[lake.topics]]`. */
function readTopicTable(
  row: Record<string, unknown>,
): { ok: true; value: TopicTable } | { ok: false; expected: string } {
  const read = ROW(row);
  if (!read.ok) return read;
  const { table, topics, types } = read.value;
  if (table === '') return { ok: false, expected: 'table = the name of the table' };
  if (LAKE_NAMES.has(table))
    return { ok: false, expected: `another table than ${table}, which the lakehouse has` };
  if (topics.length === 0 && types.length === 0)
    return { ok: false, expected: 'topics = patterns of topics, or types = types of messages' };
  const pattern = topics.find((one) => patternFault(one) !== undefined);
  if (pattern !== undefined) return { ok: false, expected: `topics: ${pattern} ${patternFault(pattern)}` };
  const type = types.find((one) => !TYPE.test(one));
  if (type !== undefined) return { ok: false, expected: `types: package/msg/Name, not ${type}` };
  return { ok: true, value: { table, topics, types } };
}

const ROWS = tables<TopicTable>('recorded topics as tables: [[lake.topics]]', readTopicTable);

/** `[[lake.topics]]`: each table once. */
export const LAKE_TOPICS: KeySpec<readonly TopicTable[]> = {
  ...ROWS,
  read(value) {
    const read = ROWS.read(value);
    if (!read.ok) return read;
    const names = read.value.map(({ table }) => table);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    return twice === undefined ? read : { ok: false, expected: `each table once: "${twice}" is there twice` };
  },
};
