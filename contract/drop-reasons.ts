/** Why a sample was not passed on. The loss ledger counts by these and nothing else. */
export const DROP_REASONS = [
  'queue_full',
  'too_large',
  'malformed',
  /** As many topics have been recorded since the recorder started as one file can number. */
  'no_channel',
  'decimated',
  'rate_limited',
  'disk_full',
  'write_failed',
  'crash',
  'shutdown',
  /** The receiving side of a hop is not there: no session, no subscriber that is owed it, a host being restarted. */
  'not_connected',
  /** A deny list, or an allow list without it. */
  'denied',
  /** Overwritten in a ring buffer before any trigger asked for it. */
  'evicted',
  /** Written, and then discarded with its episode on request. */
  'discarded',
  /** The recorder was not asked to record: between two episodes. */
  'paused',
  /** It came from the side that it would be sent to: loops end here. */
  'echo',
  /** Lost on the way to us, as the middleware reports: it never arrived, and is received only in this count. */
  'middleware',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];
