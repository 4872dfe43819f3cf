import {
  type AgentEvent,
  type DifferenceClass,
  type DiffRow,
  parseJson,
  type RunDiff,
  type TimingRow,
} from '../../../contract/index.ts';
import { differenceInWords } from '../../../history/line-words.ts';
import { aligned, type Line } from './align-lines.ts';
import { comparedLine, LineMemory } from './compared-line.ts';

/** A step counts as slower or faster from this factor and this many milliseconds on. */
const TIMING_FACTOR = 1.5;
const TIMING_MS = 50;
const TIMING_ROWS_MAX = 50;

/**
 * Two runs side by side. Pure. Lines are those of `comparedLine`: without ids and times. The common start and end are
 * taken off; the rest is aligned by the longest common subsequence, and lines that speak of the same step (the
 * same call of the same tool, the same phase) are put beside each other even where they differ.
 */
export function diffRuns(
  a: { readonly runId: string; readonly events: readonly AgentEvent[] },
  b: { readonly runId: string; readonly events: readonly AgentEvent[] },
): RunDiff {
  const rows = sideBySide(linesOf(a.events), linesOf(b.events));
  const classes: Partial<Record<DifferenceClass, number>> = {};
  rows.forEach((row, index) => {
    if (row.class !== undefined) classes[row.class] ??= index;
  });
  const first = rows.findIndex((row) => !row.same);
  const timing = timingOf(a.events, b.events);
  if (timing.length > 0) classes.timing = -1;
  return {
    a: a.runId,
    b: b.runId,
    identical: first < 0,
    first: first < 0 ? undefined : first,
    words: first < 0 ? undefined : wordsOf(rows[first]!, rows[first + 1]),
    classes,
    rows,
    timing,
  };
}

/** A line of one run that is followed by one of the other run alone stands for the same step. */
function wordsOf(row: DiffRow, next: DiffRow | undefined): string {
  const alone =
    row.right === undefined ? next?.left === undefined : row.left === undefined && next?.right === undefined;
  const other = alone ? next : undefined;
  return differenceInWords(row.left ?? other?.left, row.right ?? other?.right, ['a', 'b']);
}

/** What a difference between two lines is about. `left` and `right` are canonical lines. */
export function classOf(left: string | undefined, right: string | undefined): DifferenceClass {
  const a = parse(left);
  const b = parse(right);
  const one = a ?? b;
  if (!one) return 'order';
  if (a && b && a['kind'] !== b['kind']) return KIND_CLASS[earlier(a, b)] ?? 'order';
  switch (one['kind']) {
    case 'call':
      return a && b && a['tool'] === b['tool'] ? 'arguments' : 'order';
    default:
      return KIND_CLASS[String(one['kind'])] ?? 'order';
  }
}

const KIND_CLASS: Readonly<Record<string, DifferenceClass>> = {
  intent: 'intent',
  policy: 'policy',
  call: 'arguments',
  return: 'result',
  finished: 'result',
  phase: 'phase',
  answer: 'model answer',
  model: 'model answer',
  entry: 'session',
  message: 'session',
};

/** Of two lines of different kinds the one that a run writes first shows what differs. */
function earlier(a: Record<string, unknown>, b: Record<string, unknown>): string {
  const order = [
    'intent',
    'policy',
    'answer',
    'model',
    'call',
    'return',
    'phase',
    'entry',
    'message',
    'finished',
  ];
  const [x, y] = [String(a['kind']), String(b['kind'])];
  return order.indexOf(x) <= order.indexOf(y) ? x : y;
}

function linesOf(events: readonly AgentEvent[]): Line[] {
  const memory = new LineMemory();
  const lines: Line[] = [];
  for (const event of events) {
    const text = comparedLine(event, memory);
    if (text !== undefined) lines.push({ text, key: keyOf(event) });
  }
  return lines;
}

