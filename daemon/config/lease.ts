import { choice, quantity } from './spec.ts';

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
  resume: choice(
    ['on_request', 'after'],
    'on_request',
    'when a run continues that a takeover paused: a person resumes it, or it resumes automatically after a lease that was given back',
  ),
  resume_after: quantity(
    'duration',
    '5 s',
    'with resume = "after": how long after the lease was given back; never after one that was lost',
    {
      min: 0,
      max: 3_600_000,
    },
  ),
} as const;
