import { matches } from '../gate/tool-names.ts';
import { notBeside } from './guards.ts';
import type { TreeFault, TreeNode } from './tree-nodes.ts';

const REACTIVE: ReadonlySet<string> = new Set(['ReactiveSequence', 'ReactiveFallback', 'PipelineSequence']);

/** What the manifest says around a tree. */
export type TreeSetting = {
  /** Patterns of the tools that it may call. */
  readonly tools: readonly string[];
  /** It stands beside an agent. */
  readonly isFallback?: boolean;
};

/** What is wrong with the place of a node, or with its tool; empty: nothing. Pure. */
export function placeFaults(root: TreeNode, parts: TreeSetting): TreeFault[] {
  const faults: TreeFault[] = [];
  const fault = ({ line, kind }: TreeNode, problem: string) =>
    faults.push({ line, key: `<${kind}>`, problem });
  const visit = (node: TreeNode, inParallel: boolean): void => {
    const { kind, leaf, children } = node;
    for (const tool of leaf?.tools ?? [])
      if (!parts.tools.some((pattern) => matches(pattern, tool)))
        fault(
          node,
          `calls ${tool}, which is not among tools of app.toml: ${parts.tools.join(', ') || 'none'}`,
        );
    if (REACTIVE.has(kind))
      for (const child of children.slice(0, -1)) {
        const wrong = notBeside(child);
        if (wrong)
          fault(
            wrong,
            `stands before the last child of ${kind} and would be repeated while that one runs; only conditions and short nodes may: move it, or use ${kind === 'ReactiveFallback' ? 'Fallback' : 'Sequence'}`,
          );
      }
    const isParallel = kind === 'Parallel' || kind === 'ParallelAll';
    if (isParallel && inParallel)
      fault(node, 'stands within a Parallel: parts that run at the same time start none themselves');
    if (isParallel && parts.isFallback)
      fault(node, 'a flow beside an agent has no parallel parts; harness = "flow" has');
    if (isParallel && untilOf(node) === undefined)
      fault(
        node,
        'all have to succeed (success_count="-1" failure_count="1", as without them) or one of them (success_count="1" failure_count="-1")',
      );
    for (const child of children) visit(child, inParallel || isParallel);
  };
  visit(root, false);
  return faults;
}

/** What a Parallel waits for; undefined: something that is not offered. */
export function untilOf({ kind, ports, children }: TreeNode): 'all' | 'any' | undefined {
  if (kind === 'ParallelAll') return 'all';
  const count = (port: string, otherwise: number) => {
    const binding = ports[port];
    const value = binding === undefined ? otherwise : 'value' in binding ? binding.value : undefined;
    return value === -1 ? children.length : value;
  };
  const [successes, failures] = [count('success_count', -1), count('failure_count', 1)];
  if (successes === children.length && failures === 1) return 'all';
  return successes === 1 && failures === children.length ? 'any' : undefined;
}
