import type { TSchema } from 'typebox';
import type { BodyOf } from '../bodies/kit.ts';
import type * as runs from '../bodies/runs.ts';
import type { EdgeError } from '../edge-error.ts';
import type { Intent } from '../intent.ts';
import type { Clock } from './clock.ts';
import type { Robot } from './robot.ts';

/** An image as a tool returns it to a model. */
export type ToolImage = BodyOf<typeof runs.ToolImage>;

/** An image that a tool gives by its handle: another cell stored it, and its bytes did not travel. */
export type StoredImage = BodyOf<typeof runs.StoredImage>;

/** The description of a tool. */
export type ToolSpec = {
  /** `group.verb`, for example `robot.navigate`. Models see `_` instead of `.`. */
  readonly name: string;
  /** For the model: what it does, when to use it. */
  readonly description: string;
  /**
   * A closed object with units and ranges. Arguments are checked raw: nothing is coerced, unknown fields are refused.
   */
  readonly input: TSchema;
  readonly output?: TSchema;
  readonly effect: 'read' | 'write' | 'actuate';
  /** What may happen to a call that a restart interrupted. `probe` needs `Tool.probe`; without one it is `never`. */
  readonly replay: 'never' | 'safe' | 'probe';
  /** Wall time from the call, milliseconds. */
  readonly deadlineMs: number;
  readonly origin: 'house' | 'app' | 'extension' | 'mcp';
};

export type ToolScope = {
  readonly runId: string;
  /** Id of this call; the same when a `safe` call is repeated after a cut. */
  readonly callId: string;
  readonly intent: Intent;
  readonly clock: Clock;
  /** Aborts when the run does or the deadline of the call is over. */
  readonly signal: AbortSignal;
  /** W3C trace context of this call, for the process that works for it elsewhere. */
  readonly traceparent?: string;
  /** The robot of this host, for tools of applications: what they do with it is part of this call and ends with it. */
  readonly robot?: Robot;
};

/** `result` is plain JSON and goes into the log; images go beside it, into the blob store. */
export type ToolAnswer = {
  readonly result: Readonly<Record<string, unknown>>;
  readonly images?: readonly ToolImage[];
  /** An answer has the bytes of every image; see `ToolReturn`. */
  readonly stored?: never;
};

/**
 * What a tool returns. Images of `stored` lie in the blob store of this host already; they are read once, checked
 * against their hash, and come after `images`.
 */
export type ToolReturn = Omit<ToolAnswer, 'stored'> & { readonly stored?: readonly StoredImage[] };

/**
 * One ability of an agent. `run` is called only with arguments that fit `spec.input`, after the policy hooks, with
 * the call durable in the log; it may throw (an EdgeError keeps its code) and may never settle: it is raced against its
 * deadline, and an actuating one that fails stops the robot before the caller gets the failure.
 */
export interface Tool {
  readonly spec: ToolSpec;
  run(args: Readonly<Record<string, unknown>>, scope: ToolScope): Promise<ToolReturn>;
  /** Deadline of this call where its arguments say more than the spec does, milliseconds. Pure. */
  deadlineMs?(args: Readonly<Record<string, unknown>>): number;
  /** For `probe`: asks the world whether an interrupted call has happened; its answer if so. */
  probe?(args: Readonly<Record<string, unknown>>, scope: ToolScope): Promise<ToolReturn | undefined>;
}

/** The tools of one run. Names that are not in it do not exist for the run. */
export interface ToolBox {
  specs(): readonly ToolSpec[];
  /**
   * Rejects with an EdgeError, which is in the log: `tool.not_found`, `schema.invalid` (the path is in the message),
   * `policy.denied`, `policy.needs_approval`, `deadline.exceeded`, `run.cancelled`, `run.interrupted`, `tool.failed`
   * and those of the tool. `originId` is the id that a model gave the call: after a cut the same id finds the same
   * call, answered or interrupted.
   */
  call(
    name: string,
    args: unknown,
    options?: { readonly originId?: string; readonly signal?: AbortSignal },
  ): Promise<ToolAnswer>;
  /** Logs a call that is not made, with the reason that the model gets. */
  refuse(name: string, args: unknown, error: EdgeError, originId?: string): Promise<void>;
}
