import type { DiffRow, RunDiff } from '../contract/index.ts';
import { clipped, differences, printable, shortValue } from './line-words.ts';

/** Equal lines that are shown before and after a difference. */
const CONTEXT = 2;
/** Differing fields of one line that are shown; the rest are only counted. */
const FIELDS_MAX = 6;

type Paint = (text: string) => string;
type Colours = { readonly left: Paint; readonly right: Paint; readonly faint: Paint; readonly strong: Paint };

const plain: Paint = (text) => text;
const ansi =
  (code: number): Paint =>
  (text) =>
    `\u001b[${code}m${text}\u001b[0m`;
const COLOURED: Colours = { left: ansi(31), right: ansi(32), faint: ansi(2), strong: ansi(1) };
const PLAIN: Colours = { left: plain, right: plain, faint: plain, strong: plain };

/** Two runs for a terminal: first where they part, by class, then both side by side. */
export function drawDiff(diff: RunDiff, columns: number, colour: boolean): string {
  const paint = colour ? COLOURED : PLAIN;
  const lines: string[] = [`a ${diff.a}`, `b ${diff.b}`, ''];
  if (diff.identical) lines.push(`${diff.rows.length} lines, all of them equal`);
  else {
    const changed = diff.rows.filter((row) => !row.same).length;
    const first = diff.rows[diff.first!]!;
    lines.push(
      paint.strong(`first difference: ${first.class} (line ${first.a ?? first.b})`),
      ...wrapped(diff.words ?? '', columns - 2).map((line) => clipped(`  ${line}`, columns)),
      ...fieldsOf(first, columns - 2, paint).map((line) => `  ${line}`),
      ...wrapped(
        `${changed} of ${diff.rows.length} lines differ; first of each: ${classesOf(diff)}`,
        columns,
      ),
      '',
      ...sideBySide(diff.rows, columns, paint),
    );
  }
  if (diff.timing.length > 0) {
    lines.push('', paint.strong('steps that took clearly longer or shorter'));
    for (const { step, a_ms, b_ms } of diff.timing.slice(0, 10))
      lines.push(`  ${step.padEnd(32)} ${`${a_ms} ms`.padStart(12)} ${`${b_ms} ms`.padStart(12)}`);
    if (diff.timing.length > 10) lines.push(`  … and ${diff.timing.length - 10} more`);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}

function classesOf(diff: RunDiff): string {
  return Object.entries(diff.classes)
    .filter(([name]) => name !== 'timing')
    .sort(([, x], [, y]) => x - y)
    .map(([name, index]) => `${name} at line ${diff.rows[index]!.a ?? diff.rows[index]!.b}`)
    .join(', ');
}

function sideBySide(rows: readonly DiffRow[], columns: number, paint: Colours): string[] {
  const width = Math.max(20, Math.floor((columns - 13) / 2));
  const near = rows.map((_, i) =>
    rows.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some((row) => !row.same),
  );
  const lines: string[] = [];
  let skipped = 0;
  const skip = () => {
    if (skipped > 0) lines.push(paint.faint(`  … ${skipped} equal`));
    skipped = 0;
  };
  rows.forEach((row, i) => {
    if (!near[i]) {
      skipped++;
      return;
    }
    skip();
    lines.push(...drawRow(row, width, columns, paint));
  });
  skip();
  return lines;
}

function drawRow(row: DiffRow, width: number, columns: number, paint: Colours): string[] {
  const [left, right] = [cell(row.left, width), cell(row.right, width)];
  const [a, b] = [String(row.a ?? '').padStart(4), String(row.b ?? '').padStart(4)];
  if (row.same) return [paint.faint(`${a} ${left}   ${b} ${right}`)];
  const mark = row.left === undefined ? '>' : row.right === undefined ? '<' : '|';
  const line = `${paint.left(`${a} ${left}`)} ${mark} ${paint.right(`${b} ${right}`)}`;
  const both = row.left !== undefined && row.right !== undefined;
  return both ? [line, ...fieldsOf(row, columns - 7, paint).map((field) => `       ${field}`)] : [line];
}

function cell(line: string | undefined, width: number): string {
  const text = line === undefined ? '' : headline(line);
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

/** A line of a run as a person reads it. */
export function headline(line: string): string {
  const { kind, n, tool, phase, ok, hook, decision, status, reason, args, result, error, ...rest } =
    JSON.parse(line) as Record<string, unknown>;
  const json = (value: unknown) => (value === undefined ? '' : ` ${JSON.stringify(value)}`);
  switch (kind) {
    case 'call':
      return printable(`call ${String(tool)}${json(args)}`);
    case 'return':
      return printable(`${ok === true ? 'gave' : `failed ${String(error)}`} ${String(tool)}${json(result)}`);
    case 'phase':
      return printable(`phase ${String(phase)}: ${String(reason)}`);
    case 'policy':
      return printable(`policy ${String(hook)}: ${String(decision)} ${String(reason)}`);
    case 'finished':
      return printable(`finished ${String(status)}: ${String(reason)}`);
    default:
      return printable(`${String(kind)}${json({ n, ok, error, ...rest })}`);
  }
}

/** Which fields of two lines differ, in lines of at most `columns`. */
function fieldsOf(row: DiffRow, columns: number, paint: Colours): string[] {
  if (row.left === undefined) return [paint.right(clipped(`only in b: ${headline(row.right!)}`, columns))];
  if (row.right === undefined) return [paint.left(clipped(`only in a: ${headline(row.left)}`, columns))];
  const found = differences(JSON.parse(row.left), JSON.parse(row.right), '');
  const shown = found.slice(0, FIELDS_MAX).map(({ path, left, right }) => {
    const name = clipped(printable(path), Math.floor(columns / 3));
    const each = Math.floor((columns - name.length - 5) / 2);
    return `${name}: ${paint.left(shortValue(left, each))} → ${paint.right(shortValue(right, each))}`;
  });
  if (found.length > FIELDS_MAX) shown.push(`… and ${found.length - FIELDS_MAX} more fields`);
  return shown;
}

/** Broken between words; what is left of a line is indented. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `  ${word}`);
  }
  return lines;
}
