import type { FlowGraph, FlowNode } from './flow-graph.ts';

/** Pixels. */
const BOX = { width: 220, height: 46, gapX: 40, gapY: 54 } as const;
const MARGIN = 24;
/** Room at the right for ways that lead back. */
const BACK = 90;

type Place = { readonly x: number; readonly y: number; readonly row: number };

/** A drawing of its own, without scripts or fonts: steps from top to bottom, ways back at the right. */
export function graphSvg(graph: FlowGraph): string {
  const rows = rowsOf(graph);
  const widest = Math.max(...rows.map((row) => row.length));
  const inner = widest * (BOX.width + BOX.gapX) - BOX.gapX;
  const places = new Map<string, Place>();
  rows.forEach((row, at) => {
    const left = MARGIN + (inner - row.length * (BOX.width + BOX.gapX) + BOX.gapX) / 2;
    row.forEach(({ id }, index) => {
      places.set(id, {
        x: left + index * (BOX.width + BOX.gapX),
        y: MARGIN + at * (BOX.height + BOX.gapY),
        row: at,
      });
    });
  });
  const width = inner + 2 * MARGIN + BACK;
  const height = 2 * MARGIN + rows.length * (BOX.height + BOX.gapY) - BOX.gapY;
  const lines = graph.edges.map(({ from, to, label }, index) =>
    lineOf(places.get(from)!, places.get(to)!, label, width, index),
  );
  const boxes = graph.nodes.map((node) => boxOf(node, places.get(node.id)!, node.id === graph.start));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif">
<title>${escaped(graph.name)}</title>
<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
${lines.join('\n')}
${boxes.join('\n')}
</svg>
`;
}

/** By how many steps lie before each, the nearest first; the order of the file within a row. */
function rowsOf({ start, nodes, edges }: FlowGraph): readonly (readonly FlowNode[])[] {
  const depth = new Map([[start, 0]]);
  const queue = [start];
  for (let id = queue.shift(); id !== undefined; id = queue.shift())
    for (const { from, to } of edges)
      if (from === id && !depth.has(to)) {
        depth.set(to, depth.get(id)! + 1);
        queue.push(to);
      }
  const last = Math.max(...depth.values());
  return Array.from({ length: last + 1 }, (_, row) =>
    nodes.filter(({ id }) => (depth.get(id) ?? last) === row),
  );
}

function boxOf({ id, about, end }: FlowNode, { x, y }: Place, isStart: boolean): string {
  const fill = end === undefined ? '#eef4fb' : end === 'succeeded' ? '#e3f4e3' : '#fbe9e7';
  const second = end === undefined ? (about === id ? '' : about) : end;
  const middle = x + BOX.width / 2;
  return `<g><rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="${end === undefined ? 6 : 22}" fill="${fill}" stroke="#345" stroke-width="${isStart ? 3 : 1}"/><text x="${middle}" y="${y + 19}" text-anchor="middle" font-size="13" font-weight="bold">${escaped(short(id, 28))}</text><text x="${middle}" y="${y + 36}" text-anchor="middle" font-size="11" fill="#444">${escaped(short(second, 36))}</text></g>`;
}

function lineOf(from: Place, to: Place, label: string, width: number, index: number): string {
  const start = { x: from.x + BOX.width / 2, y: from.y + BOX.height };
  const down = to.row > from.row;
  const side = width - MARGIN - (index % 6) * 12;
  const end = down ? { x: to.x + BOX.width / 2, y: to.y } : { x: to.x + BOX.width, y: to.y + BOX.height / 2 };
  const path = down
    ? `M${start.x} ${start.y} C${start.x} ${start.y + 30} ${end.x} ${end.y - 30} ${end.x} ${end.y}`
    : `M${from.x + BOX.width} ${from.y + BOX.height / 2 + 8} C${side} ${from.y + BOX.height / 2} ${side} ${end.y} ${end.x} ${end.y}`;
  // Near where it starts: ways that cross keep their words apart.
  const at = down
    ? { x: start.x + (end.x - start.x) * 0.25 + 4, y: start.y + 16 + (index % 3) * 11 }
    : { x: from.x + BOX.width + 6, y: from.y + BOX.height / 2 + 20 };
  return `<path d="${path}" fill="none" stroke="#555" marker-end="url(#to)"/><text x="${at.x}" y="${at.y}" font-size="10" fill="#555">${escaped(short(label, 40))}</text>`;
}

function short(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
