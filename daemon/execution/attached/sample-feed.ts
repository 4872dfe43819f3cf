import { type Clock, EdgeError, LIMITS, type Sample, type TopicSpec } from '../../../contract/core.ts';
import type { FromServers, OfferedTopic, ToServers } from '../../../io/attached/messages.ts';
import type { SampleBus } from '../bus/index.ts';
import { keep, TF_STATIC } from './latched-memory.ts';

export type SampleFeedParts = {
  readonly bus: Pick<SampleBus, 'tap'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  post(message: ToServers, transfer?: readonly ArrayBuffer[]): void;
  /** The definition of a type with its dependencies (`ros2msg`); undefined where it is not known (yet). */
  schemaOf(type: string): string | undefined;
  /** To the robot, through the door. Throws what the door says. */
  publish(sample: Sample): Promise<void>;
  now(): bigint;
  watchGraph(on: boolean): void;
};

type Topic = {
  type: string;
  latched: boolean;
  isOffered: boolean;
  /** Definitions come later than samples: when to look again, `monotonicMs`. */
  lookMs: number;
  missed: number;
  kept: Sample[];
};

const LOOK_MS = 2_000;

/**
 * Samples of the bus for the thread that serves Foxglove and rosbridge clients. Only topics that some client follows are
 * copied, each once. What the thread has not taken yet is bounded in bytes; beyond it samples are dropped and counted, and
 * the bus never waits. A topic is offered when its definition is known.
 */
export class SampleFeed {
  readonly #parts: SampleFeedParts;
  readonly #topics = new Map<string, Topic>();
  readonly #followed = new Set<string>();
  #inFlight = 0;
  #end: (() => void) | undefined;

  constructor(parts: SampleFeedParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#end = this.#parts.bus.tap('attached', (sample) => this.#take(sample));
  }

  close(): void {
    this.#end?.();
  }

  /** Topics as their publishers offer them. They are offered to clients before the first sample comes. */
  declare(topics: readonly TopicSpec[]): void {
    for (const { topic, type, qos } of topics) {
      const known = this.#topicOf(topic, type);
      if (known) known.latched ||= qos.durability === 'transient_local';
    }
    this.#offer([...this.#topics]);
  }

  /** Samples of latched topics from before the start. */
  remember(samples: readonly Sample[]): void {
    for (const sample of samples) {
      const topic = this.#topicOf(sample.topic, sample.type);
      if (topic) keep(topic.kept, sample);
    }
    this.#offer([...this.#topics]);
  }

  /** Topics that have no publisher any longer. */
  release(topics: readonly string[]): void {
    const removed = topics.filter((topic) => this.#topics.get(topic)?.isOffered === true);
    for (const topic of topics) this.#topics.delete(topic);
    if (removed.length > 0) this.#parts.post({ kind: 'topics', added: [], removed });
  }

  receive(message: FromServers): void {
    if (message.kind === 'taken') this.#inFlight -= message.bytes;
    else if (message.kind === 'follow') {
      for (const topic of message.removed) this.#followed.delete(topic);
      for (const topic of message.added) this.#followed.add(topic);
      this.#parts.watchGraph(message.graph);
      this.#parts.post({ kind: 'following' });
    } else if (message.kind === 'latest') {
      for (const sample of this.#topics.get(message.topic)?.kept ?? []) this.#send(sample, message.ticket);
      this.#parts.post({ kind: 'given', ticket: message.ticket });
    } else if (message.kind === 'publish') void this.#publish(message);
  }

  #take(sample: Sample): void {
    const topic = this.#topicOf(sample.topic, sample.type);
    if (!topic) return;
    if (!topic.isOffered) this.#offer([[sample.topic, topic]]);
    if (topic.latched || sample.topic === TF_STATIC) keep(topic.kept, sample);
    if (!this.#followed.has(sample.topic)) return;
    if (this.#inFlight + sample.bytes.length > LIMITS.ATTACH_IN_FLIGHT_BYTES_MAX && this.#inFlight > 0) {
      topic.missed += 1;
      return;
    }
    if (topic.missed > 0) {
      this.#parts.post({ kind: 'missed', topic: sample.topic, count: topic.missed });
      topic.missed = 0;
    }
    this.#send(sample);
  }

  /** Undefined: too many topics. */
  #topicOf(name: string, type: string): Topic | undefined {
    const known = this.#topics.get(name);
    if (known?.type === type) return known;
    if (known) this.release([name]);
    if (this.#topics.size >= LIMITS.ATTACH_TOPICS_MAX) return undefined;
    const topic = { type, latched: false, isOffered: false, lookMs: -Infinity, missed: 0, kept: [] };
    this.#topics.set(name, topic);
    return topic;
  }

  #offer(topics: readonly (readonly [string, Topic])[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const added: OfferedTopic[] = [];
    for (const [name, topic] of topics) {
      if (topic.isOffered || nowMs < topic.lookMs) continue;
      topic.lookMs = nowMs + LOOK_MS;
      const schema = this.#parts.schemaOf(topic.type);
      if (schema === undefined) continue;
      topic.isOffered = true;
      const latched = topic.latched || name === TF_STATIC;
      added.push({ topic: name, type: topic.type, schema, latched });
    }
    if (added.length > 0) this.#parts.post({ kind: 'topics', added, removed: [] });
  }

  /** The bytes may be a part of a larger or shared buffer: what travels is a copy of its own. */
  #send(sample: Sample, ticket?: number): void {
    const bytes = new Uint8Array(sample.bytes);
    this.#inFlight += bytes.length;
    const copy = { ...sample, bytes };
    this.#parts.post({ kind: 'sample', sample: copy, ...(ticket === undefined ? {} : { ticket }) }, [
      bytes.buffer,
    ]);
  }

  async #publish({ ticket, topic, type, bytes }: Extract<FromServers, { kind: 'publish' }>): Promise<void> {
    const now = this.#parts.now();
    try {
      await this.#parts.publish({ topic, type, stamp: now, received: now, bytes });
      this.#parts.post({ kind: 'receipt', ticket });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.not_supported', 'publish', topic).toBody();
      this.#parts.post({ kind: 'receipt', ticket, error });
    }
  }
}
