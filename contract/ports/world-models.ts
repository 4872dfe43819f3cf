import type { ToolImage } from './tool.ts';

/** A video as such services take and return it. */
export type VideoClip = { readonly mime: 'video/mp4'; readonly data: Uint8Array };

export type ServiceHealth = { readonly ok: boolean; readonly reason: string };

type Ask = {
  /** The scene to generate, in words. */
  readonly prompt: string;
  readonly seed?: number;
  /** Wall time, milliseconds. Generation takes minutes: there is no progress report before its end. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
};

export type PredictAsk = Ask & {
  /** The present view: an image, or a video to continue. */
  readonly from: ToolImage | VideoClip;
};
export type TransferAsk = Ask & {
  readonly video: VideoClip;
  /** What has to stay unchanged. */
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
 * Services that generate and judge possible futures. Each call settles by its deadline, with `deadline.exceeded`,
 * `model.unavailable` (not there, busy, another runtime), `model.failed` (it refused the request, or answered with
 * something else), or `run.cancelled`. A request that may have started is never repeated. `health` never rejects.
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
