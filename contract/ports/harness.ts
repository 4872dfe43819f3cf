import type { NewEvent } from '../agent-event.ts';
import type { Intent } from '../intent.ts';
import type { Clock } from './clock.ts';
import type { Robot } from './robot.ts';
import type { RunTools } from './run-tools.ts';

/** What a run may use. Every effect goes through `robot` or `tools`, which hook, log and bound it. */
export type RunContext = {
  readonly runId: string;
  readonly intent: Intent;
  readonly attempt: number;
  /** Aborts on cancel and on shutdown. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The robot as this run sees it: each call is a gated, logged tool call. */
  readonly robot: Robot;
  readonly tools: RunTools;
  /** Where an earlier attempt was cut off; undefined on the first. */
  readonly resume: { readonly phase: string; readonly facts: Readonly<Record<string, unknown>> } | undefined;
  /** Appends to the log; resolves when durable. */
  emit(events: readonly NewEvent[]): Promise<void>;
};

export type RunOutcome = {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly reason: string;
  readonly score?: number;
  readonly summary: Readonly<Record<string, unknown>>;
};

/** What executes a run. `execute` rejects only for defects; a mission that failed is an outcome. */
export interface Harness {
  readonly kind: 'pi' | 'flow' | 'remote';
  execute(context: RunContext): Promise<RunOutcome>;
}
