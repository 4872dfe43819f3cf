import {
  type CallAsk,
  type CallReply,
  type CellBus,
  type Clock,
  EdgeError,
  LIMITS,
  METHODS,
  type Sample,
  type TopicSpec,
} from '../../../contract/core.ts';
import { decodeAny, encodeAny, plainValue, type RosValue } from '../../../formats/ros2/index.ts';
import { checkRosValue } from '../../../formats/ros2/value-check.ts';
import type { SampleBus } from '../bus/index.ts';

export type TopicDeskParts = {
  readonly bus: Pick<SampleBus, 'tap' | 'last' | 'rates'>;
  readonly clock: Pick<Clock, 'after' | 'now'>;
  /** Topics as their publishers offer them. */
  topics(): Iterable<TopicSpec>;
  /** The definition of a type with its dependencies (`ros2msg`), of the publisher or of this host. */
  schemaOf(type: string): string | undefined;
  /** To the robot, through the door. Throws what the door says. */
  publish(sample: Sample): Promise<void>;
};

type View = CallReply<'topic.list'>['topics'][number];
type Shown = CallReply<'topic.next'>['sample'];

const TYPE = /^[A-Za-z]\w{0,100}\/msg\/[A-Za-z]\w{0,100}$/;

/** Topics for single requests of the API: what there is, the next message of one as values, and a message for the robot. */
export class TopicDesk {
  readonly #parts: TopicDeskParts;
  readonly #waiting = new Set<(sample: Sample) => void>();
  #untap: (() => void) | undefined;

  constructor(parts: TopicDeskParts) {
    this.#parts = parts;
  }

  serve(bus: Pick<CellBus, 'handle'>): void {
    bus.handle(METHODS.execution.topicList, async () => ({ topics: this.list() }));
    bus.handle(METHODS.execution.topicNext, async (body) => ({ sample: await this.next(body) }));
    bus.handle(METHODS.execution.topicPublish, async (body) => ({ bytes: await this.publish(body) }));
  }

  list(): View[] {
    const { bus, schemaOf } = this.#parts;
    const rates = bus.rates();
    const found = new Map<string, View>();
    const add = (topic: string, type: string, latched: boolean) => {
      const readable = schemaOf(type) !== undefined;
      found.set(topic, { topic, type, latched, hz: rates[topic] ?? 0, readable });
    };
    for (const topic of Object.keys(rates)) add(topic, bus.last(topic)?.type ?? '', false);
    for (const { topic, type, qos } of this.#parts.topics())
      add(topic, bus.last(topic)?.type ?? type, qos.durability === 'transient_local');
    return [...found.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1));
  }

  /** Undefined: none came in time. Throws where the topic is not known, and where its messages cannot be shown. */
  async next({ topic, afterNs, waitMs }: CallAsk<'topic.next'>): Promise<Shown> {
    const last = this.#parts.bus.last(topic);
    if (last === undefined && !this.#isOffered(topic))
      throw new EdgeError('api.not_found', {
        operation: 'read a topic',
        subject: topic,
        message: `unknown topic ${topic}`,
        hint: 'GET /v1/topics lists those that there are',
      });
    const fits = (one: Sample) => one.topic === topic && (afterNs === undefined || one.received > afterNs);
    const most = Math.min(waitMs, LIMITS.TOPIC_WAIT_MS_MAX);
    const sample = last && fits(last) ? last : await this.#coming(topic, fits, most);
    return sample && this.#shown(sample);
  }

  /**
   * Number of bytes that were published. Throws `command.refused` for what may move the robot, and `sample.malformed` for
   * what does not fit its definition or takes more than `LIMITS.TOPIC_JSON_BYTES_MAX`.
   */
  async publish({ topic, type, message, definition }: CallAsk<'topic.publish'>): Promise<number> {
    const fault = (subject: string, text: string, hint = '') =>
      new EdgeError('schema.invalid', { operation: 'publish', subject, message: text, hint });
    if (!TYPE.test(type)) throw fault(type, `expected a type like std_msgs/msg/String, found ${type}`);
    checkRosValue(message, '/message');
    const other = this.#parts.bus.last(topic)?.type;
    if (other !== undefined && other !== type)
      throw fault(topic, `${topic} has messages of ${other}, not of ${type}`, `publish ${other}`);
    // Bounded before it is made: a short definition can name arrays that are longer than the memory of this process.
    const most = LIMITS.TOPIC_JSON_BYTES_MAX;
    const bytes = encodeAny(type, message as RosValue, this.#parts.schemaOf(type) ?? definition, most);
    const now = this.#parts.clock.now();
    await this.#parts.publish({ topic, type, stamp: now, received: now, bytes });
    return bytes.length;
  }

  #isOffered(topic: string): boolean {
    for (const one of this.#parts.topics()) if (one.topic === topic) return true;
    return false;
  }

  #coming(topic: string, fits: (one: Sample) => boolean, waitMs: number): Promise<Sample | undefined> {
    if (this.#waiting.size >= LIMITS.TOPIC_WAITS_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: 'read a topic',
        subject: topic,
        message: `${LIMITS.TOPIC_WAITS_MAX} requests wait for messages already`,
        hint: 'read GET /v1/live, which has no such limit',
      });
    // Only while a request waits: a tap is called for every sample of the robot.
    this.#untap ??= this.#parts.bus.tap('topic-desk', (sample) => {
      for (const take of this.#waiting) take(sample);
    });
    return new Promise((resolve) => {
      const end = (sample?: Sample) => {
        timer.cancel();
        this.#waiting.delete(take);
        if (this.#waiting.size === 0) {
          this.#untap?.();
          this.#untap = undefined;
        }
        resolve(sample);
      };
      const take = (sample: Sample) => {
        if (fits(sample)) end(sample);
      };
      const timer = this.#parts.clock.after(waitMs, () => end());
      this.#waiting.add(take);
    });
  }

  #shown({ topic, type, stamp, received, bytes }: Sample): NonNullable<Shown> {
    if (bytes.length > LIMITS.TOPIC_JSON_BYTES_MAX)
      throw new EdgeError('limit.exceeded', {
        operation: 'read a topic',
        subject: topic,
        message: `a message of ${topic} has ${bytes.length} bytes, and at most ${LIMITS.TOPIC_JSON_BYTES_MAX} are shown as JSON`,
        hint: 'read GET /v1/live, which sends messages as they are',
      });
    const message = plainValue(decodeAny(type, bytes, this.#parts.schemaOf(type)));
    return { topic, type, stamp, received, bytes: bytes.length, message };
  }
}
