import type { ErrorBody } from '../errors.ts';

/** A value in the key space. `encoding` is a MIME-like name, for example `application/json`. */
export type KeyValue = {
  readonly key: string;
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly attachment?: Uint8Array;
  readonly kind: 'put' | 'delete';
};

export type Query = {
  readonly key: string;
  readonly parameters: string;
  readonly payload: Uint8Array | undefined;
  readonly encoding: string;
  readonly attachment?: Uint8Array;
};

/** The answer to a query; throw an EdgeError to answer with a typed error. */
export type Answer = {
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly attachment?: Uint8Array;
};

/**
 * Sends a partial answer before the last one. The caller gets them in order, each as soon as it comes. After the end of
 * the query nothing is sent, without an error. A driver that supports only one answer drops them; the last one is
 * complete.
 */
export type AnswerPart = (part: Answer) => void;

export type Reply =
  | { readonly ok: true; readonly value: KeyValue }
  | { readonly ok: false; readonly error: ErrorBody };

export type PublishOptions = {
  readonly encoding?: string;
  readonly attachment?: Uint8Array;
  readonly priority?:
    | 'real_time'
    | 'interactive_high'
    | 'interactive_low'
    | 'data_high'
    | 'data'
    | 'data_low'
    | 'background';
  /** `block` waits for room in the transport, `drop` does not. */
  readonly congestion?: 'block' | 'drop';
  readonly express?: boolean;
  /** Keeps the last n values for subscribers that come later and ask for `history` (an advanced publisher). */
  readonly cache?: number;
};

export type SubscribeOptions = {
  /** Values held for a slow reader; the oldest is dropped beyond it and counted. */
  readonly depth?: number;
  /** Asks publishers with a `cache` for what they published before (an advanced subscriber). */
  readonly history?: boolean;
  /**
   * The payloads are lent: they may be empty (detached) after the handler has returned. Large ones then go back
   * to their sender at once, without a copy and without waiting for garbage collection. Default: kept.
   */
  readonly loan?: boolean;
};

/** A declared entity; `undeclare` settles within a second and may be called twice. */
export type Declaration = { readonly keyExpr: string; undeclare(): Promise<void> };
export type Subscription = Declaration & {
  /** Values dropped because the reader was slow. */ dropped(): number;
};

/**
 * A Zenoh key space. Key expressions as in Zenoh: `*` one chunk, `**` any number. Every promise settles: by
 * its result, or with `zenoh.failed`, `zenoh.closed` or `deadline.exceeded`. Handlers are called on the main
 * thread in batches; a throwing handler is reported by `onFault` and does not end the subscription. After
 * `close` every call rejects with `zenoh.closed`; `close` may be called twice. Received bytes may be kept as
 * long as the receiver likes and are never written to: they may be the middleware's own memory.
 */
export interface KeySpace {
  /** Id of this session in the network, lowercase hexadecimal as Zenoh prints it. */
  id(): string;
  put(key: string, payload: Uint8Array, options?: PublishOptions): Promise<void>;
  /**
   * Memory that `put` of this very array sends without a copy, shared with readers on this host where possible.
   * What it holds is undefined. `put` takes it, even if the put fails: the array is empty (detached) then. A
   * driver without such memory leaves this out; any array can be put.
   */
  allocate?(bytes: number): Promise<Uint8Array>;
  delete(key: string): Promise<void>;
  subscribe(
    keyExpr: string,
    onValues: (values: readonly KeyValue[]) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Settles with all replies at the latest when `timeoutMs` is over; a silent queryable gives a `deadline.exceeded`
   * reply.
   */
  query(
    selector: string,
    options: {
      readonly payload?: Uint8Array;
      readonly encoding?: string;
      readonly attachment?: Uint8Array;
      /** Whom to ask; default `all`. `all_complete`: queryables that declared themselves complete. */
      readonly target?: 'best_matching' | 'all' | 'all_complete';
      readonly timeoutMs: number;
      /** Called with each reply as it comes; the promise has them all in the end. It must not throw. */
      readonly onReply?: (reply: Reply) => void;
      /** Ends the query: it settles with what has come. */
      readonly signal?: AbortSignal;
    },
  ): Promise<readonly Reply[]>;
  queryable(
    keyExpr: string,
    answer: (query: Query, part: AnswerPart) => Promise<Answer>,
    options?: {
      readonly complete?: boolean;
      /**
       * How long `answer` may take, milliseconds; beyond it the caller is answered with `deadline.exceeded`. Default
       * 60,000.
       */
      readonly timeoutMs?: number;
    },
  ): Promise<Declaration>;
  /** Declares a token that others see until it is undeclared or this session dies. */
  liveliness(key: string): Promise<Declaration>;
  /** Reports tokens that match: the present ones first, then each change. */
  watchLiveliness(keyExpr: string, onChange: (key: string, alive: boolean) => void): Promise<Declaration>;
  close(): Promise<void>;
}
