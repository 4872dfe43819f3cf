import {
  EdgeError,
  type Sample,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../contract/core.ts';
import type { RosHost } from './ros-host.ts';

/** Topics of a ROS graph as samples. Types are looked up by the host; an unknown one refuses the opening. */
export class RosSource implements SampleSource {
  readonly #host: RosHost;
  readonly #channels: number[] = [];
  #closed = false;

  constructor(host: RosHost) {
    this.#host = host;
  }

  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    if (this.#closed) {
      throw new EdgeError('ros.failed', {
        operation: 'open',
        subject: 'ros source',
        message: 'already closed',
      });
    }
    await this.#host.start(this);
    try {
      for (const topic of topics) this.#channels.push(await this.#host.subscribe(topic, onSample));
    } catch (error) {
      // Whoever tries again must not hear the first topics twice.
      this.#forget();
      throw error;
    }
    this.#host.onState((state) => {
      if (!this.#closed) onState(state);
    });
    onState(this.#host.state());
  }

  state(): SourceState {
    return this.#host.state();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#forget();
    await this.#host.release(this);
  }

  #forget(): void {
    for (const channel of this.#channels.splice(0)) this.#host.unsubscribe(channel);
  }
}
