import type { AppFault } from '../../contract/apps/index.ts';
import { type Checker, checker } from '../../contract/check.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { knownKeys, meaningOf, nearest } from './known-keys.ts';

const FAULTS_MAX = 20;
const PATTERN = 'must match pattern';

/** A text as its parser gives it. */
export type Parsed =
  | { readonly ok: true; readonly value: unknown; lineOf(path: readonly string[]): number | undefined }
  | { readonly ok: false; readonly line: number | undefined; readonly problem: string };

export type Checked<T> =
  | { readonly ok: true; readonly value: T; lineOf(path: readonly string[]): number | undefined }
  | { readonly ok: false; readonly faults: readonly AppFault[] };

/** What a file holds, or every unknown key and the first other fault of each key, with its line and what to do. */
export function checkFile<T>(file: string, parsed: Parsed, whole: Checker<T>): Checked<T> {
  if (!parsed.ok) return { ok: false, faults: [faultAt(file, parsed.line, undefined, parsed.problem)] };
  const { value, lineOf } = parsed;
  const rest = structuredClone(value);
  const strangers = strangersIn(rest, whole.schema, []).slice(0, FAULTS_MAX);
  const faults = strangers.map(({ path, problem }) => faultAt(file, lineOf(path), keyOf(path), problem));
  for (const fault of faultsOf(whole, rest)) {
    const { path, words } = split(fault);
    const meaning = words.startsWith(PATTERN) ? meaningOf(whole.schema, path) : undefined;
    // What the key is says more to a person than the pattern that it has to match.
    const problem = meaning === undefined ? words : words.replace(/^.*(?=, found )/s, `is no ${meaning}`);
    faults.push(faultAt(file, lineOf(path), keyOf(path), problem));
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: value as T, lineOf };
}

/** One of each key at the top, those that are missing too; else the one of the whole. */
function faultsOf(whole: Checker<unknown>, value: unknown): readonly string[] {
  const fault = whole.fault(value);
  if (fault === undefined) return [];
  const { properties = {}, required = [] } = whole.schema as {
    readonly properties?: Readonly<Record<string, TSchema>>;
    readonly required?: readonly string[];
  };
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  const missing = required.filter((key) => !Object.hasOwn(given, key)).map((key) => `/${key}: missing`);
  const wrong = Object.entries(properties).flatMap(([key, schema]) => {
    const found = Object.hasOwn(given, key) ? checker(schema).fault(given[key]) : undefined;
    return found === undefined ? [] : [`/${key}${found.replace(/^\/: /, ': ')}`];
  });
  const all = [...missing, ...wrong];
  return all.length > 0 ? all : [fault];
}

/** Takes every unknown key out, and says which it was. What may have any keys is left as it is. */
function strangersIn(
  value: unknown,
  schema: unknown,
  path: readonly string[],
): { readonly path: readonly string[]; readonly problem: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const known = Array.isArray(value) ? undefined : knownKeys(schema, path);
  return Object.entries(value).flatMap(([key, one]) => {
    const here = [...path, key];
    if (!known || known.includes(key)) return strangersIn(one, schema, here);
    delete (value as Record<string, unknown>)[key];
    const meant = nearest(key, known);
    const guess = meant === undefined ? '' : `; did you mean ${meant}?`;
    return [{ path: here, problem: `is not known${guess} (known: ${known.join(', ')})` }];
  });
}

export function faultAt(
  file: string,
  line: number | undefined,
  key: string | undefined,
  problem: string,
): AppFault {
  return {
    file,
    ...(line === undefined ? {} : { line }),
    ...(key === undefined || key === '' ? {} : { key }),
    problem: problem.slice(0, 512),
  };
}

/** `/intents/0/type` as people write it: `intents[1].type`. */
export function keyOf(path: readonly string[]): string {
  return path.reduce(
    (text, part) =>
      /^\d+$/.test(part) ? `${text}[${Number(part) + 1}]` : text === '' ? part : `${text}.${part}`,
    '',
  );
}

function split(fault: string): { readonly path: readonly string[]; readonly words: string } {
  const at = fault.indexOf(': ');
  const path = fault
    .slice(0, at)
    .split('/')
    .slice(1)
    .filter((part) => part !== '');
  return { path, words: fault.slice(at + 2) };
}
