import { EdgeError, type JsonValue } from '../../../contract/index.ts';

type Json = Readonly<Record<string, unknown>>;

/** What references may lead to: the parameters of the intent, results of steps, the last error. */
export type Known = {
  readonly params: Json;
  readonly steps: Json;
  /** `type` of the intent that the run carries out. */
  readonly intent?: Json;
  readonly error?: Json;
  readonly loop?: Json;
  /** Of a message to a webhook. */
  readonly body?: Json;
};

const REFERENCE = /\{(\/[^{}\s]{1,200})\}/g;

/** Every reference in a value: `{/params/metres}` is `['params', 'metres']`. */
export function referencesIn(value: unknown): readonly (readonly string[])[] {
  if (typeof value === 'string')
    return [...value.matchAll(REFERENCE)].map(([, pointer]) => partsOf(pointer!));
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(referencesIn);
}

/**
 * The value with its references replaced. A text that is one reference becomes what it leads to, with its type; within a
 * longer text it is written out. Throws `schema.invalid` where it leads nowhere.
 */
export function filled(value: unknown, known: Known): unknown {
  if (typeof value === 'string') return filledText(value, known);
  if (Array.isArray(value)) return value.map((one) => filled(one, known));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, known)]));
}

/** What a reference leads to; undefined: nowhere. Own fields only. */
export function valueAt(root: unknown, parts: readonly string[]): unknown {
  let here = root;
  for (const part of parts) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = (here as Record<string, unknown>)[part];
  }
  return here;
}

/** Of a result only what is referred to, so that what a flow knows stays small. */
export function picked(result: Json, wanted: readonly (readonly string[])[]): JsonValue {
  if (wanted.some((parts) => parts.length === 0)) return result as JsonValue;
  const kept: Record<string, unknown> = {};
  for (const parts of wanted) {
    const value = valueAt(result, parts);
    // Names that mean something to JavaScript itself are no names of results.
    if (value === undefined || parts.includes('__proto__')) continue;
    let here = kept;
    for (const part of parts.slice(0, -1)) {
      if (!Object.hasOwn(here, part)) here[part] = {};
      here = here[part] as Record<string, unknown>;
    }
    here[parts.at(-1)!] = value;
  }
  return kept as JsonValue;
}

function filledText(text: string, known: Known): unknown {
  const whole = /^\{(\/[^{}\s]{1,200})\}$/.exec(text)?.[1];
  if (whole !== undefined) return required(whole, known);
  return text.replaceAll(REFERENCE, (_all, pointer: string) => {
    const value = required(pointer, known);
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

function required(pointer: string, known: Known): unknown {
  const value = valueAt(known, partsOf(pointer));
  if (value !== undefined) return value;
  throw new EdgeError('schema.invalid', {
    operation: 'fill',
    subject: pointer,
    message: `{${pointer}} leads to nothing: the parameter was not given, or the step had no such result`,
  });
}

function partsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
