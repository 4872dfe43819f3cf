/** One message of a conversation with a model. Images are JPEG or PNG bytes. */
export type ModelMessage = {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly images?: readonly Uint8Array[];
  readonly callId?: string;
};

export type ModelRequest = {
  readonly messages: readonly ModelMessage[];
  /** JSON Schema the answer has to satisfy, enforced by the server and checked again here. */
  readonly answerSchema?: Readonly<Record<string, unknown>>;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly deadlineMs: number;
};

export type ModelAnswer = {
  readonly text: string;
  readonly json?: unknown;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly model: string;
};

/**
 * A System 2 model. `complete` settles by the deadline even when the server is deaf: `deadline.exceeded`,
 * `model.unavailable` or `model.failed`. `health` never rejects.
 */
export interface LanguageModel {
  complete(request: ModelRequest, signal?: AbortSignal): Promise<ModelAnswer>;
  health(): Promise<{ readonly ok: boolean; readonly reason: string; readonly queueDepth: number }>;
  close(): Promise<void>;
}
