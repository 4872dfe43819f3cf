import {
  EdgeError,
  type Observation,
  type PictureTensor,
  type PolicyDescription,
  type Sample,
  type Tensor,
} from '../../../contract/core.ts';
import { COMPRESSED_IMAGE, decodeCompressedImage, decodeImage, IMAGE } from '../../../formats/cdr/index.ts';
import { toPixels } from '../looking/pixels.ts';
import type { ControllerSpec, InputSpec } from './controller-spec.ts';
import { crop, type Rgb, resize } from './resize.ts';
import { vectorOf } from './sample-values.ts';

/** Opens a compressed image; rejects with `sample.malformed`. Not in this process where a decoder may die. */
export type PictureDecoder = (file: Uint8Array) => Promise<Rgb>;

type Newest = { readonly sample: Sample; readonly atMs: number };

/**
 * What a policy is shown: the newest sample of each input, made into what it takes. Samples are kept as they came
 * and decoded when a question is asked. All inputs are checked by name and size against the policy.
 */
export class ObservationDesk {
  readonly #inputs: readonly InputSpec[];
  readonly #decode: PictureDecoder;
  readonly #newest: (Newest | undefined)[];

  constructor({ inputs }: Pick<ControllerSpec, 'inputs'>, decode: PictureDecoder) {
    this.#inputs = inputs;
    this.#decode = decode;
    this.#newest = inputs.map(() => undefined);
  }

  /**
   * Returns when the sample was measured, by the time line of `nowMs`. How long it took to get here is known from its
   * stamps; one that claims to be from the future is as far from now as one of the past.
   */
  offer(sample: Sample, nowMs: number, onInput: (input: number, atMs: number) => void): void {
    for (let i = 0; i < this.#inputs.length; i++) {
      if (this.#inputs[i]!.topic !== sample.topic) continue;
      const atMs = measuredAtMs(sample, nowMs);
      this.#newest[i] = { sample, atMs };
      onInput(i, atMs);
    }
  }

  /** Inputs that are older than they may be: name and age in milliseconds, `Infinity` before the first. */
  stale(nowMs: number): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [i, { name, ageMaxMs }] of this.#inputs.entries()) {
      const age = nowMs - (this.#newest[i]?.atMs ?? -Infinity);
      if (!(age <= ageMaxMs)) found[name] = Math.max(found[name] ?? 0, age);
    }
    return found;
  }

  /** Throws `model.bad_observation` naming the input: missing in the configuration, of another size, or not finite. */
  check({ name, inputs, images = {} }: PolicyDescription): void {
    for (const wanted of [...Object.keys(inputs), ...Object.keys(images)]) {
      if (this.#inputs.some((input) => input.name === wanted)) continue;
      const known = this.#inputs.map((input) => input.name).join(', ');
      throw bad(
        wanted,
        `policy ${name} needs the input ${wanted}; the controller has ${known || 'no inputs'}`,
      );
    }
  }

  /** Rejects with `model.bad_observation`, and `sample.malformed` for bytes that are not what they say. */
  async observe(policy: PolicyDescription, task: string | undefined): Promise<Observation> {
    this.check(policy);
    const tensors: Record<string, Tensor> = {};
    const images: Record<string, PictureTensor> = {};
    const sources: Record<string, { topic: string; stamp: bigint }> = {};
    let stamp: bigint | undefined;
    const take = (input: number): Sample => {
      const { name, topic } = this.#inputs[input]!;
      const sample = this.#newest[input]?.sample;
      if (!sample) throw bad(name, `no message received on ${topic} yet`);
      if (stamp === undefined || sample.stamp < stamp) stamp = sample.stamp;
      const source = sources[name];
      if (!source || sample.stamp < source.stamp) sources[name] = { topic, stamp: sample.stamp };
      return sample;
    };
    for (const [name, shape] of Object.entries(policy.inputs))
      tensors[name] = this.#vector(name, shape, take);
    for (const [name, [height, width]] of Object.entries(policy.images ?? {})) {
      const at = this.#inputs.findIndex((input) => input.name === name);
      images[name] = await this.#picture(this.#inputs[at]!, take(at), height, width);
    }
    return {
      tensors,
      ...(policy.images ? { images } : {}),
      ...(task === undefined ? {} : { task }),
      stamp: stamp ?? 0n,
      sources,
    };
  }

  #vector(name: string, shape: readonly number[], take: (input: number) => Sample): Tensor {
    const values: number[] = [];
    for (const [i, input] of this.#inputs.entries()) {
      if (input.name === name) values.push(...vectorOf(take(i), input));
    }
    const length = shape.reduce((product, size) => product * size, 1);
    if (values.length !== length)
      throw bad(
        name,
        `received ${values.length} numbers, but the policy expects the shape [${shape.join(', ')}]`,
      );
    const odd = values.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) throw bad(name, `number ${odd} is ${values[odd]}`);
    return { shape, data: Float32Array.from(values) };
  }

  async #picture(input: InputSpec, sample: Sample, height: number, width: number): Promise<PictureTensor> {
    const [left = 0, top = 0, wide = Infinity, high = Infinity] = input.crop;
    const picture = await this.#rgb(input, sample);
    const part = input.crop.length === 0 ? picture : crop(picture, left, top, wide, high);
    return resize(part, height, width, input.fit);
  }

  async #rgb({ name }: InputSpec, sample: Sample): Promise<Rgb> {
    if (sample.type === COMPRESSED_IMAGE) return this.#decode(decodeCompressedImage(sample.bytes).data);
    if (sample.type !== IMAGE) throw bad(name, `${sample.type} on ${sample.topic} is not an image`);
    const { picture, depth } = toPixels(decodeImage(sample.bytes), Number.MAX_SAFE_INTEGER);
    if (depth) throw bad(name, `${sample.topic} is a depth image`);
    if (picture.channels === 3) return picture;
    const { data: grey, width, height } = picture;
    const data = new Uint8Array(width * height * 3);
    for (let i = 0; i < grey.length; i++) data.fill(grey[i]!, 3 * i, 3 * i + 3);
    return { data, width, height };
  }
}

/** When a sample was measured, by the time line of `nowMs`; however its stamps differ, it is no younger than now. */
export function measuredAtMs({ stamp, received }: Sample, nowMs: number): number {
  return nowMs - Math.abs(Number(received - stamp)) / 1e6;
}

function bad(subject: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'observe', subject, message });
}
