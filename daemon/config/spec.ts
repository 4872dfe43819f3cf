import { patternFault } from '../../contract/core.ts';
import { parseQuantity, type QuantityKind, quantityPattern } from './quantity.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What one key may hold. `read` gives the value in base units or says what was expected. */
export type KeySpec<T> = {
  readonly kind: string;
  readonly fallback: T;
  /** The default as a person would write it in TOML. */
  readonly shown: string;
  readonly about: string;
  read(value: unknown): { ok: true; value: T } | { ok: false; expected: string };
  /** JSON Schema of the value, for editors: nothing that `read` takes is refused by it. Absent: anything. */
  readonly schema?: JsonSchema;
  /** Environment variables are text: how to make a TOML-like value of one. */
  fromText(text: string): unknown;
};

export type Spec = Readonly<Record<string, Readonly<Record<string, KeySpec<unknown>>>>>;
/** The values of a table whose keys are described, such as a row of a list. */
export type RowOf<S> = { readonly [K in keyof S]: S[K] extends KeySpec<infer T> ? T : never };

export type ConfigOf<S extends Spec> = {
  readonly [Section in keyof S]: {
    readonly [Key in keyof S[Section]]: S[Section][Key] extends KeySpec<infer T> ? T : never;
  };
};

/** JSON Schema has patterns without flags. */
const patternOf = (match: RegExp | undefined): JsonSchema =>
  match === undefined || match.flags !== '' ? {} : { pattern: match.source };

const asText = (text: string): unknown => text;

export function quantity(
  kind: QuantityKind,
  shown: string,
  about: string,
  range: { min?: number; max?: number } = {},
): KeySpec<number> {
  const parsed = parseQuantity(kind, shown);
  if (!parsed.ok) throw new Error(`bad default ${shown}`);
  const min = range.min ?? 0;
  return {
    kind,
    schema: { type: 'string', pattern: quantityPattern(kind) },
    fallback: parsed.value,
    shown: JSON.stringify(shown),
    about,
    fromText: asText,
    read(value) {
      const result = parseQuantity(kind, value);
      if (!result.ok) return result;
      if (result.value < min) return { ok: false, expected: `${kind} of at least ${min} (base unit)` };
      if (range.max !== undefined && result.value > range.max)
        return { ok: false, expected: `${kind} of at most ${range.max} (base unit)` };
      return result;
    },
  };
}

export function text(
  fallback: string,
  about: string,
  pattern?: { match: RegExp; expected: string },
): KeySpec<string> {
  return {
    kind: 'text',
    schema: { type: 'string', ...patternOf(pattern?.match) },
    fallback,
    shown: JSON.stringify(fallback),
    about,
    fromText: asText,
    read(value) {
      if (typeof value !== 'string') return { ok: false, expected: pattern?.expected ?? 'text in quotes' };
      if (pattern && !pattern.match.test(value)) return { ok: false, expected: pattern.expected };
      return { ok: true, value };
    },
  };
}

export function choice<const C extends readonly string[]>(
  choices: C,
  fallback: C[number],
  about: string,
): KeySpec<C[number]> {
  return {
    kind: 'choice',
    schema: { enum: [...choices] },
    fallback,
    shown: JSON.stringify(fallback),
    about: `${about}: ${choices.join(', ')}`,
    fromText: asText,
    read(value) {
      if (typeof value === 'string' && choices.includes(value)) return { ok: true, value };
      return { ok: false, expected: `one of ${choices.map((c) => `"${c}"`).join(', ')}` };
    },
  };
}

export function integer(
  fallback: number,
  about: string,
  range: { min: number; max: number },
): KeySpec<number> {
  return {
    kind: 'integer',
    schema: { type: 'integer', minimum: range.min, maximum: range.max },
    fallback,
    shown: String(fallback),
    about,
    fromText: (raw) => (/^-?\d+$/.test(raw) ? Number(raw) : raw),
    read(value) {
      if (
        typeof value === 'number' &&
        Number.isSafeInteger(value) &&
        value >= range.min &&
        value <= range.max
      )
        return { ok: true, value };
      return { ok: false, expected: `a whole number from ${range.min} to ${range.max}` };
    },
  };
}

