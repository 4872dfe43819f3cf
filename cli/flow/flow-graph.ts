import type { FlowDefinition } from '../../contract/core.ts';

export type FlowNode = {
  readonly id: string;
  readonly about: string;
  readonly end: string | undefined;
  /** The part that it belongs to, where several run at the same time: `both.drive`. */
  readonly part?: string;
};
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
  const parts = partsOf(states);
  for (const [id, state] of Object.entries(states)) {
    const part = parts.get(id);
    const node = { id, about: state.about, end: 'end' in state ? state.end : undefined };
    nodes.push(part ? { ...node, part: `${part.of}.${part.name}` } : node);
    if ('end' in state) {
      // The end of a part ends no run: the step that started the part continues.
      if (part) edges.push({ from: id, to: part.of, label: 'joins' });
      continue;
    }
    for (const [name, start] of Object.entries(state.parallel?.branches ?? {}))
      edges.push({ from: id, to: start, label: `starts ${name}` });
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

type Part = { readonly of: string; readonly name: string };

/** By step: the part that runs at the same time as others and has it. */
function partsOf(states: FlowDefinition['states']): ReadonlyMap<string, Part> {
  const found = new Map<string, Part>();
  for (const [of, state] of Object.entries(states)) {
    if ('end' in state) continue;
    for (const [name, start] of Object.entries(state.parallel?.branches ?? {})) {
      const open = [start];
      for (let id = open.pop(); id !== undefined; id = open.pop()) {
        if (found.has(id)) continue;
        found.set(id, { of, name });
        const here = states[id];
        if (!here || 'end' in here) continue;
        for (const target of Object.values(here.on))
          open.push(...(typeof target === 'string' ? [target] : target.map(({ to }) => to)));
      }
    }
  }
  return found;
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
    ...nodes.filter(({ part }) => part === undefined).map((node) => `  ${box(node)}`),
    ...[...new Set(nodes.flatMap(({ part }) => part ?? []))].flatMap((part) => [
      `  subgraph p_${part.replace('.', '_')}["${plain(part)}"]`,
      ...nodes.filter((node) => node.part === part).map((node) => `    ${box(node)}`),
      '  end',
    ]),
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
