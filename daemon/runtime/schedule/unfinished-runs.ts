import {
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

/** Nothing was decided about the intent: another try may open it. Everything else is an answer. */
export const UNDECIDED: ReadonlySet<string> = new Set([
  ...['cell.unavailable', 'cell.restarted', 'cell.overloaded', 'log.failed', 'deadline.exceeded'],
]);
