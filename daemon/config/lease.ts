import { quantity } from './spec.ts';

/** `[lease]`: the right to command actuators. */
export const LEASE_KEYS = {
  ttl: quantity('duration', '3 s', 'a lease that is not renewed for this long is lost, and the robot stops', {
    min: 200,
    max: 60_000,
  }),
  ttl_max: quantity('duration', '60 s', 'the longest that somebody may ask for', {
    min: 200,
    max: 3_600_000,
  }),
} as const;
