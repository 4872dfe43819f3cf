import { hash } from 'node:crypto';
import { LIMITS } from '../../../contract/core.ts';

/** Messages remembered at most: two seconds of 4 kHz. Beyond it the oldest is forgotten. */
const REMEMBERED_MAX = 8_192;

/**
 * Distinguishes messages that came from the key space and were put into the robot's middleware from the robot's own.
 * The middleware gives no sender of a raw message, and another robot's bridge in the same ROS domain may hand it
 * back: so it is known by its topic and its bytes, for two seconds. A robot that says the same bytes on the same
 * topic within that time is taken for the echo: it is not sent where it came from, and is counted.
 */
export class EchoMemory {
  /** When it came, by digest, oldest first. */
  readonly #seen = new Map<string, number>();

  readonly #topics = new Set<string>();

  /** A topic that comes from the key space as well: its messages are worth remembering. */
  watch(topic: string): void {
    if (this.#topics.size < LIMITS.ROUTE_TOPICS_MAX) this.#topics.add(topic);
  }

  isWatched(topic: string): boolean {
    return this.#topics.has(topic);
  }

  remember(topic: string, bytes: Uint8Array, nowMs: number): void {
    const key = digest(topic, bytes);
    this.#seen.delete(key);
    this.#seen.set(key, nowMs);
    for (const [old, at] of this.#seen) {
      if (this.#seen.size <= REMEMBERED_MAX && nowMs - at <= LIMITS.ROUTE_ECHO_MS) break;
      this.#seen.delete(old);
    }
  }

  has(topic: string, bytes: Uint8Array, nowMs: number): boolean {
    if (this.#seen.size === 0) return false;
    const at = this.#seen.get(digest(topic, bytes));
    return at !== undefined && nowMs - at <= LIMITS.ROUTE_ECHO_MS;
  }
}

function digest(topic: string, bytes: Uint8Array): string {
  return `${topic} ${hash('sha1', bytes, 'base64')}`;
}
