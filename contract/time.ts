import { type Static, Type } from 'typebox';

export * from './nanoseconds.ts';

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
