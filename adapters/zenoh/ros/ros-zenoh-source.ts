import {
  EdgeError,
  type GraphSnapshot,
  type GraphTopic,
  type Sample,
  type SampleSource,
  type SourceState,
  type Timer,
  type TopicSpec,
} from '../../../contract/core.ts';
import { DiscoveredTopics, NAMES_EXHAUSTED } from '../../../formats/ros2/discovered-topics.ts';
import { qosForPublishers } from '../../../formats/ros2/qos.ts';
import { offeredText, profileOf } from '../../../formats/rosbag2/index.ts';
import type { RosZenohSession } from './session.ts';
import { TopicReader } from './topic-reader.ts';

export type RosZenohSourceOptions = {
  /** Also reads every other topic of the graph that matches, as soon as it is published. */
  readonly discover?: (topic: string) => boolean;
  /** Called with topics that discovery found, once they are read. */
  readonly onTopics?: (topics: readonly TopicSpec[]) => void;
  /** Called with discovered topics that are no longer read, because they had no publisher for a while. */
  readonly onReleased?: (topics: readonly string[]) => void;
  /** How long a discovered topic is kept without a publisher, milliseconds; RELEASE_AFTER_MS if unset. */
  readonly releaseAfterMs?: number;
};

/** Topics that discovery may add at a time; a graph with more needs a narrower list. */
const DISCOVERED_MAX = 1_000;
/** As deep as the recorder wants it: a burst of a second at 1 kHz. */
const DISCOVERED_DEPTH = 1_000;
/** Tokens come from other nodes: an invalid name of ROS may be a wildcard, and is not subscribed to. */
const TOPIC_NAME = /^(?:\/[A-Za-z_][A-Za-z0-9_]*)+$/;
const TYPE_NAME = /^\w+\/\w+\/\w+$/;

/** Topics of ROS nodes on rmw_zenoh as samples. The graph says who is there, so a robot may come later. */
export class RosZenohSource implements SampleSource {
  readonly #session: RosZenohSession;
  readonly #options: RosZenohSourceOptions;
  readonly #readers = new Map<string, TopicReader>();
  readonly #configured = new Set<string>();
  readonly #discovered: DiscoveredTopics;
  /** Losses of closed readers, since the sums of a topic never decrease. */
  readonly #lostBefore = new Map<string, number>();
  #watches: readonly { cancel(): void }[] = [];
  #lookAgain: Timer | undefined;
  #onSample: ((sample: Sample) => void) | undefined;
  #connected = false;
  /** A topic had no place at the last look: reported once, until there was a look at which all had one. */
  #crowded = false;
  /** Topics that were reported to have no name left: the first of those never read, and each that was read before. */
  readonly #toldNames = new Set<string>();
  #closed = false;

