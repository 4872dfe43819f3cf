import { fromWireTime, type TraceSpan } from '../../../contract/index.ts';

/** Rows of one picture: what is longer than this is looked at in a trace viewer. */
const ROWS_MAX = 2_000;
const COLOURS: Readonly<Record<TraceSpan['kind'], string>> = {
  intent: '#607d8b',
  run: '#455a64',
  phase: '#7e9bb5',
  tool: '#2e7d32',
  model: '#6a4fa3',
  approval: '#ef8e19',
  motion: '#00838f',
};

type Row = {
  readonly span: TraceSpan;
  readonly depth: number;
  readonly start: number;
  readonly length: number;
};
type Waterfall = { readonly rows: readonly Row[]; readonly totalMs: number; readonly left: number };

/** Spans as rows of a waterfall: parents above their children, milliseconds from the first start. Pure. */
export function waterfall(spans: readonly TraceSpan[]): Waterfall {
  if (spans.length === 0) return { rows: [], totalMs: 0, left: 0 };
  const ns = (text: string) => fromWireTime(text);
  let begin = ns(spans[0]!.start_ns);
  let last = begin;
  for (const { start_ns, end_ns } of spans) {
    if (ns(start_ns) < begin) begin = ns(start_ns);
    if (ns(end_ns ?? start_ns) > last) last = ns(end_ns ?? start_ns);
  }
  const ms = (at: bigint) => Number(at - begin) / 1e6;
  const parents = new Map(spans.map((span) => [span.span_id, span]));
  const rows = spans.slice(0, ROWS_MAX).map((span): Row => {
    const start = ms(ns(span.start_ns));
    const end = ms(span.end_ns === undefined ? last : ns(span.end_ns));
    return { span, depth: depthOf(span, parents), start, length: Math.max(0, end - start) };
  });
  return { rows, totalMs: ms(last), left: spans.length - rows.length };
}

function depthOf(span: TraceSpan, parents: ReadonlyMap<string, TraceSpan>): number {
  let depth = 0;
  for (let at = parents.get(span.parent_id ?? ''); at && depth < 16; at = parents.get(at.parent_id ?? ''))
    depth++;
  return depth;
}

/** A waterfall for a terminal, `columns` wide. */
export function drawTraceText(spans: readonly TraceSpan[], columns = 100): string {
  const { rows, totalMs, left } = waterfall(spans);
  const nameWidth = Math.min(42, Math.max(16, Math.floor(columns * 0.42)));
  const barWidth = Math.max(10, columns - nameWidth - 12);
  const scale = totalMs === 0 ? 0 : barWidth / totalMs;
  const lines = rows.map(({ span, depth, start, length }) => {
    const label = `${'  '.repeat(depth)}${span.name}`;
    const name = label.length > nameWidth ? `${label.slice(0, nameWidth - 1)}…` : label.padEnd(nameWidth);
    const from = Math.min(barWidth - 1, Math.floor(start * scale));
    const width = Math.max(1, Math.min(barWidth - from, Math.round(length * scale)));
    const glyph = !span.ok ? '▒' : span.end_ns === undefined ? '░' : '█';
    const bar = `${' '.repeat(from)}${glyph.repeat(width)}`.padEnd(barWidth);
    return `${name} ${bar} ${duration(length).padStart(9)}`;
  });
  if (left > 0) lines.push(`… and ${left} more`);
  return lines.join('\n');
}

/** The same as a picture. */
export function drawTraceSvg(spans: readonly TraceSpan[], title: string): string {
  const { rows, totalMs, left } = waterfall(spans);
  const [names, bars, height, top] = [330, 760, 20, 48];
  const scale = totalMs === 0 ? 0 : bars / totalMs;
  const width = names + bars + 110;
  const total = top + rows.length * height + (left > 0 ? 40 : 20);
  const parts = rows.map(({ span, depth, start, length }, i) => {
    const y = top + i * height;
    const x = names + start * scale;
    const w = Math.max(2, length * scale);
    const hint = `${span.name}, ${duration(length)}${span.error === '' ? '' : `, ${span.error}`}`;
    const stroke = span.ok ? 'none' : '#c62828';
    return [
      `<g><title>${xml(hint)}</title>`,
      i % 2 === 0 ? `<rect x="0" y="${y}" width="${width}" height="${height}" fill="#f5f7f8"/>` : '',
      `<text x="${8 + depth * 12}" y="${y + 14}" clip-path="url(#names)">${xml(span.name)}</text>`,
      `<rect x="${round(x)}" y="${y + 4}" width="${round(w)}" height="${height - 8}" rx="2" fill="${COLOURS[span.kind]}" fill-opacity="${span.end_ns === undefined ? 0.45 : 0.9}" stroke="${stroke}" stroke-width="2"/>`,
      `<text x="${names + bars + 8}" y="${y + 14}" fill="#37474f">${xml(duration(length))}</text></g>`,
    ].join('');
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const x = names + bars * part;
    return `<line x1="${x}" y1="${top - 6}" x2="${x}" y2="${top + rows.length * height}" stroke="#cfd8dc"/><text x="${x + 3}" y="${top - 9}" fill="#78909c">${xml(duration(totalMs * part))}</text>`;
  });
  const more = left > 0 ? `<text x="8" y="${total - 12}">and ${left} more</text>` : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" font-family="system-ui, sans-serif" font-size="12"><defs><clipPath id="names"><rect x="0" y="0" width="${names - 8}" height="${total}"/></clipPath></defs><rect width="100%" height="100%" fill="#fff"/><text x="8" y="22" font-size="15" font-weight="600">${xml(title)}</text>${ticks.join('')}${parts.join('')}${more}</svg>\n`;
}

export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Names come from models and strangers: nothing of them is markup, and what XML cannot hold is left out. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
