/** Ids are UUIDv7 (RFC 9562) strings with a brand: they sort by creation time and cannot be mixed up. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]?: Name };

export type RunId = Branded<'run'>;
export type EventId = Branded<'event'>;

export const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
const UUID = new RegExp(UUID_PATTERN);

/** 16 random bytes; injected so that a simulation can replay its ids. */
export type RandomBytes = (length: number) => Uint8Array;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Formats a UUIDv7 from milliseconds since the epoch and at least 10 random bytes. */
export function formatUuidv7(epochMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  let rest = Math.max(0, Math.floor(epochMs));
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += HEX[bytes[i]!];
  }
  return text;
}

/** Makes ids that strictly increase within one process, also when the clock stands still or steps back. */
export class IdSource {
  readonly #nowMs: () => number;
  readonly #random: RandomBytes;
  #lastMs = 0;
  #counter = 0;

  constructor(nowMs: () => number, random: RandomBytes) {
    this.#nowMs = nowMs;
    this.#random = random;
  }

  next<Id extends string>(): Id {
    const now = Math.floor(this.#nowMs());
    if (now > this.#lastMs) {
      this.#lastMs = now;
      this.#counter = 0;
    } else if (++this.#counter > 0xfff) {
      this.#lastMs += 1;
      this.#counter = 0;
    }
    const random = this.#random(10).slice();
    // The 12 bits after the version are a counter within the millisecond (RFC 9562, method 1).
    random[0] = this.#counter >> 8;
    random[1] = this.#counter & 0xff;
    return formatUuidv7(this.#lastMs, random) as Id;
  }
}

export function isUuidv7(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
