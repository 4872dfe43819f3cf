/** What a quota counts. Seconds are wall time of calls, bytes those of sealed recordings. */
export const QUOTA_METRICS = [
  'tokens',
  'gpu_seconds',
  'actuation_seconds',
  'runs',
  'recorded_bytes',
] as const;
export type QuotaMetric = (typeof QUOTA_METRICS)[number];

/** Windows are those of UTC; `total` never renews. */
export const QUOTA_WINDOWS = ['minute', 'hour', 'day', 'total'] as const;
export type QuotaWindow = (typeof QUOTA_WINDOWS)[number];
