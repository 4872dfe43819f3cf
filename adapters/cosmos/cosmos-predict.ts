import type { PredictAsk, ServiceHealth, VideoClip, WorldPredictor } from '../../contract/core.ts';
import { type Generation, generationFields } from './generation.ts';
import { checkedPrompt, dataUrl, NimClient, type NimOptions, videoOf } from './nim-client.ts';

/**
 * What may be seen next, by a Cosmos generator: `POST /v1/infer` from an image (`image2video`) or a film
 * (`video2video`).
 */
export class CosmosPredict implements WorldPredictor {
  readonly #client: NimClient;
  readonly #generation: Generation;
  readonly #name: string;

  constructor(options: Omit<NimOptions, 'runtime'>, generation: Generation) {
    this.#client = new NimClient({ ...options, runtime: 'generator' });
    this.#generation = generation;
    this.#name = options.name;
  }

  async predict({ prompt, from, seed, deadlineMs, signal }: PredictAsk): Promise<VideoClip> {
    const body = {
      model_mode: from.mime === 'video/mp4' ? 'video2video' : 'image2video',
      prompt: checkedPrompt(prompt, this.#name),
      input_reference: dataUrl(from, this.#name),
      ...generationFields(this.#generation),
      ...(seed === undefined ? {} : { seed }),
    };
    return videoOf(await this.#client.post('/v1/infer', body, { deadlineMs, signal }), this.#name);
  }

  health(): Promise<ServiceHealth> {
    return this.#client.health();
  }
}
