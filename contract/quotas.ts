/**
 * What a quota counts. Seconds are wall time of calls, bytes those of sealed recordings, `usd` what models cost by the
 * prices of the configuration.
 */
export const QUOTA_METRICS = [
  'tokens',
  'gpu_seconds',
  'model_calls',
  'usd',
  'actuation_seconds',
  'runs',
  'recorded_bytes',
] as const;
export type QuotaMetric = (typeof QUOTA_METRICS)[number];

/** Windows are those of UTC; `total` never renews. */
export const QUOTA_WINDOWS = ['minute', 'hour', 'day', 'total'] as const;
export type QuotaWindow = (typeof QUOTA_WINDOWS)[number];