/** The step that a line speaks of, whatever it says of it. */
function keyOf(event: AgentEvent): string {
  switch (event.kind) {
    case 'tool.called':
    case 'tool.returned':
      return `${event.kind} ${event.payload.tool}`;
    case 'run.phase':
      return `phase ${event.payload.phase}`;
    case 'policy.decided':
      return `policy ${event.payload.hook} ${event.payload.point} ${event.payload.subject}`;
    default:
      return event.kind;
  }
}

/** Which of two equal alignments is taken does not hang on which run is named first. */
function sideBySide(a: readonly Line[], b: readonly Line[]): DiffRow[] {
  const text = (lines: readonly Line[]) => lines.map((line) => line.text).join('\n');
  if (text(a) <= text(b)) return rowsOf(a, b);
  return rowsOf(b, a).map((row) => ({ ...row, a: row.b, b: row.a, left: row.right, right: row.left }));
}

function rowsOf(a: readonly Line[], b: readonly Line[]): DiffRow[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head]!.text === b[head]!.text) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail]!.text === b[b.length - 1 - tail]!.text
  )
    tail++;
  const rows: DiffRow[] = [];
  const same = (i: number, j: number) =>
    rows.push({ same: true, class: undefined, a: i + 1, b: j + 1, left: a[i]!.text, right: b[j]!.text });
  for (let i = 0; i < head; i++) same(i, i);
  middle(a, b, head, a.length - tail, b.length - tail, rows);
  for (let i = tail; i > 0; i--) same(a.length - i, b.length - i);
  return rows;
}

/** The part between the common start and the common end. */
function middle(
  a: readonly Line[],
  b: readonly Line[],
  from: number,
  endA: number,
  endB: number,
  rows: DiffRow[],
): void {
  const pairs = aligned(a.slice(from, endA), b.slice(from, endB));
  let [i, j] = [from, from];
  for (const [x, y] of [...pairs.map(([x, y]) => [x + from, y + from] as const), [endA, endB] as const]) {
    while (i < x) row(rows, a, b, i++, undefined);
    while (j < y) row(rows, a, b, undefined, j++);
    if (x < endA && y < endB) {
      row(rows, a, b, x, y);
      i = x + 1;
      j = y + 1;
    }
  }
}

function row(
  rows: DiffRow[],
  a: readonly Line[],
  b: readonly Line[],
  i: number | undefined,
  j: number | undefined,
): void {
  const left = i === undefined ? undefined : a[i]!.text;
  const right = j === undefined ? undefined : b[j]!.text;
  const same = left === right;
  rows.push({
    same,
    class: same ? undefined : classOf(left, right),
    a: i === undefined ? undefined : i + 1,
    b: j === undefined ? undefined : j + 1,
    left,
    right,
  });
}

/** Calls that both runs made, by their order, where they took clearly different times. */
function timingOf(a: readonly AgentEvent[], b: readonly AgentEvent[]): TimingRow[] {
  const [left, right] = [durations(a), durations(b)];
  const rows: TimingRow[] = [];
  for (const [step, aMs] of left) {
    const bMs = right.get(step);
    if (bMs === undefined) continue;
    const [low, high] = aMs < bMs ? [aMs, bMs] : [bMs, aMs];
    if (high - low >= TIMING_MS && high >= low * TIMING_FACTOR)
      rows.push({ step, a_ms: Math.round(aMs), b_ms: Math.round(bMs) });
  }
  const change = ({ a_ms, b_ms }: TimingRow) => Math.abs(a_ms - b_ms);
  return rows.sort((x, y) => change(y) - change(x) || (x.step < y.step ? -1 : 1)).slice(0, TIMING_ROWS_MAX);
}

function durations(events: readonly AgentEvent[]): Map<string, number> {
  const found = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== 'tool.returned' && event.kind !== 'model.returned') continue;
    const name = event.kind === 'tool.returned' ? event.payload.tool : 'model';
    const n = (counts.get(name) ?? 0) + 1;
    counts.set(name, n);
    found.set(`${name} #${n}`, event.payload.duration_ms);
  }
  return found;
}

function parse(line: string | undefined): Record<string, unknown> | undefined {
  return line === undefined ? undefined : (parseJson(line) as Record<string, unknown>);
}
