import type { Qos } from '../../../contract/index.ts';

export type SegmentFacts = {
  readonly file: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly topics: ReadonlyMap<
    string,
    { readonly type: string; readonly qos: string; readonly messages: number }
  >;
};

/** QoS of a topic as rosbag2 writes it into channel metadata: a YAML list. Durations are "unlimited". */
export function qosProfiles(qos: Qos | undefined): string {
  if (!qos) return '';
  const unlimited = ['  sec: 9223372036', '  nsec: 854775807'].map((line) => `  ${line}`).join('\n');
  return [
    `- history: ${qos.history}`,
    `  depth: ${qos.depth}`,
    `  reliability: ${qos.reliability}`,
    `  durability: ${qos.durability}`,
    `  deadline:\n${unlimited}`,
    `  lifespan:\n${unlimited}`,
    '  liveliness: automatic',
    `  liveliness_lease_duration:\n${unlimited}`,
    '  avoid_ros_namespace_conventions: false',
  ].join('\n');
}

/** The metadata.yaml of a bag folder in the form of ROS 2 Jazzy (version 9), for its sealed segments. */
export function bagMetadata(segments: readonly SegmentFacts[]): string {
  const filled = segments.filter((segment) => total(segment) > 0);
  let start = filled[0]?.startNs ?? 0n;
  let end = filled[0]?.endNs ?? 0n;
  for (const segment of filled) {
    if (segment.startNs < start) start = segment.startNs;
    if (segment.endNs > end) end = segment.endNs;
  }
  const lines = [
    'rosbag2_bagfile_information:',
    '  version: 9',
    '  storage_identifier: mcap',
    '  duration:',
    `    nanoseconds: ${end - start}`,
    '  starting_time:',
    `    nanoseconds_since_epoch: ${start}`,
    `  message_count: ${segments.reduce((sum, segment) => sum + total(segment), 0)}`,
    ...topicLines(segments),
    "  compression_format: ''",
    "  compression_mode: ''",
    ...listOf('relative_file_paths', segments, (segment) => [`    - ${text(segment.file)}`]),
    ...listOf('files', segments, (segment) => [
      `    - path: ${text(segment.file)}`,
      '      starting_time:',
      `        nanoseconds_since_epoch: ${segment.startNs}`,
      '      duration:',
      `        nanoseconds: ${segment.endNs - segment.startNs}`,
      `      message_count: ${total(segment)}`,
    ]),
    '  custom_data: null',
    "  ros_distro: ''",
  ];
  return `${lines.join('\n')}\n`;
}

function topicLines(segments: readonly SegmentFacts[]): string[] {
  const topics = new Map<string, { type: string; qos: string; messages: number }>();
  for (const segment of segments) {
    for (const [name, { type, qos, messages }] of segment.topics) {
      const known = topics.get(name);
      if (known) known.messages += messages;
      else topics.set(name, { type, qos, messages });
    }
  }
  return listOf('topics_with_message_count', [...topics], ([name, { type, qos, messages }]) => [
    '    - topic_metadata:',
    `        name: ${text(name)}`,
    `        type: ${text(type)}`,
    '        serialization_format: cdr',
    ...(qos === ''
      ? ['        offered_qos_profiles: []']
      : ['        offered_qos_profiles:', ...qos.split('\n').map((line) => `          ${line}`)]),
    "        type_description_hash: ''",
    `      message_count: ${messages}`,
  ]);
}

function listOf<T>(key: string, items: readonly T[], lines: (item: T) => string[]): string[] {
  return items.length === 0 ? [`  ${key}: []`] : [`  ${key}:`, ...items.flatMap(lines)];
}

function total(segment: SegmentFacts): number {
  let sum = 0;
  for (const { messages } of segment.topics.values()) sum += messages;
  return sum;
}

/** JSON strings are YAML strings. */
function text(value: string): string {
  return JSON.stringify(value);
}
