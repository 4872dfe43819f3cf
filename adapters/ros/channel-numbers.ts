import { type Clock, EdgeError } from '../../contract/core.ts';
import { ROS_LIMITS } from './options.ts';

/** A number is 16 bits on the wire. */
const CHANNELS_MAX = 0x1_0000;

/** The numbers that topics have on the wire, those of them that are let go included. */
export class ChannelNumbers {
  readonly #clock: Clock;
  readonly #free: number[] = [];
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `ros.failed` where all are in use. */
  take(topic: string): number {
    const number = this.#free.shift() ?? this.#next;
    if (number >= CHANNELS_MAX) {
      const message = `${CHANNELS_MAX} topics are open already`;
      throw new EdgeError('ros.failed', { operation: 'open a topic', subject: topic, message });
    }
    if (number === this.#next) this.#next += 1;
    return number;
  }

  /** What is on its way still carries the number: it rests until that must have come. */
  release(number: number): void {
    this.#clock.after(ROS_LIMITS.CHANNEL_REST_MS, () => this.#free.push(number));
  }
}
