/** Spans of a run as rows of a waterfall: parents above their children, milliseconds from the first start. Pure. */

import type { TraceSpan } from '../../../contract/ports/replay.ts';

/** As the API answers: where nothing is known a field is missing, or null. */
export type Span = Pick<TraceSpan, 'span_id' | 'name' | 'kind' | 'start_ns' | 'ok' | 'error'> & {
  readonly parent_id?: string | null | undefined;
  readonly end_ns?: string | null | undefined;
};
export type TraceRow = {
  readonly span: Span;
  readonly depth: number;
  readonly startMs: number;
  readonly lengthMs: number;
  readonly open: boolean;
};

const DEPTH_MAX = 12;

/** A span that is open ends, as far as is known, where the last of all does. */
export function traceRows(spans: readonly Span[]): { rows: TraceRow[]; totalMs: number } {
  const [first] = spans;
  if (first === undefined) return { rows: [], totalMs: 0 };
  let begin = BigInt(first.start_ns);
  let last = begin;
  for (const { start_ns, end_ns } of spans) {
    if (BigInt(start_ns) < begin) begin = BigInt(start_ns);
    if (BigInt(end_ns ?? start_ns) > last) last = BigInt(end_ns ?? start_ns);
  }
  const ms = (ns: bigint) => Number(ns - begin) / 1e6;
  const rows = inTree(spans).map(({ span, depth }) => {
    const { start_ns, end_ns } = span;
    const open = end_ns === undefined || end_ns === null;
    const startMs = ms(BigInt(start_ns));
    const endMs = ms(open ? last : BigInt(end_ns));
    return { span, depth, startMs, lengthMs: Math.max(0, endMs - startMs), open };
  });
  return { rows, totalMs: ms(last) };
}

/** Children under their parents, each in the order of their starts. Spans that name each other in a circle come last. */
function inTree(spans: readonly Span[]): { span: Span; depth: number }[] {
  const known = new Set(spans.map(({ span_id }) => span_id));
  const below = new Map<string | undefined, Span[]>();
  for (const span of spans) {
    const { parent_id } = span;
    const parent =
      parent_id !== null && parent_id !== undefined && known.has(parent_id) ? parent_id : undefined;
    const children = below.get(parent);
    if (children) children.push(span);
    else below.set(parent, [span]);
  }
  const late = (a: Span, b: Span) => Number(BigInt(b.start_ns) - BigInt(a.start_ns));
  for (const children of below.values()) children.sort(late);
  const left = new Set(spans);
  const found: { span: Span; depth: number }[] = [];
  const stack = (below.get(undefined) ?? []).map((span) => ({ span, depth: 0 }));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { span, depth } = top;
    if (!left.delete(span)) continue;
    found.push({ span, depth: Math.min(depth, DEPTH_MAX) });
    stack.push(...(below.get(span.span_id) ?? []).map((child) => ({ span: child, depth: depth + 1 })));
  }
  return [...found, ...[...left].map((span) => ({ span, depth: 0 }))];
}

/** Round times for a scale of about `ticks` lines, milliseconds. */
export function ticksOf(totalMs: number, ticks = 5): number[] {
  if (totalMs <= 0) return [0];
  const rough = totalMs / ticks;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps =
    rough >= 60_000
      ? [60_000, 300_000, 600_000, 1_800_000, 3_600_000, 86_400_000]
      : [1, 2, 5, 10].map((n) => n * power);
  const step = steps.find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, i) => i * step);
}
