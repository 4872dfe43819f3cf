import { refused } from './budget.ts';
import { emptyArray, frombuffer, makeDtype, numpyScalar } from './ndarray.ts';
import type { ReadContext } from './read-context.ts';
import { STORAGE_KINDS } from './torch-format.ts';
import { loadStorage, rebuildTensor } from './torch-tensor.ts';
import { isPy, type PyGlobal, type PyValue } from './values.ts';

/**
 * Every name that a pickle of this wire may hold, and the pure function that stands for it here. Nothing else is
 * found: `os.system` is as unknown as a typing error. `make`: a dataclass, of which the fields are read.
 */
type Rule = {
  readonly make?: true;
  readonly call?: (args: readonly PyValue[], context: ReadContext, at: number) => PyValue;
};

/** Where LeRobot keeps its messages: since 0.4, and in 0.3. */
export const HELPER_MODULES = ['lerobot.async_inference.helpers', 'lerobot.scripts.server.helpers'] as const;
const NUMPY_CORES = ['numpy._core', 'numpy.core'] as const;

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...HELPER_MODULES.flatMap((module) =>
    ['TimedObservation', 'TimedAction', 'RemotePolicyConfig'].map((name): [string, Rule] => [
      key(module, name),
      { make: true },
    ]),
  ),
  [key('lerobot.configs.types', 'PolicyFeature'), { make: true }],
  [key('lerobot.configs.types', 'FeatureType'), { call: featureType }],
  [key('collections', 'OrderedDict'), { call: orderedDict }],
  ...NUMPY_CORES.flatMap((core): [string, Rule][] => [
    [key(`${core}.multiarray`, '_reconstruct'), { call: (args, _, at) => emptyArray(args, at) }],
    [key(`${core}.multiarray`, 'scalar'), { call: (args, { budget }, at) => numpyScalar(args, budget, at) }],
    [key(`${core}.numeric`, '_frombuffer'), { call: (args, { budget }, at) => frombuffer(args, budget, at) }],
  ]),
  [key('numpy', 'dtype'), { call: (args, _, at) => makeDtype(args, at) }],
  [key('numpy', 'ndarray'), {}],
  [key('torch._utils', '_rebuild_tensor_v2'), { call: rebuildTensor }],
  [key('torch.storage', '_load_from_bytes'), { call: loadStorage }],
  ...Object.keys(STORAGE_KINDS).map((name): [string, Rule] => [key('torch', name), {}]),
]);

function key(module: string, name: string): string {
  return `${module} ${name}`;
}

/** Throws `wire.refused` naming what is not in the list. */
export function findGlobal(module: string, name: string, at: number): PyGlobal {
  if (!RULES.has(key(module, name)))
    throw refused(`the global ${shown(module)}.${shown(name)} is not allowed in this protocol`, at);
  return { py: 'global', module, name };
}

export function mayBeMade({ module, name }: PyGlobal): boolean {
  return RULES.get(key(module, name))?.make === true;
}

export function callGlobal(
  callee: PyGlobal,
  args: readonly PyValue[],
  context: ReadContext,
  at: number,
): PyValue {
  const call = RULES.get(key(callee.module, callee.name))?.call;
  if (!call) throw refused(`calling ${callee.module}.${callee.name} is not allowed`, at);
  return call(args, context, at);
}

/** An enumeration member is its text. */
function featureType(args: readonly PyValue[], _: ReadContext, at: number): PyValue {
  const [value] = args;
  if (args.length !== 1 || typeof value !== 'string') throw refused('a FeatureType that is no text', at);
  return value;
}

/** The hooks of a tensor: always empty. */
function orderedDict(args: readonly PyValue[], _: ReadContext, at: number): PyValue {
  const [items] = args;
  const empty = args.length === 0 || (args.length === 1 && isPy(items, 'list') && items.items.length === 0);
  if (!empty) throw refused('an OrderedDict that is made with items', at);
  return { py: 'dict', depth: 1, items: new Map() };
}

/** Foreign text for a message: shortened, and without control characters. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80)).slice(1, -1);
}
