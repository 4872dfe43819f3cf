import type { KeySpec } from './spec.ts';

/**
 * What is wrong with a list of tables: the row (from 0; undefined: the whole list), its key, the value, what it should
 * be.
 */
export type RowFault = (row: number | undefined, key: string, value: unknown, expected: string) => void;
export type KeyFault = (key: string, value: unknown, expected: string) => void;

/** A list of tables whose rows have names, such as `[[models]]`. */
export type NamedRows<Row extends { readonly name: string }> = {
  /** As in the configuration, for example `models`, and one of them in words. */
  readonly list: string;
  readonly one: string;
  readonly max: number;
  readonly keys: Readonly<Record<string, unknown>>;
  /** Added to the fault of an unknown key, after the known keys. */
  hint?(key: string): string;
  /** What single keys cannot know of each other; only rows whose keys are all right are shown to it. */
  agree(row: Row, refuse: KeyFault): void;
};

/** Faults are reported row by row; a row with one is left out. */
export function readNamedRows<Row extends { readonly name: string }>(
  body: unknown,
  rows: NamedRows<Row>,
  fault: RowFault,
): readonly Row[] {
  const { list, one, max } = rows;
  if (!Array.isArray(body)) {
    fault(undefined, '', body, `a list of tables: [[${list}]]`);
    return [];
  }
  if (body.length > max) {
    fault(undefined, '', body.length, `at most ${max} ${list}`);
    return [];
  }
  const good: Row[] = [];
  for (const [index, row] of body.entries()) {
    const read = readRow(row, rows, (key, value, expected) => fault(index, key, value, expected));
    if (read === undefined) continue;
    if (good.some(({ name }) => name === read.name))
      fault(index, 'name', read.name, `a name that no other ${one} has`);
    else good.push(read);
  }
  return good;
}

function readRow<Row extends { readonly name: string }>(
  row: unknown,
  { keys, hint = () => '', agree }: NamedRows<Row>,
  fault: KeyFault,
): Row | undefined {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    fault('', row, 'a table');
    return undefined;
  }
  let faults = 0;
  const refuse: KeyFault = (key, value, expected) => {
    faults += 1;
    fault(key, value, expected);
  };
  const specs = keys as Readonly<Record<string, KeySpec<unknown>>>;
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(specs)) values[key] = spec.fallback;
  for (const [key, value] of Object.entries(row)) {
    const spec = Object.hasOwn(specs, key) ? specs[key] : undefined;
    if (!spec) {
      // The value of an unknown key may be a secret.
      refuse(key, '', `one of the keys ${Object.keys(specs).join(', ')}${hint(key)}`);
      continue;
    }
    const read = spec.read(value);
    if (read.ok) values[key] = read.value;
    else refuse(key, value, read.expected);
  }
  if (faults > 0) return undefined;
  const read = values as Row;
  agree(read, refuse);
  return faults === 0 ? read : undefined;
}
