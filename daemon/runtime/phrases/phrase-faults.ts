import type { Phrase } from '../../../contract/phrase.ts';
import { type Pattern, readTemplate, type SlotKind } from './template.ts';
import { tokensOf } from './tokens.ts';

type Json = Readonly<Record<string, unknown>>;

/** One way through a template: the slots that it fills, and whether it has a word or a direction. */
type Path = { readonly slots: readonly string[]; readonly isSaid: boolean };

/** Ways through one template that fill other slots; more is several phrases. */
const PATHS_MAX = 64;
const SIZES: readonly SlotKind[] = ['number', 'integer', 'distance', 'angle', 'duration'];
const SIGNS: readonly SlotKind[] = ['along', 'side'];

/** What is wrong with a phrase of an intent with these parameters (JSON Schema of an object), and how it is fixed. Pure. */
export function phraseFaults({ say, params = {} }: Phrase, schema: Json): readonly string[] {
  const read = readTemplate(say);
  if (!read.ok) return [read.problem];
  const paths = pathsOf(read.pattern);
  if (!paths) return [`it can be read in more than ${PATHS_MAX} ways: write several phrases`];
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>;
  const known = Object.keys(properties);
  const unknown = Object.keys(params).find((name) => !known.includes(name));
  const found = [
    ...(unknown === undefined ? [] : [unknownParam(`params has ${unknown}`, known)]),
    ...slotsOf(read.pattern).flatMap(([name, kind]) => slotFaults(name, kind, properties)),
    ...paths.flatMap((path) => pathFaults(path, params, schema)),
  ];
  return [...new Set(found)];
}

function slotFaults(name: string, kind: SlotKind, properties: Readonly<Record<string, Json>>): string[] {
  const slot = `{${name}:${kind}}`;
  if (kind === 'place') {
    const missing = ['x', 'y'].filter((one) => properties[one]?.['type'] !== 'number');
    return missing.length === 0
      ? []
      : [
          `${slot} fills the numbers x and y, and the intent has no ${missing.join(' and ')}: add them to params`,
        ];
  }
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (!property) return [unknownParam(slot, Object.keys(properties))];
  const { type } = property;
  if (kind === 'choice') {
    const texts = choicesOf(property);
    const isSaid = texts.length > 0 && texts.every((text) => (tokensOf(text) ?? []).length > 0);
    return isSaid ? [] : [`${slot}: the parameter ${name} needs an enum of words`];
  }
  if (kind === 'text') return type === 'string' ? [] : [`${slot}: the parameter ${name} is no string`];
  const fits = type === 'number' || (type === 'integer' && (kind === 'integer' || SIGNS.includes(kind)));
  if (fits) return [];
  const other = type === 'integer' ? `: {${name}:integer} fits it` : '';
  return [`${slot} gives a number, and the parameter ${name} is ${JSON.stringify(type ?? null)}${other}`];
}

function pathFaults({ slots, isSaid }: Path, params: Json, schema: Json): string[] {
  const filled = slots.map((slot) => slot.split(':') as [string, SlotKind]);
  const names = new Set(filled.map(([name]) => name));
  const faults: string[] = isSaid ? [] : ['it needs a word or a direction beside its slots'];
  for (const name of names) {
    const kinds = filled.filter(([one]) => one === name).map(([, kind]) => kind);
    const sizes = kinds.filter((kind) => SIZES.includes(kind)).length;
    const signs = kinds.filter((kind) => SIGNS.includes(kind)).length;
    const fixed = Object.hasOwn(params, name);
    if (sizes > 1 || signs > 1 || (kinds.length > 1 && sizes + signs < kinds.length))
      faults.push(`${name} is filled twice`);
    if (signs > 0 && sizes === 0 && typeof params[name] !== 'number')
      faults.push(
        `${name} has a direction and no size: add {${name}:distance} or params = { ${name} = 1.0 }`,
      );
    if (fixed && sizes + signs === 0) faults.push(`${name} stands in params and in a slot: leave one out`);
    else if (fixed && typeof params[name] !== 'number')
      faults.push(`params.${name} is multiplied by the slot: it has to be a number`);
  }
  const isPlace = filled.some(([, kind]) => kind === 'place');
  const given = new Set([...names, ...Object.keys(params), ...(isPlace ? ['x', 'y'] : [])]);
  for (const name of (schema['required'] ?? []) as readonly string[])
    if (!given.has(name))
      faults.push(`the required parameter ${name} is not always given: add a slot {${name}:…}, or params`);
  return faults;
}

function unknownParam(what: string, known: readonly string[]): string {
  return `${what}, which is no parameter of the intent; there are ${known.join(', ') || 'none'}`;
}

/** Texts that a parameter may have. */
export function choicesOf(property: Json | undefined): readonly string[] {
  const listed = property?.['enum'];
  return Array.isArray(listed) && listed.every((one) => typeof one === 'string') ? listed : [];
}

function slotsOf(pattern: Pattern): readonly (readonly [string, SlotKind])[] {
  if (pattern.is === 'slot') return [[pattern.name, pattern.kind]];
  return pattern.is === 'word' ? [] : pattern.of.flatMap(slotsOf);
}

/** Undefined: too many. */
function pathsOf(pattern: Pattern): readonly Path[] | undefined {
  if (pattern.is === 'word') return [{ slots: [], isSaid: true }];
  if (pattern.is === 'slot')
    return [{ slots: [`${pattern.name}:${pattern.kind}`], isSaid: SIGNS.includes(pattern.kind) }];
  let found: readonly Path[] = pattern.is === 'list' ? [{ slots: [], isSaid: false }] : [];
  for (const one of pattern.of) {
    const more = pathsOf(one);
    if (!more) return undefined;
    found =
      pattern.is === 'choice'
        ? [...found, ...more]
        : found.flatMap((a) =>
            more.map((b) => ({ slots: [...a.slots, ...b.slots].sort(), isSaid: a.isSaid || b.isSaid })),
          );
    found = [...new Map(found.map((path) => [JSON.stringify(path), path])).values()];
    if (found.length > PATHS_MAX) return undefined;
  }
  return found;
}
