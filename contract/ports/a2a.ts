import type { PolicyContext } from '../intent.ts';

/** A request of the Agent2Agent protocol as HTTP brings it. */
export type A2aRequest = {
  /** The parsed body, in any form. */
  readonly body: unknown;
  /** Header `A2A-Version`; absent: 0.3, as the protocol has it. */
  readonly version: string | undefined;
  /** Where this robot is reached, for its agent card: scheme and host. */
  readonly base: string;
  /** In whose name it acts; its origin is `a2a`. */
  readonly who: PolicyContext;
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
};

/** One JSON-RPC answer, or several: then each is an event of a stream, and `events` never rejects. */
export type A2aAnswer =
  | { readonly kind: 'answer'; readonly body: object }
  | { readonly kind: 'stream'; readonly events: AsyncIterable<object> };

/** This robot as an agent of the Agent2Agent protocol: a task is a run, its id is the id of the run. */
export interface A2aApi {
  /** The agent card; `whole`: with the intents of applications as skills, for callers with a token. */
  card(base: string, version: string | undefined, whole: boolean): Promise<object>;
  /** Answers every body, also one that is not JSON-RPC. Never rejects. */
  call(request: A2aRequest): Promise<A2aAnswer>;
  /** What became of push notifications; absent: the configuration allows none. */
  readonly push?: () => PushStats;
}

/** Where a client wants the states of one of its tasks. All texts may be empty except `url`, `taskId` and `id`. */
export type PushConfig = {
  readonly taskId: string;
  readonly id: string;
  readonly url: string;
  /** Shown in the header `X-A2A-Notification-Token`. */
  readonly token: string;
  /** Header `Authorization`: scheme and credentials. */
  readonly scheme: string;
  readonly credentials: string;
  /** Version of the protocol in which it was set: deliveries have its form. */
  readonly version: '0.3' | '1.0';
  /** Who opened the task: no other caller sets or reads this. */
  readonly owner: { readonly tenant: string; readonly principal: string };
};

export type PushBody = { readonly type: string; readonly text: string };

/** One POST to a receiver. */
export type PushOrder = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
};

/** Resolves with the status of the answer; rejects where none comes, or where the address is not allowed. */
export type PushPost = (order: PushOrder) => Promise<number>;

/** Keeps the configs over a restart, readable by this user only. */
export type PushKeep = {
  read(): Promise<string | undefined>;
  /** Durable when it returns. Throws where it cannot be written. */
  write(text: string): void;
};

/** Since the start of the cell, except the first two, which are of now. */
export type PushStats = {
  readonly configs: number;
  readonly waiting: number;
  readonly delivered: number;
  /** Tries that failed. */
  readonly failed: number;
  /** States that were left out because newer ones came. */
  readonly dropped: number;
  /** States that were not taken by their deadline. */
  readonly expired: number;
};
