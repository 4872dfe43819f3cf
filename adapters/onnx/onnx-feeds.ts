import { sameShape } from '../../formats/policy-wire/observation-check.ts';
import { feedShapes, type ModelCard } from './model-card.ts';
import type { OnnxJob } from './onnx-messages.ts';
import { type FeatureScale, IDENTITY, normalize, pictureToPlanes, unnormalize } from './scaling.ts';

/** What goes into a network and what comes out of it, without the network. Pure. */

export type Feed = { readonly shape: readonly number[]; readonly data: Float32Array };

/** The observation as the network takes it: scaled, images as planes, the task as one of its places. */
export function feedsOf(card: ModelCard, job: Omit<OnnxJob, 'id'>): Record<string, Feed> {
  const shapes = feedShapes(card);
  const feeds: Record<string, Feed> = {};
  for (const [name, shape] of Object.entries(card.inputs)) {
    const data = normalize(job.tensors[name]!, shape.at(-1)!, scaleOf(card, name));
    feeds[name] = { shape, data };
  }
  for (const [name, [height, width]] of Object.entries(card.images ?? {})) {
    const data = pictureToPlanes(job.images[name]!, height * width, scaleOf(card, name));
    feeds[name] = { shape: shapes[name]!, data };
  }
  if (card.task) feeds[card.task.input] = taskFeed(card.task.names, job.task);
  return feeds;
}

/** An observation of zeros: what a network is warmed up with. */
export function emptyJob(card: ModelCard): Omit<OnnxJob, 'id'> {
  const sizes = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  return {
    tensors: Object.fromEntries(
      Object.entries(card.inputs).map(([name, shape]) => [name, new Float32Array(sizes(shape))]),
    ),
    images: Object.fromEntries(
      Object.entries(card.images ?? {}).map(([name, shape]) => [name, new Uint8Array(sizes(shape))]),
    ),
    task: card.task?.names[0],
    prefix: undefined,
  };
}

/**
 * The actions in the units of the robot, [horizon, dimension] flat, from the outputs in the order of the card: one,
 * or several that stand side by side. Throws with words when their shapes are not those of the card.
 */
export function actionsOf(card: ModelCard, outputs: readonly Feed[]): Float32Array {
  const [horizon, dimension] = card.output.shape;
  const only = outputs[0]!;
  if (outputs.length === 1 && !sameShape(only.shape, [horizon, dimension]))
    throw new Error(`gave shape [${only.shape.join(', ')}], its card says [${horizon}, ${dimension}]`);
  const joined = outputs.length === 1 ? only.data : sideBySide(outputs, horizon, dimension);
  const odd = joined.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw new Error(`gave ${joined[odd]} for number ${odd % dimension} of an action`);
  return unnormalize(joined, dimension, card.normalization?.output ?? IDENTITY);
}

function sideBySide(outputs: readonly Feed[], horizon: number, dimension: number): Float32Array {
  const widths = outputs.map(({ data }) => data.length / horizon);
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total !== dimension || !widths.every(Number.isInteger))
    throw new Error(
      `gave outputs of ${widths.join(' + ')} numbers per action, its card says [${horizon}, ${dimension}]`,
    );
  const joined = new Float32Array(horizon * dimension);
  let from = 0;
  for (const [i, { data }] of outputs.entries()) {
    const width = widths[i]!;
    for (let step = 0; step < horizon; step++)
      joined.set(data.subarray(step * width, (step + 1) * width), step * dimension + from);
    from += width;
  }
  return joined;
}

function scaleOf(card: ModelCard, name: string): FeatureScale {
  const scales = card.normalization?.inputs ?? {};
  return Object.hasOwn(scales, name) ? scales[name]! : IDENTITY;
}

function taskFeed(names: readonly string[], task: string | undefined): Feed {
  const data = new Float32Array(names.length);
  const place = names.indexOf(task ?? names[0]!);
  if (place >= 0) data[place] = 1;
  return { shape: [1, names.length], data };
}
