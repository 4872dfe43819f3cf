import { fromWireTime, type TraceSpan } from '../contract/index.ts';

/** Rows of one drawing: what is longer than this is looked at in a trace viewer. */
const ROWS_MAX = 2_000;

export type Row = {
  readonly span: TraceSpan;
  readonly depth: number;
  readonly start: number;
  readonly length: number;
  /** Row of its parent, where that is shown. */
  readonly parentRow: number | undefined;
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
  const rows: Row[] = [];
  for (const { span, depth, parentRow } of inTree(spans)) {
    if (rows.length === ROWS_MAX) break;
    const start = ms(ns(span.start_ns));
    const end = ms(span.end_ns === undefined ? last : ns(span.end_ns));
    rows.push({ span, depth, parentRow, start, length: Math.max(0, end - start) });
  }
  return { rows, totalMs: ms(last), left: spans.length - rows.length };
}

/** Children under their parents, each in the order of their starts. Spans that name each other in a circle come last. */
function* inTree(spans: readonly TraceSpan[]): Generator<Pick<Row, 'span' | 'depth' | 'parentRow'>> {
  const known = new Set(spans.map(({ span_id }) => span_id));
  const below = new Map<string | undefined, TraceSpan[]>();
  for (const span of spans) {
    const parent = known.has(span.parent_id ?? '') ? span.parent_id : undefined;
    const children = below.get(parent);
    if (children) children.push(span);
    else below.set(parent, [span]);
  }
  for (const children of below.values())
    children.sort((a, b) => {
      const [x, y] = [fromWireTime(a.start_ns), fromWireTime(b.start_ns)];
      return x < y ? -1 : x > y ? 1 : 0;
    });
  const left = new Set(spans);
  let row = 0;
  const stack: { span: TraceSpan; depth: number; parentRow: number | undefined }[] = [];
  const push = (parent: string | undefined, depth: number, parentRow: number | undefined) => {
    for (const span of [...(below.get(parent) ?? [])].reverse())
      stack.push({ span, depth: Math.min(depth, 16), parentRow });
  };
  push(undefined, 0, undefined);
  for (;;) {
    const next = stack.pop();
    if (!next) break;
    if (!left.delete(next.span)) continue;
    yield next;
    push(next.span.span_id, next.depth + 1, row++);
  }
  for (const span of left) yield { span, depth: 0, parentRow: undefined };
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

export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
