import { parseProfiles } from '../../formats/rosbag2/index.ts';
import type { Bag, BagChannel, BagMessage } from './bag.ts';

/** Messages kept of a topic whose depth is unknown (recorded before Iron). */
const UNKNOWN_DEPTH_MAX = 1000;

/** How many messages a late subscriber of the channel gets: 0 where it is not transient local. */
export function latchedDepth({ topic, metadata }: BagChannel): number {
  const profiles = parseProfiles(metadata.get('offered_qos_profiles') ?? '').filter(
    ({ durability }) => durability === 'transient_local',
  );
  // By convention, where the bag says nothing.
  if (profiles.length === 0) return topic.endsWith('/tf_static') ? UNKNOWN_DEPTH_MAX : 0;
  const isKnown = profiles.every(({ history, depth }) => history === 'keep_last' && depth > 0);
  return isKnown ? profiles.reduce((sum, { depth }) => sum + depth, 0) : UNKNOWN_DEPTH_MAX;
}

/**
 * The messages of transient local topics that a subscriber at `startNs` would get: their last messages
 * before it, oldest first. Other topics are not read where the file has an index.
 */
export async function latchedBefore(
  bag: Bag,
  startNs: bigint,
  topics: ReadonlySet<string> | undefined,
): Promise<BagMessage[]> {
  const depths = new Map<string, number>();
  for (const channel of bag.channels) {
    const depth = latchedDepth(channel);
    if (depth > 0 && (!topics || topics.has(channel.topic))) {
      depths.set(channel.topic, Math.max(depth, depths.get(channel.topic) ?? 0));
    }
  }
  if (depths.size === 0 || startNs <= bag.startNs) return [];
  const held = new Map<string, BagMessage[]>();
  const filter = { topics: new Set(depths.keys()), endNs: startNs, onDamage: () => {} };
  for await (const message of bag.records(filter)) {
    const { topic } = message.channel;
    const messages = held.get(topic) ?? [];
    messages.push({ ...message, bytes: new Uint8Array(message.bytes) });
    if (messages.length > depths.get(topic)!) messages.shift();
    held.set(topic, messages);
  }
  return [...held.values()]
    .flat()
    .sort((a, b) => (a.logTime < b.logTime ? -1 : a.logTime > b.logTime ? 1 : 0));
}
