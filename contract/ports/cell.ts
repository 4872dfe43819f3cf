import type { NewEvent } from '../agent-event.ts';
import type { CallAsk, CallName, CallReply, CallTo } from '../calls.ts';
import type { CellName } from '../cell-name.ts';
import type { Clock } from './clock.ts';
import type { EventLog } from './event-log.ts';

/** Work of a cell as its heartbeat reports it: `done` counts up, `waiting` says whether there is any to do. */
export type WorkCounter = { readonly name: string; readonly done: number; readonly waiting: number };

/**
 * Requests to other cells. `contract/calls.ts` says the question, the answer, the deadline and the budget in bytes of
 * each call.
 */
export interface CellBus {
  /**
   * Rejects with `cell.unavailable`, `cell.restarted`, `deadline.exceeded`, or the error of the other side; with
   * `limit.exceeded` where the question or its answer is larger than the budget of the call: it was not sent; with
   * `schema.invalid`, which names the key, where the question is not what the schema of the call says; with `internal.fault` where the
   * answer is not. `wantedAtMs`: when what is asked for was wanted, by `Clock.monotonicMs`, where that was before this call.
   */
  request<N extends CallName>(
    to: CallTo<N>,
    method: N,
    body: CallAsk<N>,
    timeoutMs?: number,
    wantedAtMs?: number,
  ): Promise<CallReply<N>>;
  /**
   * Answers requests to this cell. One handler per method; a throw becomes the caller's error. `madeAtMs` is when the
   * request was made, by `Clock.monotonicMs`. A handler that moves something checks it, since a request may have waited
   * in a frozen process. `wantedAtMs` is when a person or a program wanted it, which may be long before: policies were
   * asked, or it was tried before. What was wanted before the robot was stopped does not start after it.
   */
  handle<N extends CallName>(
    method: N,
    answer: (body: CallAsk<N>, from: CellName, madeAtMs: number, wantedAtMs: number) => Promise<CallReply<N>>,
  ): void;
  /**
   * Broadcasts to every other cell, without an answer; lost if it is down, and if it is larger than a broadcast may be.
   */
  broadcast(topic: string, body: unknown): void;
  onBroadcast(topic: string, listen: (body: unknown, from: CellName) => void): void;
}

export type CellContext = {
  readonly name: CellName;
  readonly clock: Clock;
  readonly log: EventLog;
  readonly bus: CellBus;
  readonly dataDir: string;
  /** Restarts of this cell since the daemon started, and why this start happened. */
  readonly attempt: number;
  readonly startReason: string;
  /** For operators; structured, never a secret. */
  report(
    level: 'debug' | 'info' | 'warn' | 'error',
    message: string,
    facts?: Readonly<Record<string, unknown>>,
  ): void;
  emit(events: readonly NewEvent[]): Promise<void>;
};

/**
 * One domain of the daemon. `start` resolves when the cell does its job; it may reject, then the supervisor
 * tries again. `stop` flushes and settles within its deadline; it may be called without a finished start.
 * `work` is called at every heartbeat and must not block.
 */
export interface Cell {
  readonly name: CellName;
  start(): Promise<void>;
  stop(): Promise<void>;
  work(): readonly WorkCounter[];
}
