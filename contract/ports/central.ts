import type { AgentEvent } from '../agent-event.ts';

export type LinkBatch = {
  readonly robot: string;
  /** A new epoch starts when a robot's log was lost or replaced; it is the event_id of the log's first event. */
  readonly epoch: string;
  /** One lane per cell log: `events.execution` and so on. */
  readonly lane: string;
  readonly events: readonly AgentEvent[];
};

/** Central's signed statement that it holds everything of the lane up to and including `seq`. */
export type Receipt = {
  readonly robot: string;
  readonly epoch: string;
  readonly lane: string;
  readonly seq: number;
  readonly sha256: string;
  readonly signature: string;
};

/**
 * The coordinator as the edge sees it. `push` may be repeated with the same or overlapping batches: central
 * keeps each event once and answers with its watermark. Rejects with `link.unreachable`, `deadline.exceeded`,
 * `api.unauthorised` (try again later), `link.gap` (ask for the watermark and continue there),
 * `api.too_large` (send less at once), `link.conflict` or `link.refused` (never try again, a person has to look).
 * An event that was refused was not stored; one whose answer got lost may have been.
 */
export interface Central {
  watermark(robot: string, epoch: string, lane: string): Promise<Receipt | undefined>;
  push(batch: LinkBatch): Promise<Receipt>;
  close(): Promise<void>;
}
