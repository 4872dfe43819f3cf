import { EdgeError } from '../../contract/core.ts';
import { profileLines, profilesOf, type QosProfile } from './qos-profiles.ts';
import { parseYaml, type YamlValue } from './yaml.ts';

export type BagFileFacts = {
  /** Relative to the folder. */
  readonly path: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly messages: number;
};
export type BagTopicFacts = {
  readonly topic: string;
  readonly type: string;
  readonly messages: number;
  readonly profiles: readonly QosProfile[];
  /** RIHS01 hash where the bag knows it, else empty. */
  readonly typeHash: string;
};
export type BagMetadata = {
  readonly storage: 'mcap' | 'sqlite3';
  readonly files: readonly BagFileFacts[];
  readonly topics: readonly BagTopicFacts[];
  readonly customData?: Readonly<Record<string, string>>;
  readonly rosDistro?: string;
};

/** The useful part of a foreign metadata.yaml; the rest is taken from the files themselves. */
export type BagNotes = {
  readonly version: number;
  readonly storage: string;
  /** Names within the folder, in the order of recording. */
  readonly paths: readonly string[];
  readonly messages: number;
  readonly compressionFormat: string;
  /** `file`, `message` or empty. */
  readonly compressionMode: string;
  readonly rosDistro: string;
  readonly customData: Readonly<Record<string, string>>;
  readonly topics: readonly {
    readonly topic: string;
    readonly type: string;
    readonly serialization: string;
    readonly typeHash: string;
    readonly profiles: readonly QosProfile[];
  }[];
};

/** The metadata.yaml of a bag folder in the form of ROS 2 Jazzy, version 9. */
export function formatMetadata(bag: BagMetadata): string {
  const filled = bag.files.filter(({ messages }) => messages > 0);
  let startNs = filled[0]?.startNs ?? 0n;
  let endNs = filled[0]?.endNs ?? 0n;
  for (const file of filled) {
    if (file.startNs < startNs) startNs = file.startNs;
    if (file.endNs > endNs) endNs = file.endNs;
  }
  const custom = Object.entries(bag.customData ?? {});
  const lines = [
    'rosbag2_bagfile_information:',
    '  version: 9',
    `  storage_identifier: ${bag.storage}`,
    '  duration:',
    `    nanoseconds: ${endNs - startNs}`,
    '  starting_time:',
    `    nanoseconds_since_epoch: ${startNs}`,
    `  message_count: ${bag.files.reduce((sum, { messages }) => sum + messages, 0)}`,
    ...listOf('topics_with_message_count', bag.topics, topicLines),
    "  compression_format: ''",
    "  compression_mode: ''",
    ...listOf('relative_file_paths', bag.files, ({ path }) => [`    - ${text(path)}`]),
    ...listOf('files', bag.files, (file) => [
      `    - path: ${text(file.path)}`,
      '      starting_time:',
      `        nanoseconds_since_epoch: ${file.startNs}`,
      '      duration:',
      `        nanoseconds: ${file.endNs - file.startNs}`,
      `      message_count: ${file.messages}`,
    ]),
    ...(custom.length === 0
      ? ['  custom_data: null']
      : ['  custom_data:', ...custom.map(([key, value]) => `    ${text(key)}: ${text(value)}`)]),
    `  ros_distro: ${text(bag.rosDistro ?? '')}`,
  ];
  return `${lines.join('\n')}\n`;
}

function topicLines({ topic, type, messages, profiles, typeHash }: BagTopicFacts): string[] {
  const offered = profileLines(profiles).map((line) => `          ${line}`);
  return [
    '    - topic_metadata:',
    `        name: ${text(topic)}`,
    `        type: ${text(type)}`,
    '        serialization_format: cdr',
    ...(offered.length === 0
      ? ['        offered_qos_profiles: []']
      : ['        offered_qos_profiles:', ...offered]),
    `        type_description_hash: ${text(typeHash)}`,
    `      message_count: ${messages}`,
  ];
}

function listOf<T>(key: string, items: readonly T[], lines: (item: T) => string[]): string[] {
  return items.length === 0 ? [`  ${key}: []`] : [`  ${key}:`, ...items.flatMap(lines)];
}

/** JSON strings are YAML strings. */
function text(value: string): string {
  return JSON.stringify(value);
}

/** Reads a metadata.yaml of any rosbag2 release. Throws `bag.malformed`, naming `subject` and what is wrong. */
export function parseMetadata(yaml: string, subject: string): BagNotes {
  const info = mapOf(mapOf(parseYaml(yaml, subject))?.['rosbag2_bagfile_information']);
  if (!info) {
    throw new EdgeError('bag.malformed', {
      operation: 'read-metadata',
      subject,
      message: 'the key rosbag2_bagfile_information is missing',
      hint: 'rename metadata.yaml to read the files of the folder without it',
    });
  }
  const custom = Object.entries(mapOf(info['custom_data']) ?? {});
  return {
    version: countOf(info['version']),
    storage: textOf(info['storage_identifier']),
    paths: listIn(info['relative_file_paths'])
      .map(textOf)
      .filter((path) => path !== ''),
    messages: countOf(info['message_count']),
    compressionFormat: textOf(info['compression_format']),
    compressionMode: textOf(info['compression_mode']).toLowerCase(),
    rosDistro: textOf(info['ros_distro']),
    customData: Object.fromEntries(custom.map(([key, value]) => [key, textOf(value)])),
    topics: listIn(info['topics_with_message_count']).flatMap((item) => {
      const topic = mapOf(mapOf(item)?.['topic_metadata']);
      return topic
        ? [
            {
              topic: textOf(topic['name']),
              type: textOf(topic['type']),
              serialization: textOf(topic['serialization_format']) || 'cdr',
              typeHash: textOf(topic['type_description_hash']),
              profiles: profilesOf(topic['offered_qos_profiles']),
            },
          ]
        : [];
    }),
  };
}

function mapOf(value: YamlValue | undefined): { [key: string]: YamlValue } | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
}

function listIn(value: YamlValue | undefined): YamlValue[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: YamlValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function countOf(value: YamlValue | undefined): number {
  const count = Number(textOf(value));
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}
