import type { AgentEvent, NewEvent } from '../agent-event.ts';
import type { CellName } from '../cell-name.ts';
import type { EventKind } from '../event-payloads.ts';

/** Events that are gone from a log, and what proves that nothing else is. */
export type LogCut = {
  /** The second to this one; the first event stays. */
  readonly through: number;
  /** Of the last one that went: it stands for all before it. */
  readonly hash: string;
  /** When that one was written, and when the checkpoint was signed; nanoseconds of wall time. */
  readonly event_ts: string;
  readonly made_ts: string;
  /** Start of the SHA-256 of the public key. */
  readonly key_id: string;
};

export type LogVerdict = {
  readonly cell: CellName;
  readonly ok: boolean;
  readonly events: number;
  readonly lastSeq: number;
  readonly lastHash: string;
  /** Absent: nothing was ever removed. */
  readonly cut?: LogCut;
  /** The first bad row and what is wrong with it. */
  readonly fault?: { readonly seq: number; readonly message: string };
};

/**
 * The append-only truth of one cell. `append` resolves only when all its events are durable (fsynced), in
 * order and without gaps; it rejects with `schema.invalid` (nothing was written), `cell.overloaded` (queue
 * full, nothing was written) or `log.failed`. Concurrent appends are grouped into one commit. One writer per
 * file: a second one is refused with `host.data_dir_in_use`.
 */
export interface EventLog {
  append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]>;
  reader(): EventReader;
  verify(): Promise<LogVerdict>;
  /** Waits for what is queued, then closes; may be called twice. */
  close(): Promise<void>;
}

export type ReadFilter = {
  readonly runId?: string;
  readonly kinds?: readonly EventKind[];
  /** One read ends with the event that reaches so many bytes of payloads; absent: what the log reads at once. */
  readonly bytesMax?: number;
};

/** Reads a log, also from another process and while it is written. Returns what is durable, in order. */
export interface EventReader {
  /** Events with seq > `after`, at most `limit`. An empty array means: no more for now. */
  read(after: number, limit: number, filter?: ReadFilter): AgentEvent[];
  lastSeq(): number;
  /** Events from the second to this one are gone, or going; 0 or absent: none. */
  cutThrough?(): number;
  close(): void;
}
