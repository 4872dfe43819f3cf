import type { BodyOf } from '../bodies/kit.ts';
import type * as runs from '../bodies/runs.ts';

/** How much a model that reasons may think before it answers. */
export const THINKING_LEVELS = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const;
export type ThinkingLevel = (typeof THINKING_LEVELS)[number];

/** One call that a model asked for. `argumentsText` is the text as received: it may not be JSON. */
export type ModelToolCall = BodyOf<typeof runs.ModelToolCall>;

/** One message of a conversation with a model. */
export type ModelMessage = BodyOf<typeof runs.ModelMessage>;

export type ModelTool = BodyOf<typeof runs.ModelTool>;

/** What a call needs of a model; a router chooses by it. Absent: no requirement. */
export type ModelNeed = BodyOf<typeof runs.ModelNeed>;

export type ModelRequest = {
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ModelTool[];
  /** Tools of `tools` that may be called now, with schemas that may be narrower. Absent: all of them. */
  readonly choices?: readonly ModelTool[];
  /** Default `auto`. `required`: some tool has to be called. */
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly name: string };
  /**
   * True: calls come as the model made them, and the caller refuses what does not fit, so that the model learns why.
   * Otherwise a forced answer that is no fitting call rejects with `model.failed`.
   */
  readonly uncheckedCalls?: boolean;
  /** JSON Schema the answer has to satisfy, enforced by the server and checked again here. */
  readonly answerSchema?: Readonly<Record<string, unknown>>;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed?: number;
  /** Absent: the default of the model. */
  readonly thinking?: ThinkingLevel;
  readonly deadlineMs: number;
  /** For the log: `plan`, `agent turn`, `compaction`. */
  readonly purpose: string;
  readonly need?: ModelNeed;
};

/** What comes while a model answers. A tool call is delivered once, whole, when its arguments are complete. */
export type ModelDelta = BodyOf<typeof runs.ModelDelta>;

export type ModelAnswer = {
  readonly text: string;
  /** Parsed and checked, where an `answerSchema` was given. */
  readonly json?: unknown;
  readonly toolCalls: readonly ModelToolCall[];
  readonly stopReason: 'stop' | 'length' | 'tool_calls';
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** Name of the model in the configuration, and the id that its server gave. */
  readonly model: string;
  readonly modelId: string;
  /** Answered from the response cache. */
  readonly cached?: boolean;
  /** From the request to the first token, milliseconds; absent where it could not be measured. */
  readonly firstTokenMs?: number;
};

/** Cause of a `model.unavailable` whose server said when to retry. */
export type ModelPatience = { readonly retryAfterMs: number };

export type ModelOptions = {
  readonly signal?: AbortSignal;
  /** If it throws, the call ends with `model.failed`. Text delivered before a fallback belongs to no answer. */
  readonly onDelta?: (delta: ModelDelta) => void;
  /** W3C trace context for the server. */
  readonly traceparent?: string;
};

export type ModelHealth = {
  readonly ok: boolean;
  readonly reason: string;
  /** Requests that wait at the server. */
  readonly queueDepth: number;
  readonly sleeping?: boolean;
  /** Requests that its server works on, and the share of its cache for attention that is taken, 0 to 1. */
  readonly running?: number;
  readonly cacheUsage?: number;
};

/** What a model can do, as configured or as reported by its server. */
export type ModelInfo = {
  readonly name: string;
  readonly modelId: string;
  readonly vision: boolean;
  readonly tools: boolean;
  /** Tokens of context. */
  readonly context: number;
  readonly latency: 'low' | 'any';
  /** US dollars per million tokens; 0 for a local one. */
  readonly costIn: number;
  readonly costOut: number;
};

/**
 * A System 2 model. `complete` settles by the deadline even when the server does not answer or a stream stalls:
 * `deadline.exceeded`, `model.unavailable`, `model.failed` or `run.cancelled`. After a tool call was delivered to
 * `onDelta`, a broken stream is never retried on another server: it rejects. `health` never rejects.
 */
export interface LanguageModel {
  readonly info: ModelInfo;
  complete(request: ModelRequest, options?: ModelOptions): Promise<ModelAnswer>;
  health(): Promise<ModelHealth>;
  /** Asks a sleeping engine to wake; rejects with `model.unavailable`. Absent where nothing sleeps. */
  wake?(): Promise<void>;
  close(): Promise<void>;
}
