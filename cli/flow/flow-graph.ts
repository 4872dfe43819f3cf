import type { FlowDefinition } from '../../contract/core.ts';

export type FlowNode = { readonly id: string; readonly about: string; readonly end: string | undefined };
export type FlowEdge = { readonly from: string; readonly to: string; readonly label: string };
export type FlowGraph = {
  readonly name: string;
  readonly start: string;
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
};

/** A flow as nodes and edges, in the order in which it is written. Pure. */
export function graphOf(name: string, { start, states }: FlowDefinition): FlowGraph {
  const nodes: FlowNode[] = [];
  const edges: FlowEdge[] = [];
  for (const [id, state] of Object.entries(states)) {
    nodes.push({ id, about: state.about, end: 'end' in state ? state.end : undefined });
    if ('end' in state) continue;
    for (const [event, target] of Object.entries(state.on)) {
      const ways = typeof target === 'string' ? [{ to: target }] : target;
      for (const way of ways) {
        const when = 'when' in way && way.when ? ` [${way.when.name}]` : '';
        edges.push({ from: id, to: way.to, label: `${event}${when}` });
      }
    }
  }
  return { name, start, nodes, edges: joined(edges) };
}

/** Several events that lead the same way are one edge. */
function joined(edges: readonly FlowEdge[]): readonly FlowEdge[] {
  const found = new Map<string, FlowEdge>();
  for (const edge of edges) {
    const key = `${edge.from} ${edge.to}`;
    const before = found.get(key);
    found.set(key, before ? { ...edge, label: `${before.label}, ${edge.label}` } : edge);
  }
  return [...found.values()];
}

/** For a terminal. */
export function graphText({ name, start, nodes, edges }: FlowGraph): string {
  const width = Math.max(...nodes.map(({ id }) => id.length));
  return [
    `${name}: ${nodes.length} steps, starts at ${start}`,
    ...nodes.flatMap(({ id, about, end }) => {
      const own = edges.filter(({ from }) => from === id);
      const what = end === undefined ? about : `ends: ${end}${about === id ? '' : ` (${about})`}`;
      const labels = Math.max(0, ...own.map(({ label }) => label.length));
      return [
        `${id === start ? '>' : ' '} ${id.padEnd(width)}  ${what}`,
        ...own.map(({ to, label }) => `  ${' '.repeat(width)}    ${label.padEnd(labels)} -> ${to}`),
      ];
    }),
  ].join('\n');
}

/** For documents: https://mermaid.js.org, a flowchart. */
export function graphMermaid({ start, nodes, edges }: FlowGraph): string {
  const box = ({ id, about, end }: FlowNode) => {
    const text = plain(end === undefined ? `${id}<br/>${about}` : `${id}<br/>${end}`);
    return end === undefined ? `n_${id}["${text}"]` : `n_${id}(["${text}"])`;
  };
  return [
    'flowchart TD',
    `  entry(( )) --> n_${start}`,
    ...nodes.map((node) => `  ${box(node)}`),
    ...edges.map(({ from, to, label }) => `  n_${from} -->|"${plain(label)}"| n_${to}`),
  ].join('\n');
}

/** Quotes and brackets would end a label; entities stand for them. */
function plain(text: string): string {
  return text
    .replaceAll('#', '#35;')
    .replaceAll('"', '#quot;')
    .replace(/[{}|[\]\n]/g, (char) => `#${char.codePointAt(0)};`);
}
