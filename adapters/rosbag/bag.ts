import type { EdgeError, Nanoseconds, Qos, Sample } from '../../contract/index.ts';
import type { BagNotes } from '../../formats/rosbag2/index.ts';
import type { AbsentFiles } from './absent-files.ts';

export type BagTopic = {
  readonly topic: string;
  readonly type: string;
  readonly messages: number;
  readonly qos: Qos | undefined;
  /** `ros2msg` text with its dependencies, where the bag carries it. */
  readonly definition: string | undefined;
};

/** A channel as the file describes it; a copy keeps all of it. */
export type BagChannel = {
  readonly topic: string;
  readonly type: string;
  /** `ros2msg`, `ros2idl`, ...; empty where the bag carries no definition. */
  readonly schemaEncoding: string;
  readonly schemaData: Uint8Array;
  readonly messageEncoding: string;
  /** By the names of rosbag2: `offered_qos_profiles` (YAML), `topic_type_hash`. */
  readonly metadata: ReadonlyMap<string, string>;
};

/** One message as it lies in the file. */
export type BagMessage = {
  readonly channel: BagChannel;
  readonly sequence: number;
  /** When it was recorded; the order of a bag. */
  readonly logTime: Nanoseconds;
  readonly publishTime: Nanoseconds;
  readonly bytes: Uint8Array;
};

/** Records of a file besides messages. */
export type BagExtra =
  | {
      readonly kind: 'attachment';
      readonly name: string;
      readonly mediaType: string;
      readonly logTime: Nanoseconds;
      readonly createTime: Nanoseconds;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'metadata'; readonly name: string; readonly values: ReadonlyMap<string, string> };

/** How many messages of each topic are lost with a part of a file; undefined where nothing says it. */
export type Lost = ReadonlyMap<string, number> | undefined;

export type BagFilter = {
  readonly topics?: ReadonlySet<string> | undefined;
  /** Inclusive. */
  readonly startNs?: Nanoseconds | undefined;
  /** Exclusive. */
  readonly endNs?: Nanoseconds | undefined;
  /**
   * Called for each part that cannot be read, which is left out, with what is lost of this selection. Without it the
   * first of these errors is thrown after everything that can be read.
   */
  readonly onDamage?: ((fault: EdgeError, lost?: Lost) => void) | undefined;
};

/**
 * A recording that can be read: one file, or a folder of them. `records` and `messages` yield by time, those of
 * one time in the order of the file, and throw `bag.malformed` or `mcap.malformed`, naming file and place, after
 * everything that can be read. The receiver owns the bytes; they may share memory with others.
 */
export interface Bag {
  readonly path: string;
  readonly storage: 'mcap' | 'sqlite3';
  readonly topics: readonly BagTopic[];
  readonly channels: readonly BagChannel[];
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  readonly bytes: number;
  /** Why messages may be missing, as far as opening the file shows: it is truncated, damaged, or not sealed yet. */
  readonly fault: EdgeError | undefined;
  /** What is wrong with a file of which every message can be read: its index, or its end. */
  readonly warning: EdgeError | undefined;
  /** What metadata.yaml says beside the files; undefined where it is missing, or cannot be read. */
  readonly notes?: BagNotes | undefined;
  /** Files that retention deleted, or that were not copied with the others; undefined for a single file. */
  readonly absent?: readonly AbsentFiles[];
  /** As the bag has them, nothing decoded. */
  records(filter?: BagFilter): AsyncGenerator<BagMessage>;
  /** As the bus takes them. */
  messages(filter?: BagFilter): AsyncGenerator<Sample>;
  extras(): AsyncGenerator<BagExtra>;
  close(): Promise<void>;
}
