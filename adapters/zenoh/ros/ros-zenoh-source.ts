import {
  EdgeError,
  type GraphSnapshot,
  type GraphTopic,
  type Qos,
  type Sample,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../../contract/core.ts';
import type { RosZenohSession } from './session.ts';
import { TopicReader } from './topic-reader.ts';

export type RosZenohSourceOptions = {
  /** Also reads every other topic of the graph that this admits, as soon as somebody publishes it. */
  readonly discover?: (topic: string) => boolean;
};

/** Topics of ROS nodes on rmw_zenoh as samples. Who is there is told by the graph, so a robot may come later. */
export class RosZenohSource implements SampleSource {
  readonly #session: RosZenohSession;
  readonly #options: RosZenohSourceOptions;
  readonly #readers = new Map<string, TopicReader>();
  #watches: readonly { cancel(): void }[] = [];
  #onSample: ((sample: Sample) => void) | undefined;
  #connected = false;
  #closed = false;

  constructor(session: RosZenohSession, options: RosZenohSourceOptions = {}) {
    this.#session = session;
    this.#options = options;
  }

  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    if (this.#closed) {
      throw new EdgeError('ros.failed', {
        operation: 'open',
        subject: 'ROS over Zenoh',
        message: 'already closed',
      });
    }
    await this.#session.start(this);
    this.#onSample = onSample;
    try {
      await Promise.all(topics.map((topic) => this.#read(topic)));
    } catch (error) {
      await this.#forget();
      throw error;
    }
    this.#connected = this.#session.strangers() > 0;
    onState(this.state());
    const nodes = this.#session.graph.listen((entity) => {
      const connected = this.#session.strangers() > 0;
      if (entity.end || connected === this.#connected || this.#closed) return;
      this.#connected = connected;
      onState(this.state());
    });
    const topicsSeen = this.#session.graph.watch((graph) => this.#discover(graph));
    this.#watches = [nodes, topicsSeen];
  }

  state(): SourceState {
    const lost: Record<string, number> = {};
    for (const [topic, reader] of this.#readers) if (reader.lost > 0) lost[topic] = reader.lost;
    if (this.#closed) return { connected: false, reason: 'closed', lost };
    const connected = this.#connected;
    const { domain } = this.#session.options;
    return { connected, reason: connected ? '' : `no ROS node is seen over Zenoh in domain ${domain}`, lost };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connected = false;
    for (const watch of this.#watches) watch.cancel();
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()));
    await this.#session.release(this);
  }

  async #read(spec: TopicSpec): Promise<void> {
    if (this.#readers.has(spec.topic)) return;
    const reader = new TopicReader(this.#session, spec, (sample) => this.#onSample?.(sample));
    this.#readers.set(spec.topic, reader);
    try {
      await reader.open();
    } catch (error) {
      this.#readers.delete(spec.topic);
      throw error;
    }
  }

  /** Whoever tries again must not hear the first topics twice. */
  async #forget(): Promise<void> {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  #discover(graph: GraphSnapshot): void {
    const { discover } = this.#options;
    if (!discover || this.#closed) return;
    for (const found of graph.topics) {
      const type = found.publishers.at(0)?.type;
      if (type === undefined || this.#readers.has(found.topic) || !discover(found.topic)) continue;
      this.#read({ topic: found.topic, type, qos: heardQos(found) }).catch((error: unknown) => {
        if (!this.#closed)
          this.#session.report('error', `${found.topic}: could not be read: ${String(error)}`);
      });
    }
  }
}

/** What all publishers of a topic can keep. */
function heardQos({ publishers }: GraphTopic): Qos {
  const all = (fits: (qos: Qos) => boolean) => publishers.every(({ qos }) => fits(qos));
  return {
    reliability: all((qos) => qos.reliability === 'reliable') ? 'reliable' : 'best_effort',
    durability: all((qos) => qos.durability === 'transient_local') ? 'transient_local' : 'volatile',
    history: 'keep_last',
    depth: Math.max(...publishers.map(({ qos }) => qos.depth)),
  };
}
