import { decodeTf, TF_MESSAGE } from '../../formats/cdr/index.ts';
import { parseProfiles } from '../../formats/rosbag2/index.ts';
import type { Bag, BagChannel, BagMessage } from './bag.ts';

/** Messages kept of a topic of which a late subscriber gets all. */
const ALL_MAX = 1000;

/** How many messages a late subscriber of the channel gets: 0 where it is not transient local. */
export function latchedDepth({ topic, metadata }: BagChannel): number {
  const profiles = parseProfiles(metadata.get('offered_qos_profiles') ?? '').filter(
    ({ durability }) => durability === 'transient_local',
  );
  // By convention, where the bag says nothing; each of its publishers may have sent several messages.
  if (isStaticTf(topic)) return ALL_MAX;
  // The depth of a publisher that does not say it is 1: what it sent last is what holds.
  const depths = profiles.map(({ history, depth }) =>
    history === 'keep_all' ? ALL_MAX : history === 'keep_last' && depth > 0 ? depth : 1,
  );
  return Math.min(
    ALL_MAX,
    depths.reduce((sum, depth) => sum + depth, 0),
  );
}

function isStaticTf(topic: string): boolean {
  return topic.endsWith('/tf_static');
}

/** Static transforms that still hold: messages that say the last word on at least one frame. */
function inForce(messages: readonly BagMessage[]): BagMessage[] {
  const said = new Set<string>();
  const held: BagMessage[] = [];
  for (const message of [...messages].reverse()) {
    const frames = framesOf(message);
    if (frames?.every((frame) => said.has(frame))) continue;
    for (const frame of frames ?? []) said.add(frame);
    held.unshift(message);
  }
  return held;
}

/** Undefined where it cannot be decoded. */
function framesOf({ channel, bytes }: BagMessage): string[] | undefined {
  if (channel.type !== TF_MESSAGE) return undefined;
  try {
    return decodeTf(bytes).map(({ child_frame_id }) => child_frame_id);
  } catch {
    return undefined;
  }
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
    if (messages.length <= depths.get(topic)!) held.set(topic, messages);
    else if (isStaticTf(topic)) held.set(topic, inForce(messages).slice(-ALL_MAX));
    else held.set(topic, messages.slice(1));
  }
  return [...held]
    .flatMap(([topic, messages]) => (isStaticTf(topic) ? inForce(messages) : messages))
    .sort((a, b) => (a.logTime < b.logTime ? -1 : a.logTime > b.logTime ? 1 : 0));
}
