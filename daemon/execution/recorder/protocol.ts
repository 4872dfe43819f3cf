import type { ClipInfo, DropReason, ErrorBody, EventPayload } from '../../../contract/core.ts';
import type { ArrivedSince } from './arrival-order.ts';
import type { ClipSource } from './clip-file.ts';
import type { Compression } from './packing.ts';
import type { Eviction, Tombstone } from './tombstones.ts';

/** What the execution main thread and the recorder thread say to each other; structured clone, in order. */

export type ChannelDeclaration = {
  readonly id: number;
  readonly topic: string;
  readonly type: string;
  /** `ros2msg` and the text with its dependencies; both empty where the type is unknown on this host. */
  readonly schemaEncoding: string;
  readonly schemaText: string;
  /** YAML as rosbag2 writes it; empty when it is unknown how the topic is offered. */
  readonly qosProfiles: string;
};

/** Samples that never came as far as the thread. */
export type Drops = { readonly topic: string; readonly reason: DropReason; readonly count: number };

export type ThreadOptions = {
  readonly dataDir: string;
  readonly bag: string;
  /** Names this life of the recorder; unique among those whose leftovers may lie about. */
  readonly session: string;
  readonly intakeDir: string;
  readonly library: string;
  readonly segmentBytesMax: number;
  readonly segmentMs: number;
  readonly syncMs: number;
  readonly retryMs: number;
  readonly freeSpaceFloorBytes: number;
  readonly compression: Compression;
  readonly queueBytesMax: number;
};

export type ToThread =
  | ({ readonly t: 'channel' } & ChannelDeclaration)
  | { readonly t: 'block'; readonly id: number; readonly memory: SharedArrayBuffer }
  /** The memory of this block will not come again. */
  | { readonly t: 'gone'; readonly id: number }
  | { readonly t: 'drops'; readonly drops: readonly Drops[] }
  | { readonly t: 'note'; readonly name: string; readonly facts: Facts }
  /** Write and seal everything published so far, then answer `done`. */
  | { readonly t: 'seal'; readonly ask: number }
  /** Write and sync everything published so far, then answer `done`. */
  | { readonly t: 'sync'; readonly ask: number }
  /** As `seal`, and what comes from now on goes into another bag. */
  | { readonly t: 'bag'; readonly ask: number; readonly bag: string }
  /** Cuts a clip out of the sealed segments of this bag, and of `source`; `done` carries a ClipFile. */
  | {
      readonly t: 'clip';
      readonly ask: number;
      readonly info: ClipInfo;
      readonly source?: string;
      readonly since: ArrivedSince | undefined;
      readonly left: ClipSource['left'];
    }
  | ({ readonly t: 'evict'; readonly ask: number } & Eviction);

/** Metadata of a segment: text by name. */
export type Facts = Readonly<Record<string, string>>;

export type Sealed = {
  readonly segment: EventPayload<'segment.sealed'>;
  readonly losses: EventPayload<'losses.recorded'> | undefined;
};

export type FromThread =
  /** `segment`: the number of the next. */
  | { readonly t: 'ready'; readonly segment: number }
  /** Messages by channel that are in the file, and the bytes of the queue they used. */
  | { readonly t: 'written'; readonly counts: readonly (readonly [number, number])[]; readonly bytes: number }
  | {
      readonly t: 'dropped';
      readonly reason: DropReason;
      readonly counts: readonly (readonly [number, number])[];
      readonly bytes: number;
    }
  | { readonly t: 'free'; readonly id: number }
  | { readonly t: 'opened'; readonly path: string }
  /** Complete and durable under its unsealed name; the hash is still to come. */
  | { readonly t: 'ended'; readonly path: string }
  | ({ readonly t: 'sealed' } & Sealed)
  /** Losses that belong to no segment that is sealed now: of a former life, or while none could be open. */
  | { readonly t: 'crashed'; readonly losses: EventPayload<'losses.recorded'> }
  | {
      readonly t: 'state';
      readonly state: 'recording' | 'failed';
      readonly reason: string;
      readonly bytes: number;
    }
  | { readonly t: 'report'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  /** A file is deleted; its note stands until the event is in the log. */
  | { readonly t: 'evicted'; readonly tombstone: Tombstone }
  /** A long operation makes progress. */
  | { readonly t: 'progress' }
  | { readonly t: 'done'; readonly ask: number; readonly result?: unknown }
  | { readonly t: 'refused'; readonly ask: number; readonly error: ErrorBody };
