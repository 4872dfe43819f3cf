import type { Clock, EdgeError, IdSource, Intent, Nanoseconds, NewEvent } from '../../../contract/index.ts';
import type { RunApprovals } from '../governance/run-approvals.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import type { Ask } from './call-events.ts';
import type { ToolJournal } from './tool-journal.ts';

export type Result = Readonly<Record<string, unknown>>;

/** A picture as the log knows it; its bytes are a blob. */
export type ImageNote = {
  readonly mime: 'image/jpeg' | 'image/png';
  readonly sha256: string;
  readonly bytes: number;
};

/** What a call gave. Results are plain JSON: they are what the log holds. */
export type Answered = { readonly result: Result; readonly images?: readonly ImageNote[] };

/** One effect as the gate sees it. */
export type Effect<R = Answered> = Ask & {
  /** Does it. The signal aborts when the run does or the deadline is over; the id is that of the call, also when it is repeated. */
  work(signal: AbortSignal, callId: string): Promise<R>;
  /** Asks the world whether a call that was cut off has happened; its result if so. For `probe`. */
  probe?(signal: AbortSignal, callId: string): Promise<R | undefined>;
};

/** Answers a call without doing it; `signal` ends the call as it would end the work. */
export type Instead = ((
  ask: { readonly tool: string; readonly args: Readonly<Record<string, unknown>> },
  callId: string,
  signal: AbortSignal,
) => Promise<Answered> | undefined) & {
  /** The record goes on after a cut here: its open calls were judged again. */
  readonly judgedAgain?: boolean;
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
  /** How long the run was paused so far, milliseconds; absent: it never is. */
  readonly pausedMs?: () => number;
  /** Before anything moves: pauses the run where somebody took the robot over. */
  readonly beforeMotion?: () => Promise<void>;
  /** See `CallScope.waitForRobot`. */
  readonly waitForRobot?: (refusal: EdgeError, signal: AbortSignal) => Promise<void>;
  /** Ends what this run moves. */
  readonly stopRobot: (reason: string) => Promise<void>;
  /** Makes everything stand, whoever moves it: the tool `robot.stop`. Absent: `stopRobot`. */
  readonly stopEverything?: (reason: string) => Promise<void>;
  /** Where people can be asked; else what needs them is refused. */
  readonly approvals?: RunApprovals | undefined;
  /**
   * What a call gives instead of being done: a replay answers from the record. Undefined for a call that is to be
   * done. Where this part is given nothing is ever asked of the world.
   */
  readonly instead?: Instead | undefined;
};
