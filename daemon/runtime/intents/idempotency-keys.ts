import { EdgeError, type Intent, LIMITS } from '../../../contract/index.ts';

type Entry<T> = { readonly body: string; readonly runId?: string; readonly opening?: Promise<T> };

export type KeyFinding<T> =
  | { readonly kind: 'free' }
  | { readonly kind: 'other' }
  | { readonly kind: 'opening'; readonly opening: Promise<T> }
  | { readonly kind: 'opened'; readonly runId: string };

/**
 * Which run an idempotency key opened. Two requests with one key that arrive together wait for the same run.
 * Bounded: the oldest key is forgotten first.
 */
export class IdempotencyKeys<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #max: number;

  constructor(max: number = LIMITS.IDEMPOTENCY_KEYS_MAX) {
    this.#max = max;
  }

  find(key: string, body: string): KeyFinding<T> {
    const entry = this.#entries.get(key);
    if (!entry) return { kind: 'free' };
    if (entry.body !== body) return { kind: 'other' };
    if (entry.runId !== undefined) return { kind: 'opened', runId: entry.runId };
    return entry.opening ? { kind: 'opening', opening: entry.opening } : { kind: 'free' };
  }

  /** A run is being opened; if that fails the key is free again. */
  begin(key: string, body: string, opening: Promise<T>): void {
    const entry: Entry<T> = { body, opening };
    this.#entries.set(key, entry);
    opening.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
  }

  /** A run is durable. */
  remember(key: string, body: string, runId: string): void {
    this.#entries.delete(key);
    this.#entries.set(key, { body, runId });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#max) break;
      this.#entries.delete(oldest);
    }
  }
}

/** The refusal of a key that was used for something else. */
export function duplicate(intent: Intent): EdgeError {
  return new EdgeError('intent.duplicate', {
    operation: 'submit',
    subject: intent.type,
    message: `/idempotency_key: ${intent.idempotency_key} was used for another intent`,
    hint: 'use a new key for a new intent',
  });
}
