import type { Intent } from '../intent.ts';
import type { Nanoseconds } from '../time.ts';
import type { Clock } from './clock.ts';
import type { LanguageModel } from './language-model.ts';
import type { Robot } from './robot.ts';
import type { RunTools } from './run-tools.ts';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * What a flow knows: small, plain JSON. It is logged with each state that is entered, so that a run
 * that was interrupted continues with exactly these facts. Times are decimal strings under keys that end in `_ns`.
 */
export type Facts = { readonly [key: string]: JsonValue };

/**
 * What a state may use while it is active. `robot` and `tools` are gated and logged; nothing else may have an effect.
 */
export type FlowScope<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> = {
  readonly facts: F;
  readonly params: P;
  readonly intent: Intent;
  readonly robot: Robot;
  readonly tools: RunTools;
  readonly clock: Clock;
  /** Models for this run, as its context has them. */
  readonly model?: LanguageModel | undefined;
  /** Aborts on cancel, on shutdown and when the state's deadline is over. */
  readonly signal: AbortSignal;
};

/** How a state ended: `event` chooses the transition, `facts` are merged into what the flow knows. */
export type FlowStep<F extends Facts = Facts> = {
  readonly event: string;
  readonly reason: string;
  readonly facts?: Partial<F>;
  /** Robot time of the newest observation that the step used. */
  readonly robotTime?: Nanoseconds;
};

/** A guard is pure: it sees facts and params only, so a recorded run takes the same way again. */
export interface FlowGuard<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> {
  /** Shown in drawings, for example `attempts left`. */
  readonly name: string;
  test(facts: F, params: P): boolean;
}

/** Tried in order; the last of a list has no guard, so that every event has somewhere to go. */
export type FlowTransition<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> = {
  readonly to: string;
  readonly when?: FlowGuard<F, P>;
};

/**
 * A state that works. `enter` settles with a step or throws; it may be entered again after a cut or a retry,
 * so it reads the world before it acts. `on` names every event it can return, and may name two more: `error`
 * (it threw, and no retry is left) and `deadline` (it did not settle in time). Where these are missing the
 * run fails with that error.
 */
export interface FlowState<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> {
  /** What it does, for people who read the drawing. */
  readonly about: string;
  enter(scope: FlowScope<F, P>): Promise<FlowStep<F>>;
  /** Wall time, milliseconds. A safety net: mission limits are facts in robot time. */
  readonly deadlineMs: number;
  /** Only retryable errors are retried; the delay doubles from `delayMs` up to `delayMsMax`. */
  readonly retry?: { readonly times: number; readonly delayMs: number; readonly delayMsMax: number };
  readonly on: Readonly<Record<string, string | readonly FlowTransition<F, P>[]>>;
  /** Parts that run at the same time while this state calls the tool `flow.parallel`. Only flows that are a harness. */
  readonly parallel?: FlowParallel;
}

/**
 * Branches of a state. Each is a run of its own that starts in its first state, with the facts of the flow and the
 * parameters of its intent, and ends in an end that belongs to it alone. Branches share no state.
 */
export type FlowParallel = {
  /** First state of each branch, by name. */
  readonly branches: Readonly<Record<string, string>>;
  /** `all`: over when all succeeded, or with the first that did not. `any`: over with the first that succeeded. */
  readonly until: 'all' | 'any';
};

/** A state that ends the run. `conclude` is pure. */
export interface FlowEnd<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> {
  readonly about: string;
  readonly end: 'succeeded' | 'failed' | 'cancelled';
  conclude(
    facts: F,
    params: P,
  ): { readonly reason: string; readonly score?: number; readonly summary: Facts };
}

/** A deterministic graph. It is checked when it is loaded: missing targets, unreachable states, no way out. */
export interface FlowDefinition<F extends Facts = Facts, P = Readonly<Record<string, unknown>>> {
  readonly name: string;
  readonly start: string;
  /**
   * Tools that its states may call by name (`tools.call`), as an agent's are named; absent: none. An unknown
   * name is an error when the flow is loaded, or a warning where the tool may still appear.
   */
  readonly tools?: readonly string[];
  /** True: its states have an effect by these tools alone. Absent: they are code, which has the robot too. */
  readonly byTools?: true;
  /** States that may be entered in one run; beyond it the run fails: it loops. */
  readonly stepsMax: number;
  /** What the flow knows before its first state. Pure. */
  begin(params: P, intent?: string): F;
  readonly states: Readonly<Record<string, FlowState<F, P> | FlowEnd<F, P>>>;
}
