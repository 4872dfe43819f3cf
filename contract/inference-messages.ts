import type { BodyOf } from './bodies/kit.ts';
import type * as policies from './bodies/policies.ts';
import type * as runs from './bodies/runs.ts';

/** Answer of `policy.list`. */
export type PolicyListReply = BodyOf<typeof policies.PolicyListReply>;

/** Body of `policy.reload`; the answer is the `ServedPolicy`. */
export type PolicyReloadRequest = BodyOf<typeof policies.PolicyReloadRequest>;

/** Body of `policy.describe`; absent: the default policy. The answer is a `PolicyDescription`. */
export type PolicyDescribeRequest = BodyOf<typeof policies.PolicyDescribeRequest>;

/**
 * Body of `policy.infer`: one question to the desk from another cell. Rejects as `PolicySession.infer`, and
 * `model.not_found`.
 */
export type PolicyInferRequest = BodyOf<typeof policies.PolicyInferRequest>;
export type PolicyInferReply = BodyOf<typeof policies.PolicyInferReply>;

/** One call of a model from outside of any run, in the types of the port. */
export type ChatRequest = BodyOf<typeof runs.ChatRequest>;

/**
 * Body of `infer.chat_open`: starts a call of a model within the rights and quotas of `context`. Fairness is among
 * `caller`s. The answer is `{}`; its result is fetched by `infer.chat_next`. Rejects with `schema.invalid`,
 * `cell.overloaded`, `model.unavailable`.
 */
export type ChatOpen = BodyOf<typeof runs.ChatOpen>;

/** Body of `infer.chat_next`: settles with what has come, or with nothing after `waitMs`. */
export type ChatNext = BodyOf<typeof runs.ChatNext>;

/** How it ended: by the answer, or by the error. */
export type ChatEnd = BodyOf<typeof runs.ChatEnd>;

/** Answer of `infer.chat_next`, in order. With `end` nothing follows and the call is forgotten. */
export type ChatNextReply = BodyOf<typeof runs.ChatNextReply>;

/** Body of `infer.chat_cancel`, for calls of models and of plans. An unknown call is no error. */
export type ChatCancel = BodyOf<typeof runs.ChatCancel>;
