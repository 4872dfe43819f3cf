import type { Qos } from '../../../contract/core.ts';
import {
  type BagTopicFacts,
  formatMetadata,
  parseProfiles,
  profileLines,
  profileOf,
} from '../../../formats/rosbag2/index.ts';

export type SegmentFacts = {
  readonly file: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly topics: ReadonlyMap<
    string,
    { readonly type: string; readonly qos: string; readonly messages: number }
  >;
};

/** QoS of a topic as rosbag2 writes it into channel metadata: a YAML list; empty where it is not known. */
export function qosProfiles(qos: Qos | undefined): string {
  return qos ? profileLines([profileOf(qos)]).join('\n') : '';
}

/** The metadata.yaml of a bag folder for its sealed segments. */
export function bagMetadata(segments: readonly SegmentFacts[]): string {
  const topics = new Map<string, BagTopicFacts>();
  for (const segment of segments) {
    for (const [topic, { type, qos, messages }] of segment.topics) {
      const known = topics.get(topic) ?? {
        topic,
        type,
        messages: 0,
        profiles: parseProfiles(qos),
        typeHash: '',
      };
      topics.set(topic, { ...known, messages: known.messages + messages });
    }
  }
  const files = segments.map(({ file, startNs, endNs, topics: counts }) => ({
    path: file,
    startNs,
    endNs,
    messages: [...counts.values()].reduce((sum, { messages }) => sum + messages, 0),
  }));
  return formatMetadata({ storage: 'mcap', files, topics: [...topics.values()] });
}
