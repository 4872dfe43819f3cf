import type { Nanoseconds, Sample, TopicSpec } from '../../contract/core.ts';
import { CdrWriter } from '../../formats/cdr/index.ts';

export const CLOCK_TOPIC: TopicSpec = {
  topic: '/clock',
  type: 'rosgraph_msgs/msg/Clock',
  qos: { reliability: 'best_effort', durability: 'volatile', history: 'keep_last', depth: 1 },
};

/** The time of a playback, for nodes with `use_sim_time`. */
export function clockSample(time: Nanoseconds): Sample {
  const writer = new CdrWriter(12);
  writer.int32(Number(time / 1_000_000_000n));
  writer.uint32(Number(time % 1_000_000_000n));
  const { topic, type } = CLOCK_TOPIC;
  return { topic, type, stamp: time, received: time, bytes: writer.finish() };
}
