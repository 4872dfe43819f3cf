import { createHash } from 'node:crypto';
import { type Clock, EdgeError, LIMITS } from '../../contract/index.ts';

type Code = { readonly token: string; readonly untilMs: number };

/**
 * One-time codes that log a browser in: who shows a token gets a code, and who shows that code first, in time, gets the
 * token. Kept in memory as hashes. The oldest of the same token goes when there are too many of it, then the oldest of all.
 */
export class ConsoleCodes {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #secret: () => string;
  readonly #codes = new Map<string, Code>();

  /** `secret` makes a text that no client guesses. */
  constructor(clock: Pick<Clock, 'monotonicMs'>, secret: () => string) {
    this.#clock = clock;
    this.#secret = secret;
  }

  /** A code for a token; empty where the API needs none. */
  give(token: string): string {
    const code = this.#secret();
    this.#drop();
    const own = [...this.#codes].filter(([, one]) => one.token === token);
    for (const [name] of own.slice(0, Math.max(0, own.length + 1 - LIMITS.CONSOLE_CODES_PER_TOKEN)))
      this.#codes.delete(name);
    this.#codes.set(hash(code), { token, untilMs: this.#clock.monotonicMs() + LIMITS.CONSOLE_CODE_MS });
    for (const oldest of this.#codes.keys()) {
      if (this.#codes.size <= LIMITS.CONSOLE_CODES_MAX) break;
      this.#codes.delete(oldest);
    }
    return code;
  }

  /** The token of a code, once. Throws `api.unauthorised`. */
  take(code: string): string {
    this.#drop();
    const name = hash(code);
    const found = this.#codes.get(name);
    this.#codes.delete(name);
    if (found) return found.token;
    throw new EdgeError('api.unauthorised', {
      operation: 'log in',
      subject: 'code',
      message: 'this link was used already, or is too old',
      hint: 'auraison console prints another one',
    });
  }

  #drop(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, { untilMs }] of this.#codes) if (untilMs <= nowMs) this.#codes.delete(name);
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
