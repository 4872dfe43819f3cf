import { LIMITS } from '../../../contract/core.ts';
import type { Finding } from './canary.ts';

type Key = {
  seen: number;
  /** What the sender said at `sinceMs` that it had put; undefined when everything reported has come. */
  target: number | undefined;
  sinceMs: number;
  /** How far the sender was at a rebuild that was for this: no further one brings what came before. */
  tried: number;
  triedMs: number;
};
type Sender = { alive: boolean; heardMs: number; readonly keys: Map<string, Key> };

const SENDERS_MAX = 64;
/** No sender is so far ahead of what came: a number that jumps further is no number of samples. */
const JUMP_MAX = 1_000_000;
const UNTRIED = { tried: 0, triedMs: 0 };

/**
 * What came on one route from each sender, against what that sender says it sent. Pure; times are monotonic
 * milliseconds. A sender is a route of this or another daemon: it numbers its samples, reports the numbers once a
 * second (its beacon), and holds a token while it lives.
 */
export class Arrivals {
  readonly #senders = new Map<string, Sender>();

  /** A sample came. Returns how many before it did not. */
  came(source: string, key: string, seq: number): number {
    const sender = this.#sender(source);
    const known = sender?.keys.get(key);
    if (!sender) return 0;
    if (!known) {
      if (sender.keys.size < LIMITS.ROUTE_TOPICS_MAX)
        sender.keys.set(key, { seen: seq, target: undefined, sinceMs: 0, ...UNTRIED });
      return 0;
    }
    const missed = Math.max(0, seq - known.seen - 1);
    known.seen = Math.max(known.seen, seq);
    if (missed > JUMP_MAX) known.target = undefined;
    if (known.target !== undefined && known.seen >= known.target) known.target = undefined;
    return missed > JUMP_MAX ? 0 : missed;
  }

  /** The sender says how far it is, by key; keys of other routes must be left out. */
  told(source: string, counts: Readonly<Record<string, number>>, nowMs: number): void {
    const sender = this.#sender(source);
    if (!sender) return;
    sender.alive = true;
    sender.heardMs = nowMs;
    for (const [key, count] of Object.entries(counts)) {
      const known = sender.keys.get(key);
      if (!known) {
        // What was sent before we listened is not owed to us.
        if (sender.keys.size < LIMITS.ROUTE_TOPICS_MAX)
          sender.keys.set(key, { seen: count, target: undefined, sinceMs: 0, ...UNTRIED });
      } else if (count - known.seen > JUMP_MAX) {
        known.seen = count;
      } else if (known.target === undefined && count > Math.max(known.seen, known.tried)) {
        known.target = count;
        known.sinceMs = nowMs;
      }
    }
  }

  /**
   * The token of a sender came or went. One that went is waited for no more; how far it was is remembered, so that
   * what it sends behind a broken link is missed when the same session is heard again.
   */
  token(source: string, alive: boolean, nowMs: number): void {
    const sender = this.#senders.get(source);
    if (!sender) return;
    sender.alive = alive;
    sender.heardMs = nowMs;
    if (alive) return;
    for (const key of sender.keys.values()) key.target = undefined;
  }

  /** Whether a living sender reports how much it sends under a key: then no guess is needed. */
  isTold(key: string, nowMs: number): boolean {
    for (const { heardMs, keys } of this.#senders.values()) {
      if (keys.has(key) && nowMs - heardMs <= LIMITS.ROUTE_SILENT_MS) return true;
    }
    return false;
  }

  /**
   * Declared again. What was due may still come, from a sender that keeps it or over a slow link; if not, `givenUp`
   * reports it, or the gap before the next sample.
   */
  restart(nowMs: number): void {
    for (const sender of this.#senders.values()) {
      // Who lives says so again: its token and its beacon are asked for again as well.
      sender.alive = false;
      sender.heardMs = nowMs;
      for (const key of sender.keys.values()) {
        if (key.target === undefined) continue;
        key.tried = key.target;
        key.triedMs = nowMs;
        key.target = undefined;
      }
    }
  }

  /** How many samples did not come after a rebuild either, by key: they are lost. Each is reported once. */
  givenUp(nowMs: number): Map<string, number> {
    const lost = new Map<string, number>();
    for (const { keys } of this.#senders.values()) {
      for (const [name, key] of keys) {
        if (key.tried <= key.seen || nowMs - key.triedMs <= LIMITS.ROUTE_LOST_MS) continue;
        lost.set(name, (lost.get(name) ?? 0) + key.tried - key.seen);
        key.seen = key.tried;
      }
    }
    return lost;
  }

  /** Time in which this process did not run does not count as silence. */
  forgive(ms: number): void {
    for (const sender of this.#senders.values()) {
      sender.heardMs += ms;
      for (const key of sender.keys.values()) {
        key.sinceMs += ms;
        key.triedMs += ms;
      }
    }
  }

  finding(nowMs: number): Finding | undefined {
    for (const [source, { alive, heardMs, keys }] of this.#senders) {
      for (const [key, { seen, target, sinceMs }] of keys) {
        if (target === undefined || nowMs - sinceMs <= LIMITS.ROUTE_BEHIND_MS) continue;
        const reason = `${key}: ${source} sent sample ${target} ${seconds(nowMs - sinceMs)} ago; the last one received is ${seen}`;
        return { state: 'diverged', reason, rebuild: 'again' };
      }
      if (alive && keys.size > 0 && nowMs - heardMs > LIMITS.ROUTE_SILENT_MS) {
        const reason = `${source} is connected and sends on this route, but no sample from it arrived for ${seconds(nowMs - heardMs)}`;
        return { state: 'silent', reason, rebuild: 'again' };
      }
    }
    return undefined;
  }

  #sender(source: string): Sender | undefined {
    let sender = this.#senders.get(source);
    if (!sender && this.#senders.size >= SENDERS_MAX) {
      // Sessions come and go over the months: one that is gone makes room.
      const gone = [...this.#senders].find(([, { alive }]) => !alive);
      if (gone) this.#senders.delete(gone[0]);
    }
    if (!sender && this.#senders.size < SENDERS_MAX) {
      sender = { alive: false, heardMs: 0, keys: new Map() };
      this.#senders.set(source, sender);
    }
    return sender;
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
