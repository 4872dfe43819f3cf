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
}
