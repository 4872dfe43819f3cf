import { type Clock, DEFAULT_QOS, EdgeError, type Sample } from '../../../contract/core.ts';
import type { DoorPath } from '../door/index.ts';

/** Topics that clients publish to at a time. */
const TOPICS_MAX = 256;
/** Where all places are taken, a topic that nothing was sent to for this long gives way, milliseconds. */
const IDLE_MS = 60_000;

export type ClientTopicsParts = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The way of clients to the robot; undefined: there is no robot. */
  readonly path: Pick<DoorPath, 'advertise' | 'withdraw' | 'refusal' | 'send'> | undefined;
};

/**
 * The door for messages of clients: what moves nothing passes, all else is refused and logged. A publisher of the robot's
 * middleware stays for each topic until others need its place.
 */
export class ClientTopics {
  readonly #parts: ClientTopicsParts;
  /** When something was sent last, `monotonicMs`; the longest ago comes first. */
  readonly #usedMs = new Map<string, number>();
  readonly #opening = new Map<string, Promise<void>>();

  constructor(parts: ClientTopicsParts) {
    this.#parts = parts;
  }

  /** Rejects with what the door says, and with `robot.not_supported` where there is no place for another topic. */
  async publish(sample: Sample): Promise<void> {
    const { path } = this.#parts;
    const { topic } = sample;
    if (!path) throw fault(topic, 'there is no robot');
    if (path.refusal(sample) === undefined) await this.#open(path, sample);
    const receipt = path.send(sample);
    if (receipt.verdict === 'refused') throw receipt.error;
    if (receipt.verdict === 'busy')
      throw new EdgeError('robot.unreachable', { operation: 'publish', subject: topic });
  }

  async #open(path: NonNullable<ClientTopicsParts['path']>, { topic, type }: Sample): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const name = `${topic}\n${type}`;
    const isOpen = this.#usedMs.delete(name);
    const isFull = !isOpen && this.#usedMs.size >= TOPICS_MAX;
    const former = isFull ? this.#takePlace(topic, nowMs) : undefined;
    this.#usedMs.set(name, nowMs);
    if (isOpen) return await this.#opening.get(name);
    const open = async () => {
      if (former !== undefined) await path.withdraw(former);
      await path.advertise({ topic, type, qos: DEFAULT_QOS });
    };
    const opening = open();
    this.#opening.set(name, opening);
    try {
      await opening;
    } catch (thrown) {
      this.#usedMs.delete(name);
      throw thrown;
    } finally {
      this.#opening.delete(name);
    }
  }

  /** The topic that gives way. */
  #takePlace(topic: string, nowMs: number): string {
    const [oldest] = this.#usedMs;
    if (!oldest || nowMs - oldest[1] < IDLE_MS)
      throw fault(topic, `clients publish to ${TOPICS_MAX} topics already`);
    this.#usedMs.delete(oldest[0]);
    return oldest[0].split('\n')[0]!;
  }
}

function fault(topic: string, message: string): EdgeError {
  return new EdgeError('robot.not_supported', { operation: 'publish', subject: topic, message });
}
