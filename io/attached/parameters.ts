import { EdgeError, type GraphSnapshot, LIMITS } from '../../contract/core.ts';
import type { Door, ShownParameter } from './robot-door.ts';

/** A value for a parameter `/node.name`; `type` is one of those of Foxglove. */
export type SetParameter = { readonly name: string; readonly value?: unknown; readonly type?: string };
/** A parameter of a node, named `/node.name`. */
export type Parameter = { readonly name: string; readonly value?: unknown; readonly type?: string };

type ParameterDoor = Pick<Door, 'parameterNames' | 'parameters' | 'setParameters'>;

/** Reads these parameters of ROS nodes; without names, those of all nodes. Nodes that do not answer are left out. */
export async function readParameters(
  door: ParameterDoor,
  graph: GraphSnapshot | undefined,
  names: readonly string[],
): Promise<{ readonly parameters: readonly Parameter[]; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const found: Parameter[] = [];
  const asked = names.length === 0 ? allNodes(graph) : byNode(names);
  const nodes = [...asked];
  if (nodes.length > LIMITS.ATTACH_NODES_MAX)
    faults.push(`expected at most ${LIMITS.ATTACH_NODES_MAX} nodes, found ${nodes.length}`);
  for (const [node, own] of nodes.slice(0, LIMITS.ATTACH_NODES_MAX)) {
    try {
      const list = own.length > 0 ? own : await door.parameterNames(node);
      const values = await door.parameters(node, list.slice(0, LIMITS.ATTACH_PARAMETERS_MAX));
      for (const [name, value] of Object.entries(values)) found.push(shown(`${node}.${name}`, value));
    } catch (thrown) {
      faults.push(`${node}: ${EdgeError.from(thrown, 'ros.failed', 'read parameters', node).message}`);
    }
  }
  return { parameters: found.slice(0, LIMITS.ATTACH_PARAMETERS_MAX), faults };
}

/** Sets parameters of ROS nodes. What nodes or policies refused, one sentence each. */
export async function writeParameters(
  door: ParameterDoor,
  parameters: readonly SetParameter[],
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [node, names] of byNode(parameters.map(({ name }) => name))) {
    try {
      const before = await door.parameters(node, names);
      const values = Object.fromEntries(
        names.map((name) => {
          const given = parameters.find((one) => one.name === `${node}.${name}`)!;
          return [name, rosValueOf(given, before[name]?.kind ?? 'unset')];
        }),
      );
      const refused = await door.setParameters(node, values);
      for (const [name, why] of Object.entries(refused)) faults.push(`${node}.${name}: ${why}`);
    } catch (thrown) {
      faults.push(`${node}: ${EdgeError.from(thrown, 'ros.failed', 'set parameters', node).message}`);
    }
  }
  return faults;
}

function allNodes(graph: GraphSnapshot | undefined): ReadonlyMap<string, readonly string[]> {
  const nodes = (graph?.nodes ?? []).slice(0, LIMITS.ATTACH_NODES_MAX);
  return new Map(nodes.map(({ name }) => [name, []]));
}

/** The name of a node has no dot; the name of a parameter may. A name that has none is asked of no node. */
function byNode(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    const dot = name.indexOf('.');
    if (dot <= 0 || !name.startsWith('/')) continue;
    const node = name.slice(0, dot);
    found.set(node, [...(found.get(node) ?? []), name.slice(dot + 1)]);
  }
  return found;
}

function shown(name: string, { kind, value }: ShownParameter): Parameter {
  if (kind === 'unset') return { name };
  if (kind === 'bytes') return { name, value, type: 'byte_array' };
  if (kind === 'double') return { name, value: Number(value), type: 'float64' };
  if (kind === 'doubles') return { name, value: (value as unknown[]).map(Number), type: 'float64_array' };
  // 64-bit integers are text at the API.
  if (kind === 'integer') return { name, value: Number(value) };
  if (kind === 'integers') return { name, value: (value as unknown[]).map(Number) };
  return { name, value };
}

/** A number has no kind of its own in JSON: the type says which, else the kind that the parameter has now. */
function rosValueOf({ name, value, type }: SetParameter, now: ShownParameter['kind']): ShownParameter {
  if (value === undefined || value === null) {
    throw new EdgeError('ros.refused', {
      operation: 'set parameters',
      subject: name,
      message: `${name}: parameters of ROS nodes cannot be removed`,
    });
  }
  if (type === 'byte_array') return { kind: 'bytes', value: [...Buffer.from(String(value), 'base64')] };
  if (type === 'float64') return { kind: 'double', value };
  if (type === 'float64_array') return { kind: 'doubles', value };
  if (typeof value === 'boolean') return { kind: 'bool', value };
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value === 'number')
    return now === 'double' || !Number.isInteger(value)
      ? { kind: 'double', value }
      : { kind: 'integer', value };
  if (!Array.isArray(value)) throw misfit(name);
  if (value.every((one) => typeof one === 'boolean') && value.length > 0) return { kind: 'bools', value };
  if (value.every((one) => typeof one === 'string') && (value.length > 0 || now === 'strings'))
    return { kind: 'strings', value };
  if (!value.every((one) => typeof one === 'number')) throw misfit(name);
  if (value.length === 0 && now !== 'unset') return { kind: now, value };
  return now === 'doubles' || !value.every(Number.isInteger)
    ? { kind: 'doubles', value }
    : { kind: 'integers', value };
}

function misfit(name: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'set parameters',
    subject: name,
    message: `${name}: expected a boolean, a number, text, or a list of one of these`,
  });
}
