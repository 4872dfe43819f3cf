import { parseJson } from '../contract/core.ts';

/** Characters of a value that words show. */
const VALUE_CHARS_MAX = 60;

type Line = Readonly<Record<string, unknown>>;
export type Field = { readonly path: string; readonly left: unknown; readonly right: unknown };

/**
 * What the first difference of two lines means, in words: the step, its tool, and the path of the value that differs.
 * `left` and `right` are canonical lines, undefined where a side has none; `names` are what the sides are called.
 */
export function differenceInWords(
  left: string | undefined,
  right: string | undefined,
  [a, b]: readonly [string, string],
): string {
  const [x, y] = [parsed(left), parsed(right)];
  if (!x || !y) {
    const one = x ?? y;
    return one ? `only ${x ? a : b} has ${stepOf(one)}` : `${a} and ${b} have no line here`;
  }
  if (!sameStep(x, y)) return `${a} has ${stepOf(x)}; ${b} has ${stepOf(y)}`;
  const [field] = differences(expanded(x), expanded(y), '');
  if (!field) return `${stepOf(x)}: the same`;
  const missing = field.left === undefined ? a : field.right === undefined ? b : undefined;
  const path = pathInWords(String(x['kind']), field.path);
  if (missing !== undefined) {
    const value = field.left ?? field.right;
    return `${stepOf(x)}: ${path} is ${shortValue(value)} in ${missing === a ? b : a} and missing in ${missing}`;
  }
  return `${stepOf(x)}: ${path} is ${shortValue(field.left)} in ${a} and ${shortValue(field.right)} in ${b}`;
}

/** Paths at which two JSON values differ. */
export function differences(left: unknown, right: unknown, path: string): Field[] {
  if (JSON.stringify(left) === JSON.stringify(right)) return [];
  if (!isTree(left) || !isTree(right) || Array.isArray(left) !== Array.isArray(right))
    return [{ path: path === '' ? '/' : path, left, right }];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  return keys.flatMap((key) => differences(left[key], right[key], path === '' ? key : `${path}.${key}`));
}

/** A value as JSON of one line, cut. */
export function shortValue(value: unknown, columns = VALUE_CHARS_MAX): string {
  return clipped(printable(JSON.stringify(value) ?? '(nothing)'), Math.min(VALUE_CHARS_MAX, columns));
}

export function clipped(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
}

/** Text from models and foreign clients cannot move the cursor of a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

function stepOf(line: Line): string {
  const { kind, n, tool, phase, hook, point, status } = line;
  const words = {
    intent: 'the intent',
    call: `call ${n}, ${tool}`,
    return: `the result of call ${n}, ${tool}`,
    phase: `phase ${phase}`,
    policy: `the decision of ${hook} at point ${point}`,
    model: `model call ${n}`,
    answer: `the answer of model call ${n}`,
    entry: `session entry ${n}${roleOf(line)}`,
    message: 'a message to the run',
    finished: `the end of the run (${status})`,
  }[String(kind)];
  return clipped(printable(words ?? String(kind)), 2 * VALUE_CHARS_MAX);
}

function roleOf({ entry }: Line): string {
  const { type, message } = (entry ?? {}) as { type?: unknown; message?: { role?: unknown } };
  const role = message?.role ?? type;
  return typeof role === 'string' ? ` (${role})` : '';
}

/** Two lines speak of the same step where only its details can differ. */
function sameStep(x: Line, y: Line): boolean {
  const names = ['kind', 'tool', 'phase', 'hook', 'point'];
  return names.every((name) => x[name] === y[name]);
}

function pathInWords(kind: string, path: string): string {
  const [first, ...rest] = path.split('.');
  if (kind === 'call' && first === 'args' && rest.length > 0) return `argument ${rest.join('.')}`;
  if (kind === 'return' && first === 'result' && rest.length > 0) return `result field ${rest.join('.')}`;
  return printable(clipped(path, 2 * VALUE_CHARS_MAX));
}

/** Arguments that a model wrote as JSON text become values, so that a path leads into them. */
function expanded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expanded);
  if (typeof value === 'string') return value.startsWith('{') ? (jsonOf(value) ?? value) : value;
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expanded(item)]));
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text) as unknown;
  } catch {
    return undefined;
  }
}

function parsed(line: string | undefined): Line | undefined {
  return line === undefined ? undefined : (parseJson(line) as Line);
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
