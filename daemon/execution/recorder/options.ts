import {
  type Clock,
  type EventPayload,
  LIMITS,
  type NewEvent,
  type SegmentInfo,
} from '../../../contract/core.ts';
import type { Ledger } from '../bus/index.ts';
import type { Compression } from './packing.ts';
import type { ThreadOptions } from './protocol.ts';

export type RecorderOptions = {
  readonly clock: Clock;
  readonly dataDir: string;
  /** Name of the recording; empty: named by the time of the start. */
  readonly bag: string;
  readonly ledger: Ledger;
  readonly library?: string;
  readonly segmentBytesMax: number;
  readonly segmentMs: number;
  /** At most this much is lost on a power cut, milliseconds. */
  readonly syncMs: number;
  readonly freeSpaceFloorBytes: number;
  readonly queueBytesMax?: number;
  /** Of chunks; none by default. */
  readonly compression?: Compression;
  /** How often a recorder that failed tries again, milliseconds. */
  readonly retryMs?: number;
  /** The definition of a type where it is not one that formats/ros2 knows (from a bag, from ROS). */
  readonly definitionOf?: (type: string) => string | undefined;
  /** Appends events to the cell's log; resolves once they are durable. Called one at a time, in order. */
  readonly emit: (events: readonly NewEvent[]) => Promise<unknown>;
  readonly report: (
    level: 'info' | 'warn' | 'error',
    message: string,
    facts?: Record<string, unknown>,
  ) => void;
  /** A segment is complete and durable; hash, name and events follow. */
  readonly onEnded?: (path: string) => void;
  /** The thread's entry file; for tests. */
  readonly threadEntry?: URL;
  /** Where the intake lives; for tests. */
  readonly intakeDir?: string;
};

export type RecorderListener = {
  onSealed?(segment: EventPayload<'segment.sealed'>): void;
  onEvicted?(tombstone: EventPayload<'segment.evicted'>): void;
  /** It cannot record for now: what comes is dropped, what was recorded may be left unsealed for a while. */
  onFailed?(): void;
};

export type RecorderStatus = {
  readonly state: 'recording' | 'failed' | 'off';
  readonly reason: string;
  readonly bag: string;
  /** The newest sealed segments of this run of the daemon, oldest first. */
  readonly segments: readonly SegmentInfo[];
  /** Bytes of all sealed segments of this run. */
  readonly bytes: number;
  readonly backlogBytes: number;
};

/** What the thread has to know, for one life of it. */
export function threadOptions(
  options: RecorderOptions,
  life: Pick<ThreadOptions, 'bag' | 'session' | 'intakeDir'>,
): ThreadOptions {
  const { dataDir, segmentBytesMax, segmentMs, syncMs, freeSpaceFloorBytes } = options;
  return {
    ...life,
    dataDir,
    library: options.library ?? 'auraison-edge',
    segmentBytesMax,
    segmentMs,
    syncMs,
    retryMs: options.retryMs ?? 1_000,
    freeSpaceFloorBytes,
    compression: options.compression ?? 'none',
    queueBytesMax: options.queueBytesMax ?? LIMITS.RECORDER_QUEUE_BYTES_MAX,
  };
}
