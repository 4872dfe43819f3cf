import type { ErrorBody } from './errors.ts';
import type { PolicyContext } from './intent.ts';
import type { ModelDelta, ModelMessage, ModelNeed, ModelTool } from './ports/language-model.ts';
import type { ActionChunk, Observation, Tensor } from './ports/policy.ts';
import type { PolicyCaller, ServedPolicy } from './ports/policy-desk.ts';

/** Answer of `policy.list`. */
export type PolicyListReply = { readonly policies: readonly ServedPolicy[] };

/** Body of `policy.reload`; the answer is the `ServedPolicy`. */
export type PolicyReloadRequest = { readonly name: string };

/** Body of `policy.describe`; absent: the default policy. The answer is a `PolicyDescription`. */
export type PolicyDescribeRequest = { readonly policy?: string };

/**
 * Body of `policy.infer`: one question to the desk from another cell. Rejects as `PolicySession.infer`, and
 * `model.not_found`.
 */
export type PolicyInferRequest = {
  readonly caller: PolicyCaller;
  /** Undefined: the default policy. */
  readonly policy: string | undefined;
  /** Names an episode of this caller, for policies with memory; undefined: the caller has only one. */
  readonly session: string | undefined;
  /** A new episode starts with this question. */
  readonly reset?: boolean;
  readonly observation: Observation;
  readonly deadlineMs: number | undefined;
  readonly prefix: Tensor | undefined;
  /** Name under which it can be cancelled. */
  readonly call: string | undefined;
};
export type PolicyInferReply = { readonly chunk: ActionChunk };

/** One call of a model from outside of any run, in the types of the port. */
export type ChatRequest = {
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ModelTool[];
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly name: string };
  readonly answerSchema?: Readonly<Record<string, unknown>>;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed?: number;
  readonly deadlineMs: number;
  readonly need?: ModelNeed;
};

/**
 * Body of `infer.chat_open`: starts a call of a model within the rights and quotas of `context`. Fairness is among
 * `caller`s. The answer is `{}`; its result is fetched by `infer.chat_next`. Rejects with `schema.invalid`,
 * `cell.overloaded`, `model.unavailable`.
 */
export type ChatOpen = {
  readonly callId: string;
  readonly caller: string;
  readonly context: PolicyContext;
  readonly request: ChatRequest;
  /** Name of a configured model; `auto`: any that fits. */
  readonly model: string;
};

/** Body of `infer.chat_next`: settles with what has come, or with nothing after `waitMs`. */
export type ChatNext = { readonly callId: string; readonly waitMs: number };

/** How it ended: by the answer, or by the error. */
export type ChatEnd =
  | {
      readonly ok: true;
      readonly text: string;
      readonly toolCalls: readonly {
        readonly id: string;
        readonly name: string;
        readonly argumentsText: string;
      }[];
      readonly stopReason: 'stop' | 'length' | 'tool_calls';
      readonly tokensIn: number;
      readonly tokensOut: number;
      readonly model: string;
      readonly modelId: string;
    }
  | { readonly ok: false; readonly error: ErrorBody };

/** Answer of `infer.chat_next`, in order. With `end` nothing follows and the call is forgotten. */
export type ChatNextReply = { readonly deltas: readonly ModelDelta[]; readonly end?: ChatEnd };

/** Body of `infer.chat_cancel`, for calls of models and of plans. An unknown call is no error. */
export type ChatCancel = { readonly callId: string; readonly reason: string };
