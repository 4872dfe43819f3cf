import { EdgeError, type PolicyDescription } from '../../contract/core.ts';

/** Some numbers of a tensor or an action under one name of a wire: `size` of them, in order. */
export type WirePart = { readonly key: string; readonly size: number };

/** How the tensors, images, task and actions of a policy are called on a wire that has names of its own. */
export type WireKeys = {
  /** By the policy's input: the parts that it is made of, one behind the other. */
  readonly inputs: Readonly<Record<string, readonly WirePart[]>>;
  readonly images: Readonly<Record<string, string>>;
  readonly task: string;
  readonly actions: readonly WirePart[];
};

/** The same as it is written in a file; what is missing has the default of the wire. */
export type WireKeysFile = {
  readonly inputs?: WireKeys['inputs'];
  readonly images?: WireKeys['images'];
  readonly task?: string;
  readonly actions?: readonly WirePart[];
};

/** openpi leaves names to its policies; those of this project are kept. */
export function openpiKeys(policy: PolicyDescription, given: WireKeysFile = {}): WireKeys {
  return withDefaults(policy, given, {
    input: (name) => name,
    image: (name) => name,
    task: 'prompt',
    action: 'actions',
  });
}

/** GR00T groups by modality: `state.<part>`, `video.<camera>`, `action.<part>`; the last word of our names is kept. */
export function grootKeys(policy: PolicyDescription, given: WireKeysFile = {}): WireKeys {
  const last = (name: string) => name.split('.').at(-1)!;
  return withDefaults(policy, given, {
    input: (name) => `state.${last(name)}`,
    image: (name) => `video.${last(name)}`,
    task: 'annotation.human.task_description',
    action: 'action.action',
  });
}

type Defaults = {
  input(name: string): string;
  image(name: string): string;
  readonly task: string;
  readonly action: string;
};

/** Throws `config.invalid` where the parts of an input or of an action are not as many numbers as the policy takes. */
function withDefaults(policy: PolicyDescription, given: WireKeysFile, defaults: Defaults): WireKeys {
  const inputs: Record<string, readonly WirePart[]> = {};
  for (const [name, shape] of Object.entries(policy.inputs)) {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const parts = own(given.inputs, name) ?? [{ key: defaults.input(name), size }];
    inputs[name] = fitting(parts, size, `inputs.${name}`, policy.name);
  }
  const images = Object.fromEntries(
    Object.keys(policy.images ?? {}).map((name) => [name, own(given.images, name) ?? defaults.image(name)]),
  );
  const [, dimension] = policy.output;
  const actions = given.actions ?? [{ key: defaults.action, size: dimension }];
  return {
    inputs,
    images,
    task: given.task ?? defaults.task,
    actions: fitting(actions, dimension, 'actions', policy.name),
  };
}

function fitting(parts: readonly WirePart[], size: number, place: string, policy: string) {
  const sum = parts.reduce((total, part) => total + part.size, 0);
  if (sum === size) return parts;
  throw new EdgeError('config.invalid', {
    operation: 'read keys of a wire',
    subject: policy,
    message: `${place}: the parts have ${sum} numbers in total, but the policy ${policy} has ${size}`,
  });
}

function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table && Object.hasOwn(table, name) ? table[name] : undefined;
}

/** What is wrong with the keys in a file, in words; undefined: nothing. */
export function wireKeysFault(value: unknown): string | undefined {
  if (!isMap(value)) return 'is not a table';
  const known = ['inputs', 'images', 'task', 'actions'];
  const stranger = Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined) return `unknown key "${stranger}"; known keys: ${known.join(', ')}`;
  const { inputs = {}, images = {}, task = '', actions = [] } = value;
  if (!isMap(inputs) || !Object.values(inputs).every(isParts)) return 'inputs is not {name: [{key, size}]}';
  if (!isMap(images) || !Object.values(images).every((key) => typeof key === 'string'))
    return 'images is not {name: key}';
  if (typeof task !== 'string') return 'task is not a text';
  return isParts(actions) ? undefined : 'actions is not [{key, size}]';
}

function isParts(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (part) =>
        isMap(part) &&
        typeof part['key'] === 'string' &&
        Number.isSafeInteger(part['size']) &&
        (part['size'] as number) > 0,
    )
  );
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
