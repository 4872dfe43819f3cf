/** Spans of a run as rows of a waterfall: parents above their children, milliseconds from the first start. Pure. */

const DEPTH_MAX = 12;

/** A span that is open ends, as far as is known, where the last of all does. */
export function traceRows(spans) {
  if (spans.length === 0) return { rows: [], totalMs: 0 };
  let begin = BigInt(spans[0].start_ns);
  let last = begin;
  for (const { start_ns, end_ns } of spans) {
    if (BigInt(start_ns) < begin) begin = BigInt(start_ns);
    if (BigInt(end_ns ?? start_ns) > last) last = BigInt(end_ns ?? start_ns);
  }
  const ms = (ns) => Number(ns - begin) / 1e6;
  const rows = inTree(spans).map(({ span, depth }) => {
    const open = span.end_ns === undefined || span.end_ns === null;
    const startMs = ms(BigInt(span.start_ns));
    const endMs = ms(open ? last : BigInt(span.end_ns));
    return { span, depth, startMs, lengthMs: Math.max(0, endMs - startMs), open };
  });
  return { rows, totalMs: ms(last) };
}

/** Children under their parents, each in the order of their starts. Spans that name each other in a circle come last. */
function inTree(spans) {
  const known = new Set(spans.map(({ span_id }) => span_id));
  const below = new Map();
  for (const span of spans) {
    const parent = known.has(span.parent_id) ? span.parent_id : undefined;
    if (below.has(parent)) below.get(parent).push(span);
    else below.set(parent, [span]);
  }
  const late = (a, b) => Number(BigInt(b.start_ns) - BigInt(a.start_ns));
  for (const children of below.values()) children.sort(late);
  const left = new Set(spans);
  const found = [];
  const stack = (below.get(undefined) ?? []).map((span) => ({ span, depth: 0 }));
  while (stack.length > 0) {
    const { span, depth } = stack.pop();
    if (!left.delete(span)) continue;
    found.push({ span, depth: Math.min(depth, DEPTH_MAX) });
    stack.push(...(below.get(span.span_id) ?? []).map((child) => ({ span: child, depth: depth + 1 })));
  }
  return [...found, ...[...left].map((span) => ({ span, depth: 0 }))];
}

/** Round times for a scale of about `ticks` lines, milliseconds. */
export function ticksOf(totalMs, ticks = 5) {
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
