/** Nanoseconds since the Unix epoch: `bigint` inside, decimal string on the wire (2^53 is too small). */
export type Nanoseconds = bigint;

export const NS_PER_MS = 1_000_000n;
export const NS_PER_S = 1_000_000_000n;

export function toWireTime(ns: Nanoseconds): string {
  return ns.toString(10);
}

export function fromWireTime(text: string): Nanoseconds {
  return BigInt(text);
}

/** Whole milliseconds of a nanosecond time; safe as a number until the year 287396. */
export function toMs(ns: Nanoseconds): number {
  return Number(ns / NS_PER_MS);
}

export function msToNs(ms: number): Nanoseconds {
  return BigInt(Math.round(ms * 1_000_000));
}
