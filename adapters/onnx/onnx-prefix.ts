import { EdgeError, type Tensor } from '../../contract/core.ts';
import type { ModelCard } from './model-card.ts';
import type { NetworkInput } from './onnx-inputs.ts';
import { IDENTITY, normalize } from './scaling.ts';

/**
 * Networks that take a prefix (training-time real-time chunking): the actions that are executed while they compute.
 * Known by the names of their inputs. LeRobot calls the rows `prev_chunk_left_over`, of which the first
 * `inference_delay` are given here, and their greatest number `rtc_training_max_delay`. Pure.
 */
const ACTIONS = 'action_prefix';
const LENGTH = 'prefix_length';
const MASK = 'prefix_mask';

export type CountType = 'int64' | 'int32' | 'float32' | 'bool';
type CountInput = { readonly type: CountType; readonly shape: readonly number[] };

export type PrefixInputs = {
  /** Rows of `action_prefix`: the longest prefix of which this network knows. */
  readonly rows: number;
  /** [1, rows, dimension] or [rows, dimension] */
  readonly shape: readonly number[];
  readonly length?: CountInput;
  readonly mask?: CountInput;
};

export type PrefixFeed = {
  readonly type: CountType;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array | Uint8Array;
};

/** The inputs of a network for its prefix; undefined: it takes none; text: what is wrong with them. */
export function prefixInputs(
  inputs: readonly NetworkInput[],
  card: ModelCard,
): PrefixInputs | string | undefined {
  const input = (name: string) => inputs.find((one) => one.name === name);
  const actions = input(ACTIONS);
  if (!actions) return undefined;
  const [length, mask] = [input(LENGTH), input(MASK)];
  const taken = [ACTIONS, LENGTH, MASK].find((name) => input(name) && Object.hasOwn(card.inputs, name));
  if (taken !== undefined)
    return `${taken} is the prefix of its network and not measured: inputs in the card must not name it`;
  if (!length && !mask)
    return `its network takes ${ACTIONS} and does not get its length: ${LENGTH} int64 [1] or ${MASK} float32 [1, ${card.output.shape[0]}] expected beside it`;
  const [horizon, dimension] = card.output.shape;
  const axes = bare(actions, 2) ?? [];
  const [told = horizon, width = dimension] = axes;
  const within = (rows: number) => rows >= 1 && rows <= horizon;
  if (actions.type !== 'float32' || axes.length !== 2 || !within(told) || width !== dimension)
    return misfit(actions, `float32 [1, rows, ${dimension}] with 1 to ${horizon} rows`);
  if (length && !(bare(length, 0) && isOf(length, ['int64', 'int32', 'float32'])))
    return misfit(length, 'int64, int32 or float32 [1]');
  const places = mask && bare(mask, 1);
  // Where the actions leave it open the mask may say how many there are.
  const rows = axes[0] ?? places?.[0] ?? horizon;
  const marked = places && (places[0] ?? rows) === rows && within(rows);
  if (mask && !(marked && isOf(mask, ['float32', 'bool'])))
    return misfit(mask, `float32 or bool [1, ${within(rows) ? rows : horizon}]`);
  const batch = (one: NetworkInput, ...rest: number[]) =>
    (one.shape?.length ?? Infinity) > rest.length ? [1, ...rest] : rest;
  return {
    rows,
    shape: batch(actions, rows, dimension),
    ...(length ? { length: { type: length.type as CountType, shape: batch(length) } } : {}),
    ...(mask ? { mask: { type: mask.type as CountType, shape: batch(mask, rows) } } : {}),
  };
}

/** Throws `model.bad_observation`: not [n, dimension] with n up to the horizon, or not finite. */
export function checkPrefix({ shape, data }: Tensor, card: ModelCard): void {
  const [horizon, dimension] = card.output.shape;
  const [rows = -1, width] = shape;
  const bad = (message: string) =>
    new EdgeError('model.bad_observation', { operation: 'infer', subject: card.name, message });
  if (shape.length !== 2 || rows < 0 || rows > horizon || width !== dimension)
    throw bad(`/prefix: shape [n, ${dimension}] expected, n up to ${horizon}, found [${shape.join(', ')}]`);
  if (!(data instanceof Float32Array) || data.length !== rows * dimension)
    throw bad(`/prefix: ${rows * dimension} float32 values expected, found ${data.length}`);
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw bad(`/prefix/${odd}: a finite number expected, found ${data[odd]}`);
}

/**
 * The prefix as the network takes it: scaled as its own answers are, rows that are not known zero. Of a longer one it
 * is given the first part. `prefix` is [n, dimension] flat; undefined: nothing is fixed.
 */
export function prefixFeeds(
  inputs: PrefixInputs,
  card: ModelCard,
  prefix: Float32Array | undefined,
): Record<string, PrefixFeed> {
  const [, dimension] = card.output.shape;
  const known = told(inputs, card, prefix);
  const rows = known.length / dimension;
  const actions = new Float32Array(inputs.rows * dimension);
  actions.set(normalize(known, dimension, card.normalization?.output ?? IDENTITY));
  const mask = Array.from({ length: inputs.rows }, (_, i) => (i < rows ? 1 : 0));
  return {
    [ACTIONS]: { type: 'float32', shape: inputs.shape, data: actions },
    ...(inputs.length ? { [LENGTH]: { ...inputs.length, data: numbers(inputs.length.type, [rows]) } } : {}),
    ...(inputs.mask ? { [MASK]: { ...inputs.mask, data: numbers(inputs.mask.type, mask) } } : {}),
  };
}

/** What is fixed stays bit by bit as it was: a network was not taught what to answer there. Writes into `actions`. */
export function keepPrefix(
  actions: Float32Array,
  inputs: PrefixInputs,
  card: ModelCard,
  prefix: Float32Array | undefined,
): Float32Array {
  actions.set(told(inputs, card, prefix));
  return actions;
}

function told(inputs: PrefixInputs, card: ModelCard, prefix: Float32Array | undefined): Float32Array {
  return (prefix ?? new Float32Array()).subarray(0, inputs.rows * card.output.shape[1]);
}

function numbers(type: CountType, values: readonly number[]): PrefixFeed['data'] {
  if (type === 'int64') return BigInt64Array.from(values, BigInt);
  if (type === 'int32') return Int32Array.from(values);
  return type === 'bool' ? Uint8Array.from(values) : Float32Array.from(values);
}

/** The last `count` axes, undefined ones open; undefined: there are fewer, or more than a batch of one before them. */
function bare({ shape }: NetworkInput, count: number): readonly (number | undefined)[] | undefined {
  if (shape === undefined) return Array.from({ length: count }, () => undefined);
  const extra = shape.length - count;
  const alone = extra === 0 || (extra === 1 && (shape[0] ?? 1) === 1);
  return alone ? shape.slice(extra) : undefined;
}

function isOf({ type }: NetworkInput, types: readonly CountType[]): boolean {
  return (types as readonly string[]).includes(type);
}

function misfit({ name, type, shape }: NetworkInput, expected: string): string {
  const found = shape ? `[${shape.map((size) => size ?? '?').join(', ')}]` : 'of any shape';
  return `input ${name} of its network: ${expected} expected, found ${type} ${found}`;
}
