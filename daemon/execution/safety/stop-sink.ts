import type { Sample, SampleSink, TopicSpec } from '../../../contract/core.ts';
import { decodeFloat64MultiArray, FLOAT64_MULTI_ARRAY } from '../../../formats/cdr/index.ts';
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
  readonly #speeds: ReadonlySet<string>;
  #withheld = 0;

  /**
   * `commands`: topics that move this robot, beside those that move any. `speeds`: those of them that are velocities
   * of joints, of which zeros are standing still; of positions they are a place to go to.
   */
  constructor(
    sink: SampleSink,
    latch: StopLatch,
    commands: readonly string[],
    speeds: readonly string[] = [],
  ) {
    this.#speeds = new Set(speeds);
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
    if (!this.#latch.engaged || !this.#moves(sample) || this.#stands(sample)) return this.#sink.offer(sample);
    this.#withheld++;
    return true;
  }

  close(): Promise<void> {
    return this.#sink.close();
  }

  #stands(sample: Sample): boolean {
    if (isStanding(sample)) return true;
    return this.#speeds.has(sample.topic) && sample.type === FLOAT64_MULTI_ARRAY && areZeros(sample.bytes);
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

function areZeros(bytes: Uint8Array): boolean {
  try {
    return decodeFloat64MultiArray(bytes).every((value) => value === 0);
  } catch {
    return false;
  }
}
