import { createHash } from 'node:crypto';
import {
  type ActionChunk,
  type DatasetEpisode,
  type DatasetSpec,
  EdgeError,
  type Observation,
  type Policy,
  type PolicyDescription,
} from '../../contract/core.ts';
import { checkObservation } from '../../formats/policy-wire/observation-check.ts';
import { isNamed } from './info.ts';

/** Actions of one chunk. */
const HORIZON = 16;
/** Frames of one episode: an hour at 50 Hz. */
const FRAMES_MAX = 180_000;
/** A number that hardly varies in the episode is not blown up in the comparison. */
const SPREAD_MIN = 1e-3;

export type EpisodeOptions = {
  readonly name: string;
  readonly spec: DatasetSpec;
  readonly episode: DatasetEpisode;
  /**
   * How far an observation is from the recorded one it is taken for; where it gets beyond that, `onDivergence` is
   * called.
   */
  readonly divergenceMax: number;
  onDivergence(distance: number, frame: number): void;
};

type Frame = { readonly inputs: Float32Array; readonly action: Float32Array };

/**
 * What was recorded, as a policy: the actions that followed the recorded observation nearest to the one given. No
 * policy at all for driving a robot, but one whose answers everybody knows: a peer for tests of wires, controllers and
 * robots. Distances are in standard deviations of the episode, per number; images are taken and not compared.
 */
export class EpisodePolicy implements Policy {
  readonly #description: PolicyDescription;
  readonly #options: EpisodeOptions;
  readonly #frames: readonly Frame[];
  readonly #spread: Float32Array;
  /** Where the episode is: of frames that are equally near the next one counts. */
  #at = 0;
  #divergence = { last: 0, max: 0 };
  #far = false;

  private constructor(options: EpisodeOptions, frames: readonly Frame[]) {
    this.#options = options;
    this.#frames = frames;
    this.#spread = spreadOf(frames);
    this.#description = describe(options, frames);
  }

  /** Throws `model.unavailable`: an episode without frames, actions or numbers to compare. */
  static async load(options: EpisodeOptions): Promise<EpisodePolicy> {
    const { name, spec, episode } = options;
    const inputs = vectorNames(spec);
    if (inputs.length === 0 || spec.features['action']?.kind !== 'vector')
      throw unavailable(name, 'the episode has no numeric observation, or no action');
    const frames: Frame[] = [];
    for await (const { vectors } of episode.frames()) {
      if (frames.length === FRAMES_MAX)
        throw unavailable(name, `the episode has more than ${FRAMES_MAX} frames`);
      const joined = Float32Array.from(inputs.flatMap((key) => [...vectors[key]!]));
      const action = vectors['action']!;
      // No robot is given one of these, and nothing is near to one: a recording that holds some is spoiled.
      if (![joined, action].every((numbers) => numbers.every(Number.isFinite)))
        throw unavailable(name, `frame ${frames.length} of the episode has a number that is not finite`);
      frames.push({ inputs: joined, action });
    }
    if (frames.length === 0) throw unavailable(name, 'the episode has no frames');
    return new EpisodePolicy(options, frames);
  }

  describe(): PolicyDescription {
    return this.#description;
  }

  /** Of the last answer, and the largest since the last reset, in standard deviations. */
  divergence(): { readonly last: number; readonly max: number } {
    return this.#divergence;
  }

  async infer(observation: Observation): Promise<ActionChunk> {
    checkObservation(observation, this.#description);
    const given = Object.keys(this.#description.inputs).flatMap((key) => [...observation.tensors[key]!.data]);
    const { frame, distance } = this.#nearest(given);
    this.#at = frame;
    this.#divergence = { last: distance, max: Math.max(distance, this.#divergence.max) };
    const { divergenceMax, onDivergence } = this.#options;
    // Reported when the divergence starts, not for each answer.
    if (distance > divergenceMax && !this.#far) onDivergence(distance, frame);
    this.#far = distance > divergenceMax;
    return {
      actions: { shape: this.#description.output, data: this.#actionsFrom(frame) },
      stepMs: this.#description.stepMs,
      stamp: observation.stamp,
      policyHash: this.#description.hash,
    };
  }

  async reset(): Promise<void> {
    this.#at = 0;
    this.#divergence = { last: 0, max: 0 };
    this.#far = false;
  }

  async close(): Promise<void> {}

  /** All frames are looked at, from where the episode is on: an arm that stands still is not thrown back. */
  #nearest(given: readonly number[]): { frame: number; distance: number } {
    let best = { frame: this.#at, distance: Number.POSITIVE_INFINITY };
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = (this.#at + i) % this.#frames.length;
      const distance = this.#distance(this.#frames[frame]!.inputs, given, best.distance);
      if (distance < best.distance) best = { frame, distance };
    }
    return best;
  }

  /** The largest difference of a number; at least `enough` as soon as it is known to be. */
  #distance(recorded: Float32Array, given: readonly number[], enough: number): number {
    let largest = 0;
    for (let i = 0; i < recorded.length; i++) {
      largest = Math.max(largest, Math.abs(recorded[i]! - given[i]!) / this.#spread[i]!);
      if (largest >= enough) return largest;
    }
    return largest;
  }

  /** The actions from this frame on; after the last one it stays. */
  #actionsFrom(frame: number): Float32Array {
    const [horizon, dimension] = this.#description.output;
    const data = new Float32Array(horizon * dimension);
    for (let step = 0; step < horizon; step++) {
      const at = Math.min(frame + step, this.#frames.length - 1);
      data.set(this.#frames[at]!.action, step * dimension);
    }
    return data;
  }
}

/** Features that are vectors and were observed. */
function vectorNames({ features }: DatasetSpec): string[] {
  return Object.keys(features).filter((key) => key !== 'action' && features[key]!.kind === 'vector');
}

function describe({ name, spec }: EpisodeOptions, frames: readonly Frame[]): PolicyDescription {
  const hash = createHash('sha256');
  for (const { inputs, action } of frames)
    hash.update(new Uint8Array(Float32Array.of(...inputs, ...action).buffer));
  const action = spec.features['action'] as { readonly names: readonly string[] };
  const images = Object.entries(spec.features).flatMap(([key, feature]) =>
    feature.kind === 'video' ? [[key, [feature.height, feature.width, 3]] as const] : [],
  );
  return {
    name,
    hash: hash.digest('hex'),
    inputs: Object.fromEntries(
      vectorNames(spec).map((key) => [key, [(spec.features[key] as typeof action).names.length]]),
    ),
    ...(images.length > 0
      ? { images: Object.fromEntries(images) as unknown as Record<string, [number, number, 3]> }
      : {}),
    output: [HORIZON, action.names.length],
    stepMs: 1_000 / spec.fps,
    ...(isNamed(action.names) ? { actionNames: action.names } : {}),
    takesTask: true,
  };
}

/** Standard deviation of each number over the episode. */
function spreadOf(frames: readonly Frame[]): Float32Array {
  const width = frames[0]!.inputs.length;
  return Float32Array.from({ length: width }, (_, i) => {
    const mean = frames.reduce((sum, { inputs }) => sum + inputs[i]!, 0) / frames.length;
    const square = frames.reduce((sum, { inputs }) => sum + (inputs[i]! - mean) ** 2, 0) / frames.length;
    return Math.max(SPREAD_MIN, Math.sqrt(square));
  });
}

function unavailable(subject: string, message: string): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject,
    message: `${subject}: ${message}`,
    retryable: false,
  });
}
