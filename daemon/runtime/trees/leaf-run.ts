import { EdgeError, type Facts, type FlowScope, type JsonValue } from '../../../contract/index.ts';
import { isAnyRefusalOfLog } from '../runs/log-refusals.ts';
import type { LeafEnd } from './leaf.ts';
import { asPort, type Binding, type Port } from './ports.ts';
import type { TreeNode } from './tree-nodes.ts';

/** What a tree knows; durable with each node that starts. */
export type TreeFacts = Facts & {
  /** The blackboard. Before the first node: the parameters of the intent. */
  readonly bb?: Facts;
  /** What nodes remember: counters, the child whose turn it is, when a time is over. */
  readonly mem?: Facts;
  /** The node that failed last, and why. */
  readonly last?: Facts;
};

/** A copy of what a tree knows, for the time of one state. */
export class Board {
  readonly bb: Record<string, JsonValue>;
  readonly mem: Record<string, JsonValue>;
  last: Facts | undefined;

  constructor({ bb = {}, mem = {}, last }: TreeFacts) {
    this.bb = { ...bb };
    this.mem = { ...mem };
    this.last = last;
  }

  facts(): Facts {
    const { bb, mem, last } = this;
    return { bb, mem, ...(last ? { last } : {}) };
  }

  value(binding: Binding | undefined): JsonValue | undefined {
    if (!binding) return undefined;
    if ('value' in binding) return binding.value;
    return Object.hasOwn(this.bb, binding.key) ? this.bb[binding.key] : undefined;
  }
}

/** Where it is written down when the time of a node is over. */
export function dueKey({ id }: TreeNode): string {
  return `${id}_due_ns`;
}

/** Runs a leaf once. What it throws is a failure of the node, except what ends the run anyway. */
export async function runLeaf(
  node: TreeNode,
  scope: FlowScope,
  board: Board,
  signal: AbortSignal,
): Promise<LeafEnd> {
  const leaf = node.leaf!;
  const end = await tried(node, scope, board, signal);
  for (const [port, value] of Object.entries(end.out ?? {})) {
    const binding = node.ports[port];
    if (binding && 'key' in binding && leaf.ports[port]?.out) board.bb[binding.key] = value;
  }
  if (end.memory !== undefined) board.mem[node.id] = end.memory;
  if (!end.ok) board.last = { node: node.id, line: node.line, reason: end.reason.slice(0, 300) };
  return end;
}

async function tried(
  node: TreeNode,
  { tools, robot, clock, signal: scoped }: FlowScope,
  board: Board,
  signal: AbortSignal,
): Promise<LeafEnd> {
  const call = {
    ...{ tools, robot, clock, signal, memory: board.mem[node.id] },
    value: (port: string) => inputOf(node, port, board),
    lookup: (key: string) => board.value({ key }),
  };
  try {
    return await node.leaf!.act(call);
  } catch (thrown) {
    const fault = EdgeError.from(thrown, 'internal.fault', 'node', node.id);
    if (scoped.aborted || isAnyRefusalOfLog(thrown) || fault.operation === 'port') throw thrown;
    return {
      ...{ ok: false, reason: fault.message },
      out: { error_code_id: UNKNOWN, error_msg: fault.message.slice(0, 200) },
    };
  }
}

/** As Nav2's FollowPath calls an error that it does not know. */
const UNKNOWN = 100;
const ANY: Port = { type: 'any' };

/** What the inputs of a node are now; a leaf that follows them is started again when this changes. */
export function inputsOf(node: TreeNode, board: Board): string {
  const inputs = Object.keys(node.ports).filter((port) => !node.leaf?.ports[port]?.out);
  return JSON.stringify(inputs.map((port) => board.value(node.ports[port]) ?? null));
}

/** A number that a node with children is given. Throws `schema.invalid` where it is missing or is not one. */
export function numberAt(
  node: TreeNode,
  port: string,
  ports: Readonly<Record<string, Port>>,
  board: Board,
): number {
  return portValue(node, port, ports[port] ?? ANY, board.value(node.ports[port])) as number;
}

function inputOf(node: TreeNode, port: string, board: Board): JsonValue | undefined {
  if (port === '*') {
    const args = Object.entries(node.ports).filter(([name]) => name.startsWith('*'));
    return Object.fromEntries(
      args.map(([name, binding]) => [
        name.slice(1),
        portValue(node, name.slice(1), REQUIRED, board.value(binding)),
      ]),
    );
  }
  const type = node.leaf?.ports[port] ?? ANY;
  const value = board.value(node.ports[port]);
  return value === undefined && !type.required ? undefined : portValue(node, port, type, value);
}

const REQUIRED: Port = { type: 'any', required: true };

function portValue(node: TreeNode, port: string, type: Port, value: JsonValue | undefined): JsonValue {
  const problem = (message: string) =>
    new EdgeError('schema.invalid', {
      ...{ operation: 'port', subject: node.id, retryable: false },
      message: `<${node.kind}> of line ${node.line}, ${port}: ${message}`,
    });
  if (value === undefined) {
    const binding = node.ports[port] ?? node.ports[`*${port}`];
    const key = binding && 'key' in binding ? `{${binding.key}}` : 'it';
    throw problem(`${key} has no value yet: no parameter was given, and no node has written it`);
  }
  try {
    return asPort(type, value);
  } catch (thrown) {
    throw problem((thrown as Error).message);
  }
}
