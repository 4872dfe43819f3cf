import type { ToolImage } from './tool.ts';

/** A film as such services take and give it. */
export type VideoClip = { readonly mime: 'video/mp4'; readonly data: Uint8Array };

export type ServiceHealth = { readonly ok: boolean; readonly reason: string };

type Ask = {
  /** What is to be seen, in words. */
  readonly prompt: string;
  readonly seed?: number;
  /** Wall time, milliseconds. Generation takes minutes: there is no sign of life before its end. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
};

export type PredictAsk = Ask & {
  /** What is seen now: a picture, or a film that is carried on. */
  readonly from: ToolImage | VideoClip;
};
export type TransferAsk = Ask & {
  readonly video: VideoClip;
  /** What has to stay as it is. */
  readonly control: 'edge' | 'blur';
};
export type ReasonAsk = Ask & {
  readonly images?: readonly ToolImage[];
  /** One at most: what such services take by default. */
  readonly video?: VideoClip;
  /** JSON Schema of the answer, enforced by the service and checked again here. */
  readonly answerSchema: Readonly<Record<string, unknown>>;
  readonly maxTokens?: number;
};
export type ReasonAnswer = {
  readonly json: unknown;
  readonly modelId: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
};

/**
 * Services that imagine and judge futures. Each call settles by its deadline, with `deadline.exceeded`,
 * `model.unavailable` (not there, busy, another runtime), `model.failed` (it refused the request, or answered with
 * something else), or `run.cancelled`. What may have started is never asked for twice. `health` never rejects.
 */
export interface WorldPredictor {
  predict(ask: PredictAsk): Promise<VideoClip>;
  health(): Promise<ServiceHealth>;
}
export interface WorldTransfer {
  transfer(ask: TransferAsk): Promise<VideoClip>;
  health(): Promise<ServiceHealth>;
}
export interface WorldReasoner {
  reason(ask: ReasonAsk): Promise<ReasonAnswer>;
  health(): Promise<ServiceHealth>;
}