export function number(fallback: number, about: string, min: number, max: number): KeySpec<number> {
  return {
    kind: 'number',
    schema: { type: 'number', minimum: min, maximum: max },
    fallback,
    shown: String(fallback),
    about,
    fromText: Number,
    read: (value) =>
      typeof value === 'number' && value >= min && value <= max
        ? { ok: true, value }
        : { ok: false, expected: `a number from ${min} to ${max}` },
  };
}

export function flag(fallback: boolean, about: string): KeySpec<boolean> {
  return {
    kind: 'flag',
    schema: { type: 'boolean' },
    fallback,
    shown: String(fallback),
    about,
    fromText: (raw) => (raw === 'true' ? true : raw === 'false' ? false : raw),
    read: (value) =>
      typeof value === 'boolean' ? { ok: true, value } : { ok: false, expected: 'true or false' },
  };
}

export function texts(
  fallback: readonly string[],
  about: string,
  pattern?: { match: RegExp; expected: string },
): KeySpec<readonly string[]> {
  return {
    kind: 'texts',
    schema: { type: 'array', items: { type: 'string', ...patternOf(pattern?.match) } },
    fallback,
    shown: JSON.stringify(fallback),
    about,
    fromText: (raw) => (raw === '' ? [] : raw.split(',').map((part) => part.trim())),
    read(value) {
      const isList = Array.isArray(value) && value.every((v) => typeof v === 'string');
      if (isList && value.every((v) => pattern?.match.test(v) ?? true)) return { ok: true, value };
      return { ok: false, expected: pattern?.expected ?? 'a list of texts, for example ["a", "b"]' };
    },
  };
}

/** Patterns over names of topics, services and actions; see contract/topic-pattern.ts. */
export function patterns(fallback: readonly string[], about: string): KeySpec<readonly string[]> {
  const spec = texts(fallback, about);
  return {
    ...spec,
    read(value) {
      const read = spec.read(value);
      const expected = 'a list of names or patterns, for example ["/chatter", "/ui/**"]';
      if (!read.ok) return { ok: false, expected };
      const fault = read.value.map(patternFault).find((wrong) => wrong !== undefined);
      const bare = read.value.find((text) => !text.startsWith('/'));
      if (fault !== undefined) return { ok: false, expected: `${expected}; one of these ${fault}` };
      return bare === undefined ? read : { ok: false, expected: `${expected}, each with a leading slash` };
    },
  };
}

/** A list of tables, each with its own keys: `[[ros.topics]]`. */
export function tables<Row>(
  about: string,
  readRow: (row: Record<string, unknown>) => { ok: true; value: Row } | { ok: false; expected: string },
): KeySpec<readonly Row[]> {
  return {
    kind: 'tables',
    schema: { type: 'array', items: { type: 'object' } },
    fallback: [],
    shown: '[]',
    about,
    fromText: asText,
    read(value) {
      const expected = 'a list of tables';
      if (!Array.isArray(value)) return { ok: false, expected };
      const rows: Row[] = [];
      for (const [index, row] of value.entries()) {
        if (typeof row !== 'object' || row === null || Array.isArray(row)) return { ok: false, expected };
        const result = readRow(row as Record<string, unknown>);
        if (!result.ok) return { ok: false, expected: `${result.expected} (entry ${index + 1})` };
        rows.push(result.value);
      }
      return { ok: true, value: rows };
    },
  };
}

/** The same list where rows are found by their names: each name stands there once, and there are at most `max` rows. */
export function namedOnce<Row extends { readonly name: string }>(
  spec: KeySpec<readonly Row[]>,
  max: number,
  rows: string,
): KeySpec<readonly Row[]> {
  return {
    ...spec,
    read(value) {
      const result = spec.read(value);
      if (!result.ok) return result;
      const names = result.value.map(({ name }) => name);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice !== undefined) return { ok: false, expected: `a name once: "${twice}" is there twice` };
      return names.length > max ? { ok: false, expected: `at most ${max} ${rows}` } : result;
    },
  };
}
