import type { Plan, PlanStep } from '../plan.ts';
import type { ModelNeed } from './language-model.ts';
import type { ToolImage } from './tool.ts';

/** A subgoal that somebody here can carry out. */
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
