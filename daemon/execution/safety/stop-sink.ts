import type { Sample, SampleSink, TopicSpec } from '../../../contract/core.ts';
import { isCommand } from '../command-topics.ts';
import type { StopLatch } from './stop-latch.ts';

const TWIST_BYTES = 48;
const HEADER_BYTES = 4;

/**
 * The last door to the robot: while the emergency stop is engaged no command passes, whoever sends it, but standing
 * still. What is withheld counts as taken and is counted here: a sender that tried it again would move the robot with
 * what it asked for before the stop.
 */
export class StopSink implements SampleSink {
  readonly #sink: SampleSink;
  readonly #latch: StopLatch;
  readonly #commands: ReadonlySet<string>;
  #withheld = 0;

  /** `commands`: topics that move this robot, beside those that move any. */
  constructor(sink: SampleSink, latch: StopLatch, commands: readonly string[]) {
    this.#sink = sink;
    this.#latch = latch;
    this.#commands = new Set(commands);
  }

  /** Commands that did not reach the robot, since the start. */
  get withheld(): number {
    return this.#withheld;
  }

  advertise(topic: TopicSpec): Promise<void> {
    return this.#sink.advertise(topic);
  }

  offer(sample: Sample): boolean {
    if (!this.#latch.engaged || !this.#moves(sample) || isStanding(sample)) return this.#sink.offer(sample);
    this.#withheld++;
    return true;
  }

  close(): Promise<void> {
    return this.#sink.close();
  }

  #moves(sample: Sample): boolean {
    return this.#commands.has(sample.topic) || isCommand(sample);
  }
}

/** A velocity of zero in all six axes: with a header it stands at the end of the message. */
function isStanding({ type, bytes }: Sample): boolean {
  const stamped = type === 'geometry_msgs/msg/TwistStamped';
  if (!stamped && type !== 'geometry_msgs/msg/Twist') return false;
  const from = stamped ? bytes.byteLength - TWIST_BYTES : HEADER_BYTES;
  if (from < HEADER_BYTES || bytes.byteLength - from < TWIST_BYTES) return false;
  for (let i = from; i < from + TWIST_BYTES; i++) if (bytes[i] !== 0) return false;
  return true;
}
