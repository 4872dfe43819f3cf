import {
  EdgeError,
  type EndpointInfo,
  type GraphSnapshot,
  type Sample,
  type SampleSource,
  type SourceState,
  type Timer,
  type TopicSpec,
} from '../../contract/core.ts';
import { DiscoveredTopics, definitionHasHeader, NAMES_EXHAUSTED } from '../../formats/ros2/index.ts';
import { sameOffer } from '../../formats/ros2/qos.ts';
import { discoveredTopics, type FoundTopic, foundTopic, holdsOthers } from './discovery.ts';
import type { RosHost } from './ros-host.ts';

export type RosSourceOptions = {
  /** Topics that are bridged as they appear in the graph, by patterns; none unless given. */
  readonly discover?: readonly string[];
  readonly deny?: readonly string[];
  /** Topics that are never discovered, for example those we command. */
  readonly except?: readonly string[];
  /** A topic that cannot be subscribed as configured; the others continue. Called once for each reason. */
  readonly onFault?: (error: EdgeError) => void;
  /** Topics that are bridged from now on, with the quality of service they are heard with. */
  readonly onTopics?: (topics: readonly TopicSpec[]) => void;
  /** Discovered topics that are no longer bridged, because they had no publisher for a while. */
  readonly onReleased?: (topics: readonly string[]) => void;
  /** How long a discovered topic is kept without a publisher, milliseconds; RELEASE_AFTER_MS if unset. */
  readonly releaseAfterMs?: number;
};

/** Topics that discovery may add at a time; a graph with more needs a narrower list. */
const DISCOVERED_MAX = 512;
/** Faults that are remembered as reported; beyond it the oldest is forgotten, and reported again if it comes again. */
const TOLD_MAX = 1_024;

type Bridged = { readonly channel: number; readonly spec: TopicSpec };

/**
 * Topics of a ROS graph as samples: the configured ones, and those that discovery finds. A type whose package
 * is not installed is reported, and its bytes are still taken once a node publishes it.
 */
export class RosSource implements SampleSource {
  readonly #host: RosHost;
  readonly #options: RosSourceOptions;
  readonly #bridged = new Map<string, Bridged>();
  /** Configured topics of unknown types, until somebody publishes them. */
  readonly #waiting = new Map<string, TopicSpec>();
  readonly #configured = new Set<string>();
  readonly #told = new Set<string>();
  readonly #discovered: DiscoveredTopics;
  /** A topic had no place at the last look: reported once, until there was a look at which all had one. */
  #crowded = false;
  #toldNames = false;
  #onSample: (sample: Sample) => void = () => {};
  #watch: { cancel(): void } | undefined;
  /** The newest graph not looked at yet; looks do not overlap. */
  #next: GraphSnapshot | undefined;
  #last: GraphSnapshot | undefined;
  #lookAgain: Timer | undefined;
  #looking = false;
  #closed = false;

