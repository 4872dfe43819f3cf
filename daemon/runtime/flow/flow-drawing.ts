import type { FlowDefinition, FlowState } from '../../../contract/index.ts';
import { isEnd, transitionsOf } from './flow-check.ts';

type Arrow = { readonly from: string; readonly to: string; readonly label: string };

/** The flow as a Mermaid state diagram; `phase` is the state to mark, for example where a run is. */
export function drawMermaid(flow: FlowDefinition, phase?: string): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${flow.start}`];
  for (const [name, state] of Object.entries(flow.states))
    lines.push(`  ${name} : ${name}<br/>${plain(state.about)}`);
  for (const { from, to, label } of arrows(flow)) lines.push(`  ${from} --> ${to} : ${plain(label)}`);
  for (const [name, state] of Object.entries(flow.states))
    if (isEnd(state)) lines.push(`  ${name} --> [*] : ${state.end}`);
  if (phase !== undefined) lines.push('  classDef here fill:#ffd54f,stroke:#333', `  class ${phase} here`);
  return `${lines.join('\n')}\n`;
}

/** The flow as plain text for a terminal: each state with what it does and where it leads. */
export function drawText(flow: FlowDefinition, phase?: string): string {
  const all = arrows(flow);
  const labelWidth = Math.max(0, ...all.map(({ label }) => label.length));
  const lines: string[] = [];
  for (const [name, state] of Object.entries(flow.states)) {
    const mark = name === phase ? '▶' : name === flow.start ? '●' : isEnd(state) ? '◉' : '○';
    lines.push(`${mark} ${name}${isEnd(state) ? ` (${state.end})` : ''} · ${state.about}`);
    const out = all.filter(({ from }) => from === name);
    out.forEach(({ to, label }, index) => {
      const branch = index === out.length - 1 ? '└' : '├';
      lines.push(`  ${branch}─ ${label.padEnd(labelWidth)} ─▶ ${to}`);
    });
  }
  return `${lines.join('\n')}\n`;
}

function arrows(flow: FlowDefinition): Arrow[] {
  return Object.entries(flow.states).flatMap(([from, state]) => (isEnd(state) ? [] : arrowsOf(from, state)));
}

function arrowsOf(from: string, state: FlowState): Arrow[] {
  return Object.keys(state.on).flatMap((event) =>
    transitionsOf(state, event).map(({ to, when }) => ({
      from,
      to,
      label: when ? `${event} [${when.name}]` : event,
    })),
  );
}

/** Characters that end a Mermaid label early. */
function plain(text: string): string {
  return text.replaceAll(/[:;#\n]/g, ' ');
}
