import type { PlanReply } from '../cell-messages.ts';
import type { EventPayload } from '../event-payloads.ts';
import type { PolicyContext } from '../intent.ts';
import type { Plan, PlanStep } from '../plan.ts';
import type { ModelNeed } from './language-model.ts';
import type { RunDetails } from './runtime-api.ts';
import type { ToolImage } from './tool.ts';

/** A subgoal that this robot can carry out. */
export type SubgoalSpec = {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of `params`, with units and ranges. */
  readonly params: Readonly<Record<string, unknown>>;
};

/** What is known of the world, by the names that predicates use. */
export type WorldFacts = Readonly<Record<string, number | boolean | string>>;

export type PlanRequest = {
  readonly goal: string;
  readonly subgoals: readonly SubgoalSpec[];
  readonly world: WorldFacts;
  readonly images?: readonly ToolImage[];
  /** What was tried before and why it failed, oldest first. */
  readonly failed?: readonly { readonly step: PlanStep; readonly reason: string }[];
  readonly stepsMax?: number;
  readonly deadlineMs: number;
  readonly need?: ModelNeed;
  readonly signal?: AbortSignal;
  readonly traceparent?: string;
};

export type PlanAnswer = {
  readonly plan: Plan;
  readonly model: string;
  readonly modelId: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
};

/**
 * System 2. The plan has the shape of `Plan`, names only subgoals that were offered, its parameters fit their
 * schemas, and its predicates name facts of `world`. Rejects with `model.failed` (no such plan came, with what was
 * wrong), `model.unavailable`, `deadline.exceeded`, `run.cancelled`.
 */
export interface Planner {
  plan(request: PlanRequest): Promise<PlanAnswer>;
}

/** One step of a plan as shown to people. */
export type StepView = {
  readonly step_id: string;
  readonly subgoal: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly deadline_ms: number;
  readonly fallback: string;
  readonly state: 'pending' | 'running' | 'succeeded' | 'already' | 'failed' | 'skipped';
  readonly reason: string;
  readonly attempt: number;
};

/** A plan as shown to people: the one that is followed now, step by step. */
export type PlanView = {
  readonly run_id: string;
  readonly status: string;
  readonly goal: string;
  readonly dry_run: boolean;
  readonly revision: number;
  readonly replans: number;
  readonly reason: string;
  readonly made: EventPayload<'plan.made'> | undefined;
  readonly steps: readonly StepView[];
  /** Why plans were abandoned, oldest first. */
  readonly given_up: readonly string[];
};

/** Plans as the API, the queryables and the command line ask for them. Each is a run of the intent `plan`. */
export interface PlansApi {
  /** Opens the run of a plan. `ask` is a `PlanAsk`, checked raw. Rejects as `RuntimeApi.submit`. */
  open(ask: unknown, who: PolicyContext, traceparent?: string): Promise<RunDetails>;
  /**
   * Makes a plan and waits for it; it is not carried out. Rejects with `deadline.exceeded` by the deadline,
   * `run.cancelled` when the signal aborts, and as `Planner`.
   */
  infer(
    ask: unknown,
    who: PolicyContext,
    deadlineMs?: number,
    options?: { readonly signal?: AbortSignal; readonly traceparent?: string },
  ): Promise<PlanReply>;
  /** The newest first. */
  list(limit: number): readonly PlanView[];
  /** Throws `run.not_found`. */
  view(runId: string): PlanView;
}