  constructor(host: RosHost, options: RosSourceOptions = {}) {
    this.#host = host;
    this.#options = options;
    this.#discovered = new DiscoveredTopics(DISCOVERED_MAX, options.releaseAfterMs);
  }

  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    if (this.#closed) throw failed('already closed');
    await this.#host.start(this);
    this.#onSample = onSample;
    try {
      for (const topic of topics) {
        this.#configured.add(topic.topic);
        if (this.#host.definitionOf(topic.type) === undefined) this.#postpone(topic);
        else await this.#bridge(topic);
      }
    } catch (error) {
      // A second try must not report the first topics twice.
      this.#forget();
      throw error;
    }
    this.#host.onState((state) => {
      if (this.#closed) return;
      if (!state.connected) this.#unsee();
      else if (this.#next) this.#changed(this.#next);
      onState(state);
    });
    onState(this.#host.state());
    if (this.#waiting.size > 0 || (this.#options.discover ?? []).length > 0)
      this.#watch ??= this.#host.api.graph.watch((graph) => this.#changed(graph));
  }

  state(): SourceState {
    return this.#host.state();
  }

  /** What is bridged now. */
  topics(): readonly TopicSpec[] {
    return [...this.#bridged.values()].map(({ spec }) => spec);
  }

  /**
   * Subscribes one topic again, for a subscription that hears nothing although somebody publishes; the other topics
   * are not touched. Nothing for a topic that is not bridged. Throws `ros.failed` and may be called again; the next
   * host still has the topic.
   */
  async resubscribe(topic: string): Promise<void> {
    const bridged = this.#bridged.get(topic);
    if (bridged && !this.#closed) await this.#host.resubscribe(bridged.channel);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    this.#forget();
    await this.#host.release(this);
  }

  #changed(graph: GraphSnapshot): void {
    this.#next = graph;
    // A topic that is bridged while a host starts would be asked for twice; it is looked at once the host is there.
    if (this.#looking || !this.#host.state().connected) return;
    this.#looking = true;
    this.#look()
      .catch((error: unknown) => this.#fault(EdgeError.from(error, 'ros.failed', 'look at', 'the ROS graph')))
      .finally(() => {
        this.#looking = false;
        // Reported while the last look failed.
        if (this.#next && !this.#closed) this.#changed(this.#next);
      });
  }

  /** The host is gone: its report of the graph is void, and the next one reports all of it again. */
  #unsee(): void {
    this.#next = undefined;
    this.#last = undefined;
    this.#lookAgain?.cancel();
    this.#discovered.pause(this.#host.clock.monotonicMs());
  }

  async #look(): Promise<void> {
    for (let graph = this.#next; graph && !this.#closed; graph = this.#next) {
      if (!this.#host.state().connected) return;
      this.#next = undefined;
      this.#last = graph;
      for (const topic of graph.topics) {
        const spec = this.#waiting.get(topic.topic);
        const found = spec && foundTopic(topic, this.#host.ownNodes);
        if (!found || found.type !== spec.type) continue;
        if (await this.#attempt(spec, found.publishers)) this.#waiting.delete(spec.topic);
      }
      const known = new Set([...this.#configured, ...(this.#options.except ?? [])]);
      const { discover = [], deny = [] } = this.#options;
      const rules = { allow: discover, deny, known, ownNodes: this.#host.ownNodes };
      const found = discoveredTopics(graph, rules);
      // Its host ended while it was looked at.
      if (this.#last !== graph) return;
      this.#release(graph, found);
      let refused: string | undefined;
      for (const one of found) {
        if (!(await this.#follow(one))) refused ??= one.topic;
        if (this.#last !== graph) return;
      }
      this.#tellCrowded(refused);
    }
  }

  /** Unsubscribes topics that had no publisher for long; the graph does not change when that time is over. */
  #release(graph: GraphSnapshot, found: readonly FoundTopic[]): void {
    if (this.#closed) return;
    const { clock, ownNodes } = this.#host;
    this.#lookAgain?.cancel();
    // A partition hides all of them at once: the topics stay subscribed, and its gap is counted as lost.
    if (!holdsOthers(graph, ownNodes)) {
      this.#discovered.pause(clock.monotonicMs());
      return;
    }
    const published = new Set(found.map(({ topic }) => topic));
    const released = this.#discovered.look(published, clock.monotonicMs());
    for (const topic of released) this.#unbridge(topic);
    if (released.length > 0) this.#options.onReleased?.(released);
    const dueMs = this.#discovered.nextDueMs();
    if (dueMs === undefined) return;
    this.#lookAgain = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => {
      const graph = this.#next ?? this.#last;
      if (graph) this.#changed(graph);
    });
  }

  /**
   * False where there is no place. Bridges what is new, and again what has publishers of another quality of service.
   */
  async #follow(found: FoundTopic): Promise<boolean> {
    const { topic, type, qos, offered, publishers, otherTypes } = found;
    if (this.#closed) return true;
    if (otherTypes.length > 0)
      this.#fault(failed(`${topic} is published as ${type} and as ${otherTypes.join(', ')}`, topic));
    const before = this.#bridged.get(topic);
    if (before && before.spec.type === type && sameOffer(before.spec.qos, qos)) return true;
    if (before) {
      this.#unbridge(topic);
      this.#discovered.delete(topic);
    }
    const shortage = this.#discovered.shortage(topic, type);
    if (shortage === 'places') return false;
    if (shortage === 'names') {
      if (before) this.#loseName(topic);
      else this.#tellNames(topic);
      return true;
    }
    await this.#attempt({ topic, type, qos, offered }, publishers);
    if (this.#bridged.has(topic)) this.#discovered.add(topic, type);
    return true;
  }

  #tellCrowded(refused: string | undefined): void {
    const wasCrowded = this.#crowded;
    this.#crowded = refused !== undefined;
    if (refused === undefined || wasCrowded) return;
    const message = `discovery found more than ${DISCOVERED_MAX} topics at a time; narrow ros.discover`;
    this.#options.onFault?.(failed(message, refused));
  }

  #tellNames(refused: string): void {
    if (this.#toldNames) return;
    this.#toldNames = true;
    this.#options.onFault?.(failed(NAMES_EXHAUSTED, refused));
  }

  /** It was bridged as another type, which is no longer published. */
  #loseName(topic: string): void {
    this.#options.onReleased?.([topic]);
    this.#fault(failed(`it has another type now and is bridged no more: ${NAMES_EXHAUSTED}`, topic));
  }

  /** False when it has to be tried again; the fault has been reported. */
  async #attempt(spec: TopicSpec, publishers: readonly EndpointInfo[]): Promise<boolean> {
    try {
      if (this.#host.definitionOf(spec.type) === undefined) {
        this.#fault(this.#host.unknownType(spec.type));
        await this.#host.learn(spec, publishers);
      }
      if (this.#closed) return true;
      await this.#bridge(spec);
      return true;
    } catch (error) {
      this.#fault(EdgeError.from(error, 'ros.failed', 'subscribe', spec.topic));
      return false;
    }
  }

  async #bridge(spec: TopicSpec): Promise<void> {
    // Opened again: subscribed topics are not subscribed twice.
    if (this.#bridged.has(spec.topic)) return;
    // Reported before the first sample: the recorder wants to know how a topic is offered.
    this.#options.onTopics?.([spec]);
    const channel = await this.#host.subscribe(spec, (sample) => this.#onSample(sample), this.#rawOf(spec));
    this.#bridged.set(spec.topic, { channel, spec });
  }

  /** How the bytes of a type that is not installed are taken; undefined for one that is. */
  #rawOf({ type }: TopicSpec): { headed: boolean } | undefined {
    if (this.#host.isInstalled(type)) return undefined;
    const definition = this.#host.definitionOf(type);
    return { headed: definition !== undefined && definitionHasHeader(definition) };
  }

  #postpone(topic: TopicSpec): void {
    this.#fault(this.#host.unknownType(topic.type));
    this.#waiting.set(topic.topic, topic);
  }

  #fault(error: EdgeError): void {
    const key = `${error.code} ${error.subject} ${error.message}`;
    if (this.#told.has(key)) return;
    if (this.#told.size >= TOLD_MAX) this.#told.delete(this.#told.keys().next().value!);
    this.#told.add(key);
    this.#options.onFault?.(error);
  }

  #unbridge(topic: string): void {
    const bridged = this.#bridged.get(topic);
    if (bridged && this.#bridged.delete(topic)) this.#host.unsubscribe(bridged.channel);
  }

  #forget(): void {
    for (const topic of [...this.#bridged.keys()]) this.#unbridge(topic);
    this.#waiting.clear();
    this.#discovered.clear();
    this.#lookAgain?.cancel();
  }
}

function failed(message: string, subject = 'ros source'): EdgeError {
  return new EdgeError('ros.failed', { operation: 'open', subject, message });
}
