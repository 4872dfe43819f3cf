import type { Plan, PlanStep } from '../../../contract/plan.ts';

export type Failed = { readonly step: PlanStep; readonly reason: string };

/**
 * Where a plan stands: written into the log with each phase, so that an interrupted run continues with exactly this.
 */
export type PlanPosition = {
  readonly plan: Plan | null;
  /** Plans before this one. */
  readonly revision: number;
  /** Step that is running or next, from 0. */
  readonly at: number;
  /** Times that this step was started. */
  readonly attempt: number;
  readonly done: number;
  readonly skipped: number;
  readonly replans: number;
  /** What failed, oldest first. */
  readonly failed: readonly Failed[];
  readonly model: string;
};

/** Failures that are sent to a model; older ones are in the log. */
const FAILED_MAX = 4;
const REASON_MAX = 300;

export const BEGIN: PlanPosition = {
  plan: null,
  revision: 0,
  at: 0,
  attempt: 1,
  done: 0,
  skipped: 0,
  replans: 0,
  failed: [],
  model: '',
};

export function withFailure(position: PlanPosition, step: PlanStep, reason: string): PlanPosition {
  const failed = [...position.failed, { step, reason: reason.slice(0, REASON_MAX) }].slice(-FAILED_MAX);
  return { ...position, failed };
}

/** The next plan is asked for. */
export function replanned(position: PlanPosition): PlanPosition {
  const { revision, replans } = position;
  return { ...position, plan: null, at: 0, attempt: 1, revision: revision + 1, replans: replans + 1 };
}
