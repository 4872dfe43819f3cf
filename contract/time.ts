import { type Static, Type } from 'typebox';

/** Nanoseconds since the Unix epoch: `bigint` inside, decimal string on the wire (2^53 is too small). */
export type Nanoseconds = bigint;

export const WireTime = Type.String({
  pattern: '^(0|[1-9][0-9]{0,18})$',
  description: 'nanoseconds since the Unix epoch, decimal',
});

/** Where a stamp comes from and how far it may be trusted. */
export const ClockQuality = Type.Object(
  {
    source: Type.Enum(['system', 'ntp', 'ptp', 'gps', 'simulation', 'unknown']),
    synchronised: Type.Boolean({ description: 'the host says that its clock follows a reference' }),
    offset_ns: Type.Optional(
      Type.Integer({ description: 'estimated distance to the reference, nanoseconds' }),
    ),
  },
  { additionalProperties: false },
);
export type ClockQuality = Static<typeof ClockQuality>;

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

/** Seconds as a floating number: for durations and for people, never for stamps. */
export function toSeconds(ns: Nanoseconds): number {
  return Number(ns) / 1e9;
}
