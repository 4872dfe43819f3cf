/** Settings of video generation, shared by all requests of one service. */
export type Generation = {
  /** Tier of the model's table of shapes. */
  readonly resolution: '256' | '480' | '720';
  readonly frames: number;
  readonly fps: number;
  /** Steps of denoising: more is slower. */
  readonly steps: number;
};

/** Frames of one film, by tier, as the service documents them. */
export const FRAMES_MIN = 25;
export const FRAMES_MAX: Readonly<Record<Generation['resolution'], number>> = {
  256: 397,
  480: 297,
  720: 197,
};

/** The fields of a request that say how. Whole numbers are whole: the service takes no 35.0 for 35. */
export function generationFields({
  resolution,
  frames,
  fps,
  steps,
}: Generation): Readonly<Record<string, unknown>> {
  const count = Math.round(Math.min(FRAMES_MAX[resolution], Math.max(FRAMES_MIN, frames)));
  return { resolution, num_frames: count, fps, num_inference_steps: Math.round(steps) };
}
