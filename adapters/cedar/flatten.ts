import { EdgeError } from '../../contract/core.ts';
import { decimalOf } from './decimal.ts';

/** Values of one question. A trajectory of a hundred points and seven joints has some 800. */
export const VALUES_MAX = 4_096;
const DEPTH_MAX = 32;

export type Flat = {
  readonly numbers: Map<string, string>;
  readonly texts: Map<string, string>;
  readonly flags: Map<string, boolean>;
};

/**
 * Free JSON by path, so that policies can be checked before they are used: a number is always a decimal, whatever a
 * model wrote. Throws `schema.invalid` for values that cannot be judged: they are refused, never skipped.
 */
export function flatten(facts: Readonly<Record<string, unknown>>): Flat {
  const flat: Flat = { numbers: new Map(), texts: new Map(), flags: new Map() };
  let seen = 0;
  const open: { value: unknown; path: string; depth: number }[] = [];
  const enter = (value: object, path: string, depth: number) => {
    if (depth > DEPTH_MAX) throw unfit(path, `nested deeper than ${DEPTH_MAX}`);
    if (Array.isArray(value)) note(flat.numbers, join(path, 'length'), decimalOf(value.length)!);
    for (const [key, item] of Object.entries(value)) {
      if (++seen > VALUES_MAX) throw unfit(path, `more than ${VALUES_MAX} values`);
      open.push({ value: item, path: join(path, key), depth: depth + 1 });
    }
  };
  enter(facts, '', 0);
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, path, depth } = next;
    if (!path.isWellFormed()) throw unfit(path.toWellFormed(), 'its name is no Unicode text');
    if (typeof value === 'number') {
      const decimal = decimalOf(value);
      if (decimal === undefined) throw unfit(path, `${value} is beyond what can be judged`);
      note(flat.numbers, path, decimal);
    } else if (typeof value === 'string') {
      if (!value.isWellFormed()) throw unfit(path, 'no Unicode text');
      note(flat.texts, path, value);
    } else if (typeof value === 'boolean') note(flat.flags, path, value);
    else if (typeof value === 'object' && value !== null) enter(value, path, depth);
    else if (value !== null && value !== undefined) throw unfit(path, `${typeof value} is no JSON`);
  }
  return flat;
}

function note<T>(map: Map<string, T>, path: string, value: T): void {
  map.set(path, value);
}

/** A point in a name is no step of a path. */
function join(path: string, key: string): string {
  const name = key.replaceAll('\\', '\\\\').replaceAll('.', '\\.');
  return path === '' ? name : `${path}.${name}`;
}

function unfit(path: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'judge',
    subject: path.slice(0, 128),
    message: `${path.slice(0, 128)}: ${message}`,
  });
}
