import { deserialize, serialize } from 'node:v8';
import type { ErrorBody, GoalResult, GraphSnapshot, MessageValue } from '../../contract/core.ts';

/**
 * What the adapter and its host say to each other about services, actions and the graph: values with bigint
 * and typed arrays, so they travel in V8's own serialization and not as JSON. Both ends are this program.
 * `server` numbers are given by the adapter and stay the same over restarts; a goal is named by its UUID.
 */

/** Adapter to host; each is answered by one `reply` or `error` with the same id. */
export type ApiCall =
  | {
      readonly op: 'call';
      readonly name: string;
      readonly type: string;
      readonly request: MessageValue;
      readonly timeoutMs: number;
    }
  | { readonly op: 'serve'; readonly server: number; readonly name: string; readonly type: string }
  | { readonly op: 'serveAction'; readonly server: number; readonly name: string; readonly type: string }
  | { readonly op: 'unserve'; readonly server: number }
  | {
      readonly op: 'sendGoal';
      readonly goalId: string;
      readonly name: string;
      readonly type: string;
      readonly goal: MessageValue;
      readonly timeoutMs: number;
    }
  | { readonly op: 'graph' };

/** Adapter to host, unanswered. */
export type ApiWord =
  /** The caller gave up: whatever comes is dropped. */
  | { readonly op: 'abort'; readonly id: number }
  /** Without a value the caller of our service gets no answer. */
  | {
      readonly op: 'answer';
      readonly server: number;
      readonly request: number;
      readonly value?: MessageValue;
    }
  | { readonly op: 'accept'; readonly server: number; readonly goalId: string; readonly accepted: boolean }
  | {
      readonly op: 'feedback';
      readonly server: number;
      readonly goalId: string;
      readonly value: MessageValue;
    }
  | { readonly op: 'finish'; readonly server: number; readonly goalId: string; readonly result: GoalResult }
  | { readonly op: 'watch'; readonly on: boolean };

/** Host to adapter. */
export type ApiNews =
  | { readonly op: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly op: 'error'; readonly id: number; readonly error: ErrorBody }
  | {
      readonly op: 'request';
      readonly server: number;
      readonly request: number;
      readonly value: MessageValue;
    }
  /** A goal that waits for `accept`. */
  | { readonly op: 'goal'; readonly server: number; readonly goalId: string; readonly value: MessageValue }
  /** The client has been told that its goal is accepted: execute it. */
  | { readonly op: 'execute'; readonly server: number; readonly goalId: string }
  | { readonly op: 'cancelled'; readonly server: number; readonly goalId: string }
  | { readonly op: 'goalFeedback'; readonly goalId: string; readonly value: MessageValue }
  | { readonly op: 'goalResult'; readonly goalId: string; readonly result: GoalResult }
  | { readonly op: 'goalLost'; readonly goalId: string; readonly error: ErrorBody }
  | { readonly op: 'graph'; readonly graph: GraphSnapshot };

export type ApiRequest = { readonly id: number; readonly call: ApiCall };

export function encodeApi(value: ApiRequest | ApiWord | ApiNews): Buffer {
  return serialize(value);
}

export function decodeApi<T extends ApiRequest | ApiWord | ApiNews>(body: Uint8Array): T {
  return deserialize(body) as T;
}
