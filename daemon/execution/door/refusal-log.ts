import type { Clock, EdgeError, NewEvent } from '../../../contract/core.ts';

/** Minimum time between two events for one sender, topic and cause, milliseconds. */
const REPEAT_MS = 10_000;
/** Senders, topics and causes that are counted separately. The number is limited because names come from outside. */
const KEYS_MAX = 256;
const OTHERS = 'others';
const MESSAGE_CHARS_MAX = 1_024;

/**
 * Events for what the door refused, at most one per cause and interval; each says how many came since the one before.
 */
export class RefusalLog {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #note: (event: NewEvent) => void;
  readonly #causes = new Map<string, { atMs: number; since: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'>, note: (event: NewEvent) => void) {
    this.#clock = clock;
    this.#note = note;
  }

  add(source: string, cause: string, error: EdgeError): void {
    const own = `${source} ${cause} ${error.subject}`;
    const key = this.#causes.has(own) || this.#causes.size < KEYS_MAX ? own : OTHERS;
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#causes.get(key);
    if (seen && nowMs - seen.atMs < REPEAT_MS) {
      seen.since += 1;
      return;
    }
    const more = seen?.since ?? 0;
    this.#causes.set(key, { atMs: nowMs, since: 0 });
    const body = error.toBody();
    const also = more > 0 ? ` (and ${more} more since the last report)` : '';
    const message = `${body.message.slice(0, MESSAGE_CHARS_MAX)}${also}`;
    this.#note({ kind: 'command.refused', payload: { error: { ...body, message }, source } });
  }
}
