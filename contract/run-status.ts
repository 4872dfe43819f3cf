export const RUN_STATUSES = [
  'queued',
  'running',
  'waiting_approval',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
] as const;

type RunStatus = (typeof RUN_STATUSES)[number];

/** Which status may follow which. A finished run never changes again. */
export const RUN_TRANSITIONS: Record<RunStatus, readonly RunStatus[]> = {
  queued: ['running', 'paused', 'cancelled', 'failed'],
  running: ['waiting_approval', 'paused', 'succeeded', 'failed', 'cancelled', 'queued'],
  waiting_approval: ['running', 'paused', 'succeeded', 'failed', 'cancelled'],
  paused: ['running', 'queued', 'succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export function isFinished(status: RunStatus): boolean {
  return RUN_TRANSITIONS[status].length === 0;
}
