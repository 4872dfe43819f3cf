import {
  type ErrorBody,
  isFinished,
  LIMITS,
  type RunDetails,
  type RunStatus,
  type RuntimeApi,
} from '../../../contract/core.ts';

const UNFINISHED: readonly RunStatus[] = ['queued', 'running', 'waiting_approval', 'paused'];

/** Runs that this principal opened by the clock or by a start, and that are not over. */
export function unfinishedRuns(runtime: Pick<RuntimeApi, 'runs'>, principal: string): readonly RunDetails[] {
  return UNFINISHED.flatMap((status) =>
    runtime
      .runs({ status, limit: LIMITS.RUNS_REMEMBERED_MAX })
      .filter(({ intent, run }) => isOf(intent.policy_ctx, principal) && !isFinished(run.status)),
  );
}

export function isOf(who: RunDetails['intent']['policy_ctx'], principal: string): boolean {
  return who.origin === 'schedule' && who.principal === principal;
}

const UNDECIDED: ReadonlySet<string> = new Set([
  ...['cell.unavailable', 'cell.restarted', 'cell.overloaded', 'log.failed', 'deadline.exceeded'],
]);

/** Nothing was decided about the intent: another try may open it. Every other error is an answer. */
export function isUndecided(error: Pick<ErrorBody, 'code' | 'retryable'>): boolean {
  return UNDECIDED.has(error.code) || isUnanswered(error);
}

/** The policies refused it only because one of them gave no answer in time. */
export function isUnanswered({ code, retryable }: Pick<ErrorBody, 'code' | 'retryable'>): boolean {
  return code === 'policy.denied' && retryable;
}
