import { EdgeError, type FlowScope } from '../../../contract/index.ts';
import { type Board, numberAt, runLeaf } from './leaf-run.ts';
import type { TreeNode } from './tree-nodes.ts';
import { INNER } from './vocabulary.ts';

/** How often a guard is asked for while an action runs. */
export type Pace =
  | { readonly ms: number }
  | { readonly metres: number }
  | { readonly slow: number; readonly fast: number; readonly from: number; readonly to: number };

/** Most rounds of a node that repeats within a guard; a guard is short. */
const ROUNDS_MAX = 100;
/** Of guards that no controller paces, milliseconds; a call of a tool is two events in the log. */
const TICK_MS = 200;
const TICK_TOOL_MS = 1_000;
const PACERS: ReadonlySet<string> = new Set(['RateController', 'DistanceController', 'SpeedController']);
/** Nodes that a guard may have besides leaves. */
const INSIDE: ReadonlySet<string> = new Set([
  ...['Sequence', 'Fallback', 'ReactiveSequence', 'ReactiveFallback', 'PipelineSequence', 'IfThenElse'],
  ...[
    'Inverter',
    'ForceSuccess',
    'ForceFailure',
    'RetryUntilSuccessful',
    'Repeat',
    'RecoveryNode',
    ...PACERS,
  ],
  'GoalUpdatedController',
]);

/** The first node that may not be repeated beside an action; undefined: all may. */
export function notBeside(node: TreeNode): TreeNode | undefined {
  const fits = node.leaf ? node.leaf.beside : INSIDE.has(node.kind);
  if (!fits) return node;
  for (const child of node.children) {
    const found = notBeside(child);
    if (found) return found;
  }
  return undefined;
}

/** It ends the same way each time and writes the same: asking it again changes nothing. */
export function isSteady(node: TreeNode): boolean {
  if (node.kind === 'GoalUpdatedController') return true;
  return node.leaf ? node.leaf.fixed !== undefined : node.children.every(isSteady);
}

/**
 * Throws `schema.invalid` where a guard calls a tool that moves the robot. Which tools do is known when a run has them:
 * those of MCP servers come after the check of the file.
 */
export function refuseMoving(guard: TreeNode, { tools }: Pick<FlowScope, 'tools'>): void {
  const isMoving = (tool: string) => tools.effectOf?.(tool) === 'actuate';
  const node = find(guard, ({ leaf }) => leaf?.tools?.some(isMoving) === true);
  if (!node) return;
  throw new EdgeError('schema.invalid', {
    ...{ operation: 'port', subject: node.id, retryable: false },
    message: `<${node.kind}> of line ${node.line}: ${node.leaf!.tools!.find(isMoving)} moves the robot, and would be repeated while another action runs`,
    hint: 'put it behind the last child, or use Sequence or Fallback',
  });
}

export function paceOf(node: TreeNode, board: Board): Pace {
  const pacer = find(node, ({ kind }) => PACERS.has(kind));
  const tick = find(node, ({ leaf }) => leaf?.tools !== undefined) ? TICK_TOOL_MS : TICK_MS;
  if (!pacer) return { ms: tick };
  const given = (port: string, otherwise: number) =>
    pacer.ports[port] ? numberAt(pacer, port, INNER[pacer.kind]!.ports, board) : otherwise;
  if (pacer.kind === 'DistanceController') return { metres: given('distance', 1) };
  if (pacer.kind === 'SpeedController')
    return {
      ...{ slow: given('min_rate', 0.1), fast: given('max_rate', 1) },
      ...{ from: given('min_speed', 0), to: given('max_speed', 0.5) },
    };
  return { ms: 1_000 / given('hz', 10) };
}

/** Whether a guard succeeds now. What it writes is on the board. */
export async function guardHolds(node: TreeNode, scope: FlowScope, board: Board): Promise<boolean> {
  const { children, kind } = node;
  const holds = (child: TreeNode) => guardHolds(child, scope, board);
  if (node.leaf) return (await runLeaf(node, scope, board, scope.signal)).ok;
  const [first] = children as [TreeNode, ...TreeNode[]];
  const times = (port: string) => {
    const wanted = numberAt(node, port, INNER[kind]!.ports, board);
    return wanted < 0 ? ROUNDS_MAX : Math.min(wanted, ROUNDS_MAX);
  };
  switch (kind) {
    case 'Fallback':
    case 'ReactiveFallback':
      for (const child of children) if (await holds(child)) return true;
      return false;
    case 'Inverter':
      return !(await holds(first));
    case 'ForceSuccess':
      await holds(first);
      return true;
    case 'ForceFailure':
      await holds(first);
      return false;
    case 'IfThenElse': {
      const chosen = (await holds(first)) ? children[1] : children[2];
      return chosen ? await holds(chosen) : false;
    }
    case 'RetryUntilSuccessful': {
      const most = times('num_attempts');
      for (let n = 0; n < most && !scope.signal.aborted; n++) if (await holds(first)) return true;
      return false;
    }
    case 'Repeat': {
      const most = times('num_cycles');
      for (let n = 0; n < most && !scope.signal.aborted; n++) if (!(await holds(first))) return false;
      return true;
    }
    case 'RecoveryNode': {
      const most = times('number_of_retries');
      for (let n = 0; !scope.signal.aborted; n++) {
        if (await holds(first)) return true;
        if (n >= most || !(await holds(children[1]!))) return false;
      }
      return false;
    }
    default:
      for (const child of children) if (!(await holds(child))) return false;
      return true;
  }
}

function find(node: TreeNode, test: (node: TreeNode) => boolean): TreeNode | undefined {
  if (test(node)) return node;
  for (const child of node.children) {
    const found = find(child, test);
    if (found) return found;
  }
  return undefined;
}
