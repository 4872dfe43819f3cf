import type { Sample, TopicSpec } from '../sample.ts';

/**
 * Where samples go: a robot's topics, a simulation. `offer` never blocks and never throws: it returns false
 * when the sample was not taken (queue full, not connected), and the caller counts it. Sinks that move
 * something carry their own watchdog: without a fresh command within `LIMITS.COMMAND_EXPIRY_MS` the robot is
 * stopped by the side nearest to it. Their type or `TopicSpec.speeds` says which topics those are.
 */
export interface SampleSink {
  advertise(topic: TopicSpec): Promise<void>;
  offer(sample: Sample): boolean;
  /** No further sample of this topic comes: what was made for it goes. Absent: it stays until the close. */
  withdraw?(topic: string): Promise<void>;
  close(): Promise<void>;
}
