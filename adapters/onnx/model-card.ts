import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EdgeError, type PolicyDescription } from '../../contract/core.ts';
import { networkInputs } from './onnx-inputs.ts';
import { type PrefixInputs, prefixInputs } from './onnx-prefix.ts';
import { type FeatureScale, scaleFault } from './scaling.ts';

/** The file beside a network that says what it takes and gives. */
export type ModelCard = {
  readonly name: string;
  /** Of the network's file. */
  readonly sha256: string;
  /** Tensors by the names of the network's inputs, without images. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /**
   * Images by the names of the network's inputs: [height, width, 3] as a policy takes them (rgb8). The network is
   * given float32 [1, 3, height, width] in 0..1, then scaled by `normalization` (one number per colour).
   */
  readonly images?: Readonly<Record<string, readonly [number, number, 3]>>;
  /**
   * One output, or several (`names`) that stand side by side in an action, in this order; [horizon, dimension]. A
   * leading batch of one in the network is left out here.
   */
  readonly output: {
    readonly name?: string;
    readonly names?: readonly string[];
    readonly shape: readonly [number, number];
  };
  /** Between two actions of a chunk. */
  readonly step_ms: number;
  /** As the checkpoint was trained (LeRobot's policy_preprocessor and -postprocessor). Absent: the network does it. */
  readonly normalization?: {
    /** By input, images too; what is not named is taken as it is. */
    readonly inputs: Readonly<Record<string, FeatureScale>>;
    readonly output: FeatureScale;
  };
  /** What each number of an action is. */
  readonly action_names?: readonly string[];
  /**
   * A network that was trained for several tasks: its input `input`, [1, names.length], is 1 for the task of the
   * observation and 0 elsewhere. Absent: the task is not looked at.
   */
  readonly task?: { readonly input: string; readonly names: readonly string[] };
};

export type Model = {
  readonly bytes: Uint8Array;
  readonly card: ModelCard;
  /** Read from the network itself: its card does not say it. */
  readonly prefix: PrefixInputs | undefined;
  readonly description: PolicyDescription;
};

/** Reads network and card. Throws `model.unavailable` naming the file when one is missing, wrong or changed. */
export async function readModel(path: string): Promise<Model> {
  const bytes = await read(path);
  const card = readCard(await read(`${path}.json`), `${path}.json`);
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (hash !== card.sha256) {
    throw unavailable(
      path,
      `its SHA-256 is ${hash}, its card pins ${card.sha256}`,
      'make the network and its card again, together',
    );
  }
  const prefix = prefixInputs(networkInputs(bytes, path), card);
  if (typeof prefix === 'string') throw unavailable(path, prefix, 'docs/control.md names these inputs');
  const description = { ...describeCard(card), ...(prefix ? { takesPrefix: true } : {}) };
  return { bytes, card, prefix, description };
}

/** The names of the outputs that are asked for, in the order in which they stand in an action. */
export function outputNames(card: ModelCard): readonly string[] {
  return card.output.names ?? [card.output.name!];
}

/** What the network is fed with: every input by its name and shape, images and task included. */
export function feedShapes(card: ModelCard): Readonly<Record<string, readonly number[]>> {
  const pictures = Object.entries(card.images ?? {}).map(([name, [height, width]]) => [
    name,
    [1, 3, height, width],
  ]);
  const task = card.task ? [[card.task.input, [1, card.task.names.length]]] : [];
  return { ...card.inputs, ...Object.fromEntries([...pictures, ...task]) };
}

function describeCard(card: ModelCard): PolicyDescription {
  return {
    name: card.name,
    hash: card.sha256,
    inputs: card.inputs,
    output: card.output.shape,
    stepMs: card.step_ms,
    ...(card.images && Object.keys(card.images).length > 0 ? { images: card.images } : {}),
    ...(card.action_names ? { actionNames: card.action_names } : {}),
    ...(card.task ? { takesTask: true } : {}),
  };
}

function readCard(bytes: Uint8Array, path: string): ModelCard {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw unavailable(path, `is not JSON: ${(cause as Error).message}`, '', cause);
  }
  const fault = cardFault(value);
  if (fault !== undefined) throw unavailable(path, fault);
  return value as ModelCard;
}

/** What is wrong with a card, in words; undefined: nothing. */
function cardFault(value: unknown): string | undefined {
  const card = (value ?? {}) as Partial<ModelCard>;
  const good =
    isMap(value) &&
    typeof card.name === 'string' &&
    typeof card.sha256 === 'string' &&
    isMap(card.inputs) &&
    Object.values(card.inputs).every(isShape) &&
    isMap(card.output) &&
    isShape(card.output.shape) &&
    card.output.shape.length === 2 &&
    (typeof card.output.name === 'string' || isNames(card.output.names)) &&
    Number.isFinite(card.step_ms) &&
    card.step_ms! > 0;
  if (!good)
    return 'the card does not name name, sha256, inputs, output {name, shape [horizon, dimension]} and step_ms';
  return extrasFault(card as ModelCard);
}

function extrasFault(card: ModelCard): string | undefined {
  const { images, normalization, action_names, task, output } = card;
  if (images !== undefined) {
    if (!isMap(images)) return 'images is not a table of names and [height, width, 3]';
    for (const [name, shape] of Object.entries(images))
      if (!isShape(shape) || shape.length !== 3 || shape[2] !== 3)
        return `images.${name} is not [height, width, 3]`;
  }
  if (action_names !== undefined && !(isNames(action_names) && action_names.length === output.shape[1]))
    return `action_names does not name the ${output.shape[1]} numbers of an action`;
  if (task !== undefined && !(isMap(task) && typeof task.input === 'string' && isNames(task.names)))
    return 'task does not name input and names';
  if (normalization === undefined) return undefined;
  if (!isMap(normalization) || !isMap(normalization.inputs)) return 'normalization does not name inputs';
  for (const [name, scale] of Object.entries(normalization.inputs)) {
    const shape = Object.hasOwn(card.inputs, name) ? card.inputs[name] : undefined;
    const picture = images !== undefined && Object.hasOwn(images, name);
    if (!shape && !picture) return `normalization.inputs.${name}: the network has no such input`;
    const fault = scaleFault(scale, picture ? 3 : shape!.at(-1)!);
    if (fault !== undefined) return `normalization.inputs.${name}: ${fault}`;
  }
  const fault = scaleFault(normalization.output, output.shape[1]);
  return fault === undefined ? undefined : `normalization.output: ${fault}`;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}

function isShape(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && shape.length > 0 && shape.every((n) => Number.isSafeInteger(n) && n > 0);
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unavailable(
      path,
      (cause as Error).message,
      'set control.model, or control.policy = "pursuit"',
      cause,
    );
  }
}

function unavailable(path: string, message: string, hint = '', cause?: unknown): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject: path,
    message: `${path}: ${message}`,
    hint,
    cause,
  });
}
