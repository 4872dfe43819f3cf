import type { ServiceHealth, TransferAsk, VideoClip, WorldTransfer } from '../../contract/core.ts';
import { FRAMES_MAX, type Generation, generationFields } from './generation.ts';
import { checkedPrompt, dataUrl, NimClient, type NimOptions, videoOf } from './nim-client.ts';

/** How much of the source is kept, as the service derives it. */
const PRESETS = {
  edge: { edge: { preset_edge_threshold: 'medium' } },
  blur: { blur: { preset_blur_strength: 'medium' } },
} as const;

/**
 * A film as it would look elsewhere, with its edges or its blurred shapes kept: `POST /v1/infer` with
 * `model_mode: video2video` and a `transfer` whose control the service derives from the film.
 */
export class CosmosTransfer implements WorldTransfer {
  readonly #client: NimClient;
  readonly #generation: Generation;
  readonly #name: string;

  constructor(options: Omit<NimOptions, 'runtime'>, generation: Generation) {
    this.#client = new NimClient({ ...options, runtime: 'generator' });
    this.#generation = generation;
    this.#name = options.name;
  }

  async transfer({ prompt, video, control, seed, deadlineMs, signal }: TransferAsk): Promise<VideoClip> {
    const fields = generationFields(this.#generation);
    const body = {
      model_mode: 'video2video',
      prompt: checkedPrompt(prompt, this.#name),
      input_reference: dataUrl(video, this.#name),
      transfer: {
        ...PRESETS[control],
        control_guidance: 1.5,
        num_conditional_frames: 1,
        num_first_chunk_conditional_frames: 0,
        num_video_frames_per_chunk: Math.min(121, Number(fields['num_frames'] ?? FRAMES_MAX[720])),
      },
      ...fields,
      ...(seed === undefined ? {} : { seed }),
    };
    return videoOf(await this.#client.post('/v1/infer', body, { deadlineMs, signal }), this.#name);
  }

  health(): Promise<ServiceHealth> {
    return this.#client.health();
  }
}
