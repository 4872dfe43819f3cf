import type { Sample, SampleSink, TopicSpec } from '../../contract/index.ts';
import type { RosHost } from './ros-host.ts';

/**
 * Samples as publications of a ROS graph. Velocity topics are guarded by the host process: a command that
 * is not renewed in time is answered there by a stop, whatever became of this process.
 */
export class RosSink implements SampleSink {
  readonly #host: RosHost;
  readonly #channels = new Map<string, number>();
  #closed = false;

  constructor(host: RosHost) {
    this.#host = host;
  }

  async advertise(topic: TopicSpec): Promise<void> {
    if (this.#channels.has(topic.topic)) return;
    await this.#host.start(this);
    this.#channels.set(topic.topic, await this.#host.advertise(topic));
  }

  offer(sample: Sample): boolean {
    const channel = this.#channels.get(sample.topic);
    if (channel === undefined || this.#closed) return false;
    return this.#host.publish(channel, sample.bytes, sample.expiresAtMs);
  }

  async withdraw(topic: string): Promise<void> {
    const channel = this.#channels.get(topic);
    if (channel === undefined || !this.#host.withdraw(channel)) return;
    this.#channels.delete(topic);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#host.release(this);
  }
}
