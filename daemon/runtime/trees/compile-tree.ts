import type { TreeFile } from '../../../contract/apps/index.ts';
import type { FlowDefinition, FlowEnd, FlowState } from '../../../contract/index.ts';
import { flowFaults, isEnd, PARALLEL_TOOL, transitionsOf } from '../flow/flow-check.ts';
import { matches } from '../gate/tool-names.ts';
import type { TreeFacts } from './leaf-run.ts';
import { States } from './states.ts';
import { placeFaults } from './tree-faults.ts';
import { ENDS, expandTree, type TreeFault, type TreeNode } from './tree-nodes.ts';

export type TreeParts = {
  readonly name: string;
  /** Where a parameter is not given. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Of one action, milliseconds. */
  readonly deadlineMs: number;
  /** Patterns of tools that the package may use. */
  readonly tools: readonly string[];
  /** Names of parameters; undefined: any, where a file stands alone. */
  readonly params: ReadonlySet<string> | undefined;
  /** The flow stands beside an agent and carries on for it. */
  readonly isFallback?: boolean;
};

export type CompiledTree =
  | { readonly ok: true; readonly flow: FlowDefinition; readonly notes: readonly TreeFault[] }
  | { readonly ok: false; readonly faults: readonly TreeFault[] };

export type { TreeFault } from './tree-nodes.ts';

const STEPS_MAX = 10_000;

/**
 * Makes of a checked flow.xml what the flow harness runs. Each leaf is a state that its success and its failure lead on
 * from; nodes that count or remember are states too, and the others are ways. Pure.
 */
export function compileTree(file: TreeFile, parts: TreeParts): CompiledTree {
  const { root, faults, notes, written, read } = expandTree(file);
  const all = [...faults];
  if (root) all.push(...placeFaults(root, parts));
  for (const [key, place] of parts.params ? read : []) {
    if (written.has(key) || parts.params!.has(key)) continue;
    const problem = `{${key}} is neither a parameter of an intent nor written by a node; add it to the params of app.toml, or SetBlackboard`;
    all.push({ ...place, problem });
  }
  if (all.length > 0 || !root) return { ok: false, faults: all.sort((a, b) => a.line - b.line) };
  const flow = flowOf(root, parts);
  const broken = flowFaults(flow).map((problem) => ({ line: file.root.line, key: '<root>', problem }));
  return broken.length > 0 ? { ok: false, faults: broken } : { ok: true, flow, notes };
}

function flowOf(root: TreeNode, { name, defaults, deadlineMs, tools }: TreeParts): FlowDefinition {
  const states = new States(root, deadlineMs);
  const start = states.of(root, { ok: ENDS.ok, bad: ENDS.bad, guards: [] });
  const all = { ...states.sorted(), [ENDS.ok]: endOf(name, 'succeeded'), [ENDS.bad]: endOf(name, 'failed') };
  const used = toolsOf(root).filter(
    (tool) => tool === PARALLEL_TOOL || tools.some((own) => matches(own, tool)),
  );
  return {
    ...{ name, start, tools: used, byTools: true, stepsMax: STEPS_MAX },
    begin: (params) => ({ bb: JSON.parse(JSON.stringify({ ...defaults, ...params })), mem: {} }),
    states: reachable(start, all),
  };
}

/** What no way leads to is left out: the failure of a node that always succeeds. */
function reachable(
  start: string,
  states: Readonly<Record<string, FlowState | FlowEnd>>,
): Readonly<Record<string, FlowState | FlowEnd>> {
  const seen = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const state = states[id];
    if (seen.has(id) || !state) continue;
    seen.add(id);
    if (isEnd(state)) continue;
    open.push(...Object.keys(state.on).flatMap((event) => transitionsOf(state, event).map(({ to }) => to)));
    open.push(...Object.values(state.parallel?.branches ?? {}));
  }
  return Object.fromEntries(Object.entries(states).filter(([id]) => seen.has(id)));
}

function endOf(name: string, end: 'succeeded' | 'failed'): FlowEnd {
  return {
    ...{ about: `the tree ${end}`, end },
    conclude(facts) {
      const { bb = {}, last } = facts as TreeFacts;
      const why = last
        ? `${String(last['node'])} of line ${String(last['line'])}: ${String(last['reason'])}`
        : 'a node failed';
      const reason = end === 'succeeded' ? `${name}: the tree succeeded` : why;
      return {
        reason: reason.slice(0, 512),
        score: end === 'succeeded' ? 1 : 0,
        summary: { blackboard: bb },
      };
    },
  };
}

function toolsOf(node: TreeNode): readonly string[] {
  const own = node.kind.startsWith('Parallel') ? [PARALLEL_TOOL] : (node.leaf?.tools ?? []);
  return [...new Set([...own, ...node.children.flatMap(toolsOf)])];
}
