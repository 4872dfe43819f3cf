import type {
  Clock,
  EdgeError,
  IdSource,
  Intent,
  Nanoseconds,
  NewEvent,
  StopCount,
  ToolCall,
} from '../../../contract/index.ts';
import type { RunApprovals } from '../governance/run-approvals.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import type { ToolJournal } from './tool-journal.ts';

/** A call as the log describes it. */
export type Ask = {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly effect: ToolCall['effect'];
  readonly replay: ToolCall['replay'];
  readonly deadlineMs: number;
  /** Id that a model gave the call. */
  readonly originId?: string | undefined;
  /** Aborts only this call. */
  readonly signal?: AbortSignal | undefined;
};

export type Result = Readonly<Record<string, unknown>>;

/** An image as the log knows it; its bytes are a blob. */
export type ImageNote = {
  readonly mime: 'image/jpeg' | 'image/png';
  readonly sha256: string;
  readonly bytes: number;
};

/** The answer of a call. Results are plain JSON, as they are in the log. */
export type Answered = { readonly result: Result; readonly images?: readonly ImageNote[] };

/** One effect as the gate sees it. */
export type Effect<R = Answered> = Ask & {
  /** Executes the call. The signal aborts when the run ends or the deadline passes. A repeated call has the same id. */
  work(signal: AbortSignal, callId: string): Promise<R>;
  /** For `probe`: finds out whether a call that a restart interrupted has happened. Returns its result if so. */
  probe?(signal: AbortSignal, callId: string): Promise<R | undefined>;
};

/** Answers a call without executing it. `signal` ends the call as it would end the work. */
export type Instead = ((
  ask: { readonly tool: string; readonly args: Readonly<Record<string, unknown>> },
  callId: string,
  signal: AbortSignal,
) => Promise<Answered> | undefined) & {
  /** True where the record continues after a restart, so that its open calls were judged again. */
  readonly judgedAgain?: boolean;
};

/** How a part of a flow takes turns with the parts beside it. */
export type MotionTurn = {
  /**
   * Waits for the turn to move the robot; returns how to pass it on. After a motion that did not end well the next part
   * waits until this one proceeds, or has ended and it is decided whether the others end with it.
   */
  take(signal: AbortSignal): Promise<(endedWell: boolean) => void>;
  /** The run makes its next call: it proceeds after a motion that did not end well. */
  proceeds(): void;
};

export type ToolGateParts = {
  readonly runId: string;
  readonly intent: Intent;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  readonly journal: ToolJournal;
  readonly signal: AbortSignal;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  readonly robotTime: () => Nanoseconds | undefined;
  /** Resolves when the run is not paused. */
  readonly unpaused: () => Promise<void>;
  /** Stops of the robot; absent: in a replay and in tests of other parts. */
  readonly stops?: Pick<StopCount, 'now' | 'since'> | undefined;
  /** How long the run was paused so far, milliseconds; absent: it never is. */
  readonly pausedMs?: () => number;
  /** Called before each motion: pauses the run if a holder of a higher rank has taken the robot. */
  readonly beforeMotion?: () => Promise<void>;
  /** For what runs in a branch of a flow. */
  readonly motionTurn?: MotionTurn | undefined;
  /** See `CallScope.waitForRobot`. */
  readonly waitForRobot?: (refusal: EdgeError, signal: AbortSignal) => Promise<void>;
  /** Ends the motions of this run. */
  readonly stopRobot: (reason: string) => Promise<void>;
  /** Stops everything that moves, for the tool `robot.stop`. Absent: `stopRobot` is used. */
  readonly stopEverything?: (reason: string) => Promise<void>;
  /** The run, where an agent decides in it: see `StopNews.run`. */
  readonly agentOf?: string | undefined;
  /** Where people can be asked. Absent: calls that need an approval are refused. */
  readonly approvals?: RunApprovals | undefined;
  /**
   * Answers a call instead of executing it: a replay answers from the record. It returns undefined for a call that is
   * to be executed. Where this part is given, no probe is ever called.
   */
  readonly instead?: Instead | undefined;
};
