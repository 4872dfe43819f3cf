import { type Facts, type FlowScope, type FlowStep, pause } from '../../../contract/index.ts';
import { PARALLEL_TOOL } from '../flow/flow-check.ts';
import type { LeafEnd } from './leaf.ts';
import { Board, numberAt, runLeaf, type TreeFacts } from './leaf-run.ts';
import type { TreeNode } from './tree-nodes.ts';
import { type Guard, watched } from './watched.ts';

/** A leaf with a time of its own: when that is over it is stopped, and has failed. */
export async function limited(
  node: TreeNode,
  scope: FlowScope,
  board: Board,
  signal: AbortSignal,
): Promise<LeafEnd> {
  const { limit } = node.leaf!;
  if (limit === undefined || !node.ports[limit]) return await runLeaf(node, scope, board, signal);
  const seconds = numberAt(node, limit, node.leaf!.ports, board);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  let isLate = false;
  const work = runLeaf(node, scope, board, both).finally(() => over.abort());
  void pause(scope.clock, seconds * 1_000, both).then(() => {
    isLate = !both.aborted;
    over.abort();
  });
  const end = await work;
  if (!isLate) return end;
  const reason = `${limit} of ${seconds} s is over`;
  board.last = { node: node.id, line: node.line, reason };
  return { ...end, ok: false, reason };
}

/** Runs the children of a Parallel, and puts what they wrote on the blackboard. */
export async function enterParallel(
  node: TreeNode,
  until: 'all' | 'any',
  guards: readonly Guard[],
  startsWithGuards: boolean,
  scope: FlowScope,
): Promise<FlowStep> {
  const board = new Board(scope.facts as TreeFacts);
  const work = (signal: AbortSignal) => scope.tools.call(PARALLEL_TOOL, {}, signal);
  const done = await watched(work, guards, scope, board, {
    startsWithGuards,
    again: () => false,
  });
  if (done.guard) return halted(done.guard, board);
  const ends = Object.values((done.end['branches'] ?? {}) as Readonly<Record<string, BranchEnd>>);
  for (const { summary } of ends)
    merge(board, summary?.blackboard ?? {}, (scope.facts as TreeFacts).bb ?? {});
  const good = ends.filter(({ status }) => status === 'succeeded').length;
  const isOk = until === 'all' ? good === ends.length : good > 0;
  const wrong = ends.find(({ status }) => status === 'failed');
  const reason = isOk ? `${good} of ${ends.length} succeeded` : (wrong?.reason ?? 'a part was cancelled');
  if (!isOk) board.last = { node: node.id, line: node.line, reason: reason.slice(0, 300) };
  return { event: isOk ? 'success' : 'failure', reason: reason.slice(0, 400), facts: board.facts() };
}

type BranchEnd = {
  readonly status: string;
  readonly reason: string;
  readonly summary?: { readonly blackboard?: Facts };
};

/** The step of a state that a guard ended. */
export function halted({ event, node, on, forgets = [] }: Guard, board: Board): FlowStep {
  for (const key of forgets) board.mem[key] = 0;
  const words = on === 'time' ? 'the time is over' : `${node.kind} of line ${node.line}: ${on}`;
  if (on !== 'success') board.last = { node: node.id, line: node.line, reason: words };
  return { event, reason: words, facts: board.facts() };
}

/** What a part changed counts; what it left as it was does not undo what another changed. */
function merge(board: Board, news: Facts, before: Facts): void {
  for (const [key, value] of Object.entries(news))
    if (JSON.stringify(value) !== JSON.stringify(before[key])) board.bb[key] = value;
}
