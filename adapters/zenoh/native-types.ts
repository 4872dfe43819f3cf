/** The interface of the addon (`native/src`). Ids are numbers: the session in Rust owns every entity. */
export type NativeModule = {
  version(): NativeVersion;
  openSession(options: NativeOpenOptions, wake: () => void): Promise<NativeSession>;
};

export type NativeVersion = { readonly addon: string; readonly zenoh: string; readonly wire: number };

export type NativeOpenOptions = {
  mode: 'peer' | 'client' | 'router';
  listen: string[];
  connect: string[];
  overrides: { key: string; value: string }[];
  pinnedShmBytesMax: number;
  /** Pool of shared memory for `allocate`; 0: none. */
  sharedMemoryBytes: number;
};

export type NativeDelivery = { priority?: number; express?: boolean; bestEffort?: boolean };
/** Limits of waiting samples, or of unanswered queries. */
export type NativeLimits = { depth: number; bytes: number };
export type NativeTarget = 'best' | 'all' | 'all-complete';
export type NativeBatch = { slab: Uint8Array<ArrayBuffer>; large: Uint8Array[]; more: boolean };
export type NativeAllocation = { id: number; shared: boolean; bytes: Uint8Array };
export type NativeCounters = { received: number; dropped: number; delivered: number; queued: number };
export type NativeInfo = { zid: string; routers: string[]; peers: string[] };

export type NativeSession = {
  zid(): string;
  info(): Promise<NativeInfo>;
  /**
   * A small batch is written into `room`, from `at` on; the result is its length then, below 0 where more is left, and
   * 0 where there is nothing.
   */
  drain(max: number, room: Uint8Array, at: number): number | NativeBatch;
  /** Whether there is something to drain, now or within `micros`: blocks that long. */
  look(micros: number): boolean;
  counters(id: number): NativeCounters | null;
  declarePublisher(
    key: string,
    encoding: string | undefined,
    block: boolean,
    cache: number,
    delivery: NativeDelivery,
  ): Promise<number>;
  /** 0: sent (or dropped by congestion). Otherwise a ticket whose completion arrives through `drain`. */
  put(
    publisher: number,
    payload: Uint8Array,
    attachment: Uint8Array | undefined,
    encoding: string | undefined,
  ): number;
  /** Memory for `putAllocated`; null with `sharedOnly` while the pool is full. */
  allocate(length: number, sharedOnly: boolean): NativeAllocation | null;
  /** As `put`, without a copy. The buffer of the allocation must be detached before. */
  putAllocated(
    publisher: number,
    allocation: number,
    attachment: Uint8Array | undefined,
    encoding: string | undefined,
  ): number;
  putDelete(publisher: number, attachment: Uint8Array | undefined): number;
  /** An id for the next four, so that its sink is in place before the first event. */
  reserve(): number;
  /** `history`: values of the past per publisher, 0 for all that are cached, undefined for none. */
  declareSubscriber(
    id: number,
    keyExpr: string,
    history: number | undefined,
    limits: NativeLimits,
  ): Promise<void>;
  declareLivelinessSubscriber(
    id: number,
    keyExpr: string,
    history: boolean,
    limits: NativeLimits,
  ): Promise<void>;
  declareToken(id: number, key: string): Promise<void>;
  declareQueryable(id: number, keyExpr: string, complete: boolean, limits: NativeLimits): Promise<void>;
  undeclare(id: number): Promise<void>;
  get(
    keyExpr: string,
    parameters: string,
    payload: Uint8Array | undefined,
    attachment: Uint8Array | undefined,
    encoding: string | undefined,
    target: NativeTarget,
    timeoutMs: number,
    repliesMax: number,
    repliesBytesMax: number,
  ): number;
  livelinessGet(keyExpr: string, timeoutMs: number, repliesMax: number, repliesBytesMax: number): number;
  /** Answers and leaves the query open. */
  replyPart(
    query: number,
    key: string,
    payload: Uint8Array,
    encoding: string | undefined,
    attachment: Uint8Array | undefined,
  ): void;
  /** These three end the query; after one of the first two the last does nothing. */
  reply(
    query: number,
    key: string,
    payload: Uint8Array,
    encoding: string | undefined,
    attachment: Uint8Array | undefined,
  ): void;
  replyError(query: number, payload: Uint8Array, encoding: string | undefined): void;
  finish(query: number): void;
  close(): Promise<void>;
  release(): void;
};
