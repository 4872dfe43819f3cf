import type { ErrorBody, GraphSnapshot, Sample } from '../../contract/core.ts';

/** A topic that clients may subscribe to. `schema`: its definition with dependencies (`ros2msg`). */
export type OfferedTopic = {
  readonly topic: string;
  readonly type: string;
  readonly schema: string;
  /** A late subscriber gets the last messages too. */
  readonly latched: boolean;
};

/** From the execution cell to the thread of the servers. */
export type ToServers =
  | { readonly kind: 'topics'; readonly added: readonly OfferedTopic[]; readonly removed: readonly string[] }
  /** `ticket`: this sample is for the subscriber that asked for the last messages of a latched topic. */
  | { readonly kind: 'sample'; readonly sample: Sample; readonly ticket?: number }
  /** Samples that this thread was too slow for. */
  | { readonly kind: 'missed'; readonly topic: string; readonly count: number }
  /** The last `follow` is in force. */
  | { readonly kind: 'following' }
  /** All that `latest` asked for was sent. */
  | { readonly kind: 'given'; readonly ticket: number }
  | { readonly kind: 'graph'; readonly graph: GraphSnapshot }
  | { readonly kind: 'receipt'; readonly ticket: number; readonly error?: ErrorBody }
  | { readonly kind: 'close' };

/** From the thread of the servers to the execution cell. */
export type FromServers =
  /** Topics that some client follows now, or none any longer, and whether the cell is to report the ROS graph. */
  | {
      readonly kind: 'follow';
      readonly added: readonly string[];
      readonly removed: readonly string[];
      readonly graph: boolean;
    }
  | { readonly kind: 'latest'; readonly topic: string; readonly ticket: number }
  /** These bytes of samples have arrived. */
  | { readonly kind: 'taken'; readonly bytes: number }
  | {
      readonly kind: 'publish';
      readonly ticket: number;
      readonly topic: string;
      readonly type: string;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'report';
      readonly level: 'info' | 'warn' | 'error';
      readonly message: string;
      readonly facts: Readonly<Record<string, unknown>>;
    }
  /** The unix socket for clients of the API listens. */
  | { readonly kind: 'live' }
  /** No port is configured, and no client has been there for a while: the thread may end. */
  | { readonly kind: 'unused' }
  | { readonly kind: 'closed' };
