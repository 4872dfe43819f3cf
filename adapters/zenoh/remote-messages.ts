/** Messages between `remote-link.ts` and the process of zenoh-ts. */

export type RemoteStart = { readonly url: string };

/** A value on its way to the daemon. */
export type RemoteValue = {
  readonly key: string;
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly deleted: boolean;
  readonly attachment?: Uint8Array | undefined;
};

export type RemotePut = {
  readonly op: 'put';
  readonly ticket: number;
  readonly key: string;
  /** Undefined: a deletion. */
  readonly payload: Uint8Array | undefined;
  readonly encoding: string | undefined;
  readonly attachment: Uint8Array | undefined;
  /** 1 (real time) to 7 (background), as on the wire. */
  readonly priority: number;
  readonly block: boolean;
  readonly express: boolean;
};

export type RemoteDeclare =
  | {
      readonly op: 'subscribe';
      readonly id: number;
      readonly keyExpr: string;
      readonly depth: number;
      readonly bytes: number;
    }
  | { readonly op: 'queryable'; readonly id: number; readonly keyExpr: string; readonly complete: boolean }
  | { readonly op: 'token'; readonly id: number; readonly keyExpr: string }
  | { readonly op: 'watch'; readonly id: number; readonly keyExpr: string };

export type RemoteGet = {
  readonly op: 'get';
  readonly id: number;
  readonly selector: string;
  readonly payload: Uint8Array | undefined;
  readonly encoding: string | undefined;
  readonly attachment: Uint8Array | undefined;
  readonly target: 'best_matching' | 'all' | 'all_complete';
  readonly timeoutMs: number;
  readonly repliesMax: number;
};

export type RemoteAnswer = {
  readonly op: 'answer';
  readonly query: number;
  /** False: `payload` is an error. */
  readonly ok: boolean;
  /** False: more answers follow. */
  readonly last: boolean;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly attachment: Uint8Array | undefined;
};

export type ToRemote =
  | RemotePut
  | (RemoteDeclare & { readonly ticket: number })
  | { readonly op: 'undeclare'; readonly ticket: number; readonly id: number }
  | RemoteGet
  /** The caller's time is over. */
  | { readonly op: 'forget'; readonly id: number }
  | RemoteAnswer
  /** The daemon has handled the last batch of this subscription: the next may come. */
  | { readonly op: 'taken'; readonly id: number }
  | { readonly op: 'close' };

export type FromRemote =
  | { readonly op: 'up'; readonly zid: string }
  /** Once a second: the process itself is not stuck. */
  | { readonly op: 'alive' }
  /** The link is over; the process ends. */
  | { readonly op: 'down'; readonly reason: string }
  | { readonly op: 'done'; readonly ticket: number; readonly error?: string; readonly dropped?: number }
  | {
      readonly op: 'values';
      readonly id: number;
      readonly values: readonly RemoteValue[];
      /** Values of this subscription dropped so far on this link. */
      readonly dropped: number;
    }
  | { readonly op: 'change'; readonly id: number; readonly key: string; readonly alive: boolean }
  | {
      readonly op: 'query';
      readonly id: number;
      readonly query: number;
      readonly key: string;
      readonly parameters: string;
      readonly payload: Uint8Array | undefined;
      readonly encoding: string;
      readonly attachment: Uint8Array | undefined;
    }
  | { readonly op: 'reply'; readonly id: number; readonly ok: boolean; readonly value: RemoteValue }
  | { readonly op: 'final'; readonly id: number; readonly lost: number };

/** The text of `done.error` for a put that found no room and was not to wait for it. */
export const CONGESTED = 'congested';