  constructor(session: RosZenohSession, options: RosZenohSourceOptions = {}) {
    this.#session = session;
    this.#options = options;
    this.#discovered = new DiscoveredTopics(DISCOVERED_MAX, options.releaseAfterMs);
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
      for (const { topic } of topics) this.#configured.add(topic);
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
    const lost: Record<string, number> = Object.fromEntries(this.#lostBefore);
    for (const [topic, reader] of this.#readers)
      if (reader.lost > 0) lost[topic] = (lost[topic] ?? 0) + reader.lost;
    if (this.#closed) return { connected: false, reason: 'closed', lost };
    const connected = this.#connected;
    const { domain } = this.#session.options;
    return { connected, reason: connected ? '' : `no ROS node is seen over Zenoh in domain ${domain}`, lost };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connected = false;
    this.#lookAgain?.cancel();
    for (const watch of this.#watches) watch.cancel();
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()));
    await this.#session.release(this);
  }

  /**
   * False when it was let go of meanwhile: then the topic may have another reader, which is not touched. It takes over
   * from `before`, which reads on where this fails.
   */
  async #read(spec: TopicSpec, before?: TopicReader): Promise<boolean> {
    if (!before && this.#readers.has(spec.topic)) return true;
    const isDiscovered = !this.#configured.has(spec.topic);
    const onSample = (sample: Sample) => this.#onSample?.(sample);
    const reader = new TopicReader(this.#session, spec, onSample, isDiscovered, before);
    this.#readers.set(spec.topic, reader);
    const isHeld = () => this.#readers.get(spec.topic) === reader;
    try {
      await reader.open();
      return isHeld();
    } catch (error) {
      if (!isHeld()) return false;
      if (before) this.#readers.set(spec.topic, before);
      else this.#readers.delete(spec.topic);
      throw error;
    }
  }

  /** A second try must not report the first topics twice. */
  async #forget(): Promise<void> {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    this.#configured.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  #discover(graph: GraphSnapshot): void {
    const { discover } = this.#options;
    if (!discover || this.#closed) return;
    const found: TopicSpec[] = [];
    for (const published of graph.topics) {
      const { topic } = published;
      if (this.#configured.has(topic) || !TOPIC_NAME.test(topic)) continue;
      const spec = this.#offered(published);
      if (spec && discover(topic)) found.push(spec);
    }
    this.#release(found);
    let refused: string | undefined;
    for (const spec of found) {
      const before = this.#readers.get(spec.topic);
      if (before?.spec.type === spec.type) {
        if (before.spec.qos.durability === spec.qos.durability) before.tellFaults();
        else this.#follow(spec, before);
        continue;
      }
      if (before) {
        this.#drop(spec.topic);
        this.#discovered.delete(spec.topic);
      }
      const shortage = this.#discovered.shortage(spec.topic, spec.type);
      if (shortage === 'places') refused ??= spec.topic;
      else if (shortage === 'names') this.#refuseName(spec.topic, before !== undefined);
      else this.#follow(spec);
    }
    if (refused !== undefined && !this.#crowded) this.#tellCrowded(refused);
    this.#crowded = refused !== undefined;
  }

  /**
   * Undefined where no other node publishes it. It keeps the type that is read as long as somebody publishes that,
   * and of that type it is latched once one of its publishers is: a cache that is asked for again is recorded again.
   * Zenoh passes messages whatever a subscription asks for, so other publishers change nothing.
   */
  #offered({ topic, publishers }: GraphTopic): TopicSpec | undefined {
    const theirs = publishers.filter(
      ({ node, type }) => node !== this.#session.nodeName && TYPE_NAME.test(type),
    );
    const before = this.#readers.get(topic)?.spec;
    const type = theirs.some((publisher) => publisher.type === before?.type) ? before?.type : theirs[0]?.type;
    if (type === undefined) return undefined;
    const same = theirs.filter((publisher) => publisher.type === type).map(({ qos }) => qos);
    const offers = before?.type === type ? [before.qos, ...same] : same;
    const isLatched = offers.some(({ durability }) => durability === 'transient_local');
    const durability = isLatched ? 'transient_local' : 'volatile';
    const offered = offeredText(same.map(profileOf));
    return { topic, type, qos: { ...qosForPublishers(same, DISCOVERED_DEPTH), durability }, offered };
  }

  #follow(spec: TopicSpec, before?: TopicReader): void {
    this.#discovered.add(spec.topic, spec.type);
    this.#read(spec, before).then(
      (isRead) => isRead && this.#options.onTopics?.([spec]),
      (error: unknown) => {
        if (!before) this.#discovered.delete(spec.topic);
        if (!this.#closed)
          this.#session.report('error', `${spec.topic}: could not be read: ${String(error)}`);
      },
    );
  }

  /** Unsubscribes topics that had no publisher for long; the graph does not change when that time is over. */
  #release(found: readonly TopicSpec[]): void {
    const { clock, graph } = this.#session;
    this.#lookAgain?.cancel();
    // A link that broke hides all of them at once. They stay subscribed: its gap in their numbers is counted as lost.
    if (found.length === 0 && this.#session.strangers() === 0) {
      this.#discovered.pause(clock.monotonicMs());
      return;
    }
    const released = this.#discovered.look(new Set(found.map(({ topic }) => topic)), clock.monotonicMs());
    for (const topic of released) this.#drop(topic);
    if (released.length > 0) this.#options.onReleased?.(released);
    const dueMs = this.#discovered.nextDueMs();
    if (dueMs === undefined) return;
    const waitMs = Math.max(0, dueMs - clock.monotonicMs());
    this.#lookAgain = clock.after(waitMs, () => this.#discover(graph.now()));
  }

  #drop(topic: string): void {
    const reader = this.#readers.get(topic);
    if (!reader) return;
    this.#readers.delete(topic);
    // It accepts nothing more: its count is final.
    const closing = reader.close();
    if (reader.lost > 0) this.#lostBefore.set(topic, (this.#lostBefore.get(topic) ?? 0) + reader.lost);
    closing.catch((error: unknown) =>
      this.#session.report('warn', `${topic}: could not be let go of: ${String(error)}`),
    );
  }

  #tellCrowded(topic: string): void {
    const message = `discovery found more than ${DISCOVERED_MAX} topics at a time; narrow ros.discover`;
    this.#session.report('error', `${topic}: ${message}`);
  }

  /** `wasRead`: as another type, which is no longer published. */
  #refuseName(topic: string, wasRead: boolean): void {
    if (wasRead) this.#options.onReleased?.([topic]);
    if (wasRead ? this.#toldNames.has(topic) : this.#toldNames.size > 0) return;
    this.#toldNames.add(topic);
    const what = wasRead ? 'it has another type now and is read no more: ' : '';
    this.#session.report('error', `${topic}: ${what}${NAMES_EXHAUSTED}`);
  }
}
