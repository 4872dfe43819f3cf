import type { RunStatus } from '../../../contract/index.ts';

/** What can happen to a run. `start` also continues a run that a restart interrupted. */
export type RunSignal = 'start' | 'ask' | 'pause' | 'proceed' | 'requeue' | 'succeed' | 'fail' | 'cancel';

type Row = Readonly<Record<RunSignal, RunStatus | undefined>>;

const no = undefined;
const FINISHED: Row = {
  start: no,
  ask: no,
  pause: no,
  proceed: no,
  requeue: no,
  succeed: no,
  fail: no,
  cancel: no,
};

/** Status × signal. `undefined`: the signal means nothing there and the run stays as it is. */
export const RUN_MACHINE: Readonly<Record<RunStatus, Row>> = {
  queued: { ...FINISHED, start: 'running', pause: 'paused', fail: 'failed', cancel: 'cancelled' },
  running: {
    start: 'running',
    ask: 'waiting_approval',
    pause: 'paused',
    proceed: no,
    requeue: 'queued',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  waiting_approval: {
    ...FINISHED,
    start: 'running',
    pause: 'paused',
    proceed: 'running',
    // Its harness was done while a call of it still waited, or while it was paused: the end that the log has counts.
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  paused: {
    ...FINISHED,
    start: 'running',
    proceed: 'running',
    // It was paused before it started: back to those who wait.
    requeue: 'queued',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  succeeded: FINISHED,
  failed: FINISHED,
  cancelled: FINISHED,
};

export function nextStatus(status: RunStatus, signal: RunSignal): RunStatus | undefined {
  return RUN_MACHINE[status][signal];
}

/** The signal behind a `run.status` or `run.finished` event. */
export const SIGNAL_OF: Readonly<Record<RunStatus, RunSignal>> = {
  queued: 'requeue',
  running: 'proceed',
  waiting_approval: 'ask',
  paused: 'pause',
  succeeded: 'succeed',
  failed: 'fail',
  cancelled: 'cancel',
};
