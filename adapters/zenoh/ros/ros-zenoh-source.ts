import {
  EdgeError,
  type GraphSnapshot,
  type Sample,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../../contract/core.ts';
import { qosForPublishers } from '../../../formats/ros2/qos.ts';
import type { RosZenohSession } from './session.ts';
import { TopicReader } from './topic-reader.ts';

export type RosZenohSourceOptions = {
  /** Also reads every other topic of the graph that this admits, as soon as somebody publishes it. */
  readonly discover?: (topic: string) => boolean;
  /** Called with topics that discovery found, once they are read. */
  readonly onTopics?: (topics: readonly TopicSpec[]) => void;
};

/** Topics that discovery may add; a graph with more needs a narrower list. */
const DISCOVERED_MAX = 1_000;
/** As deep as the recorder wants it: a burst of a second at 1 kHz. */
const DISCOVERED_DEPTH = 1_000;
/** Tokens are written by strangers: what is no name of ROS may be a wildcard, and is not subscribed to. */
const TOPIC_NAME = /^(?:\/[A-Za-z_][A-Za-z0-9_]*)+$/;
const TYPE_NAME = /^\w+\/\w+\/\w+$/;

/** Topics of ROS nodes on rmw_zenoh as samples. Who is there is told by the graph, so a robot may come later. */
export class RosZenohSource implements SampleSource {
  readonly #session: RosZenohSession;
  readonly #options: RosZenohSourceOptions;
  readonly #readers = new Map<string, TopicReader>();
  #watches: readonly { cancel(): void }[] = [];
  #onSample: ((sample: Sample) => void) | undefined;
  #connected = false;
  #overflow = false;
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
      const isOurs = found.publishers.every(({ node }) => node === this.#session.nodeName);
      if (type === undefined || !TYPE_NAME.test(type) || !TOPIC_NAME.test(found.topic)) continue;
      if (isOurs || this.#readers.has(found.topic) || !discover(found.topic)) continue;
      if (this.#readers.size >= DISCOVERED_MAX) {
        this.#tooMany(found.topic);
        return;
      }
      const offered = found.publishers.map(({ qos }) => qos);
      const spec = { topic: found.topic, type, qos: qosForPublishers(offered, DISCOVERED_DEPTH) };
      this.#read(spec).then(
        () => this.#options.onTopics?.([spec]),
        (error: unknown) => {
          if (!this.#closed)
            this.#session.report('error', `${found.topic}: could not be read: ${String(error)}`);
        },
      );
    }
  }

  #tooMany(topic: string): void {
    if (this.#overflow) return;
    this.#overflow = true;
    this.#session.report(
      'error',
      `${topic}: discovery found more than ${DISCOVERED_MAX} topics; narrow ros.discover`,
    );
  }
}
