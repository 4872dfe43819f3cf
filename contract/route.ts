import type * as cells from './bodies/cells.ts';
import type { BodyOf } from './bodies/kit.ts';
import type { PublishOptions } from './ports/key-space.ts';
import type { Qos } from './sample.ts';

export * from './route-states.ts';

/** One end of a route: topics of the robot's middleware, keys of the key space, or topics of the sample bus. */
export type RouteEnd = { readonly kind: 'ros' | 'zenoh' | 'bus'; readonly pattern: string };

/** A configured way of samples. Patterns as in `topic-pattern.ts`. */
export type RouteSpec = {
  readonly name: string;
  readonly from: RouteEnd;
  /** A template: the wildcards of `from`, or the placeholders `{topic}`, `{robot}`, `{prefix}`. */
  readonly to: RouteEnd;
  /** Patterns over the names at `from`; an empty allow list allows all. Deny wins. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Samples per second of each topic; 0: no limit. */
  readonly rateHz: number;
  /** `newest`: the newest sample at each turn; `spread`: the first that comes in time. */
  readonly rateMode: 'newest' | 'spread';
  /** Every n-th sample of each topic is passed on, starting with the first. */
  readonly keepEvery: number;
  /** `auto`: by the size of the samples, small ones first. */
  readonly priority: 'auto' | NonNullable<PublishOptions['priority']>;
  readonly congestion: 'block' | 'drop';
  readonly express: boolean;
  /** Samples of one topic that wait for the transport; the oldest goes when there are more. */
  readonly depth: number;
  /** Type of messages from a key space; empty: the type that the sender gives. */
  readonly type: string;
  readonly reliability: Qos['reliability'];
  readonly durability: Qos['durability'];
};

export type RouteStatus = BodyOf<typeof cells.RouteStatus>;
