import { UUID_PATTERN } from './ids.ts';

/** A JSON Schema as data, with the keywords of `FAULT_WORDS`. */
export type PlainPart = Readonly<Record<string, unknown>>;

/** The keywords that `schemaFault` knows. The generator refuses a schema of the contract with another. */
export const FAULT_WORDS: ReadonlySet<string> = new Set([
  ...['type', 'const', 'enum', 'not', 'anyOf', 'properties', 'required', 'additionalProperties'],
  ...['patternProperties', 'minProperties', 'maxProperties', 'items', 'minItems', 'maxItems'],
  ...['pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'description'],
]);

/** `depth`: how deep in the value. A field that is missing or unknown is a fault of the object around it. */
type Fault = { readonly path: string; readonly depth: number; readonly problem: string };
type Found = { readonly faults: Fault[] };

/** Faults that are collected before the one that says most is chosen. */
const FAULTS_MAX = 32;
const SAID_MAX = 80;
const NAME_MAX = 64;

/**
 * Why a value does not fit, `/path: problem`; undefined where no fault is found. It only names the fault: whether a
 * value fits is decided by generated code. It needs no schema library, since loading that library takes half a second,
 * which the first malformed message of a client must not cost a cell.
 */
export function schemaFault(schema: PlainPart, value: unknown): string | undefined {
  const fault = best(faultsOf(schema, value));
  return fault && `${fault.path === '' ? '/' : fault.path}: ${fault.problem}`;
}

function faultsOf(schema: PlainPart, value: unknown, path = ''): readonly Fault[] {
  const found: Found = { faults: [] };
  visit(schema, value, path, found);
  return found.faults;
}

/** Of several faults, the first of those with the deepest path says most. */
function best(faults: readonly Fault[]): Fault | undefined {
  return faults.reduce<Fault | undefined>((a, b) => (a && a.depth >= b.depth ? a : b), undefined);
}

function visit(schema: PlainPart, value: unknown, path: string, found: Found): void {
  const { faults } = found;
  if (faults.length >= FAULTS_MAX) return;
  const { anyOf } = schema;
  if (Array.isArray(anyOf)) {
    faults.push(...inUnion(anyOf as PlainPart[], value, path));
    return;
  }
  const say: Say = (problem) => {
    faults.push({ path, depth: depthOf(path), problem: `${problem}, found ${preview(value)}` });
  };
  const wrong = kindFault(schema, value);
  if (wrong !== undefined) say(wrong);
  else if (typeof value === 'number') inNumber(schema, value, say);
  else if (typeof value === 'string') inText(schema, value, say);
  else if (Array.isArray(value)) inArray(schema, value, path, found, say);
  else if (typeof value === 'object' && value !== null) {
    inObject(schema, value as Record<string, unknown>, path, found);
    bounds(schema, 'Properties', Object.keys(value).length, 'properties', say);
  }
}

/** What a text that does not match has to be: in words where the pattern has a name of its own. */
export function patternWords(pattern: string): string {
  return pattern === UUID_PATTERN
    ? 'must be a whole UUID, as 0198c2f0-7d5e-7c3a-9b1e-2f6a8c4d0e15'
    : `must match pattern "${pattern}"`;
}

/** Why a value is not of the type, or not among the choices. */
function kindFault(schema: PlainPart, value: unknown): string | undefined {
  const { type, not, enum: choices } = schema;
  if ('const' in schema && value !== schema['const']) return `must be ${preview(schema['const'])}`;
  if (Array.isArray(choices) && !choices.includes(value))
    return `must be equal to one of the allowed values (${choices.map(String).join(', ')})`;
  const types = type === undefined ? [] : [type].flat().map(String);
  if (types.length > 0 && !types.some((one) => isOfType(one, value))) return `must be ${types.join(' or ')}`;
  // `not` stands for a measured value: a number, also NaN.
  return isPart(not) && faultsOf(not, value).length === 0 ? 'must be a number' : undefined;
}

/** The faults of the member that the value names by a constant field; else of the member that it fits best. */
function inUnion(members: readonly PlainPart[], value: unknown, path: string): readonly Fault[] {
  const each = members.map((member) => ({ member, faults: faultsOf(member, value, path) }));
  if (each.some(({ faults }) => faults.length === 0)) return [];
  const names = each.flatMap(({ member }) => constants(member));
  const [key] = names[0] ?? [];
  if (key !== undefined && names.length === members.length && typeof value === 'object' && value !== null) {
    const given = (value as Record<string, unknown>)[key];
    const named = each[names.findIndex(([, name]) => name === given)];
    if (named) return named.faults;
    const known = names.map(([, name]) => String(name)).join(', ');
    const problem = `must be one of ${known}, found ${preview(given)}`;
    return [{ path: `${path}/${key}`, depth: depthOf(path) + 1, problem }];
  }
  const first = best(each.flatMap(({ faults }) => best(faults) ?? []));
  return first ? [first] : [];
}

function constants({ properties }: PlainPart): [string, unknown][] {
  const found = Object.entries((properties ?? {}) as Readonly<Record<string, PlainPart>>).find(
    ([, part]) => 'const' in part,
  );
  return found ? [[found[0], found[1]['const']]] : [];
}

type Say = (problem: string) => void;

function inNumber(schema: PlainPart, value: number, say: Say): void {
  const { minimum, maximum, exclusiveMinimum } = schema;
  if (typeof minimum === 'number' && !(value >= minimum)) say(`must be >= ${minimum}`);
  else if (typeof maximum === 'number' && !(value <= maximum)) say(`must be <= ${maximum}`);
  else if (typeof exclusiveMinimum === 'number' && !(value > exclusiveMinimum))
    say(`must be > ${exclusiveMinimum}`);
}

function inText(schema: PlainPart, value: string, say: Say): void {
  const { pattern } = schema;
  bounds(schema, 'Length', [...value].length, 'characters', say);
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) say(patternWords(pattern));
}

function inArray(schema: PlainPart, value: readonly unknown[], path: string, found: Found, say: Say): void {
  bounds(schema, 'Items', value.length, 'items', say);
  const { items } = schema;
  if (!isPart(items)) return;
  for (let i = 0; i < value.length && found.faults.length < FAULTS_MAX; i++)
    visit(items, value[i], `${path}/${i}`, found);
}

function inObject(
  schema: PlainPart,
  value: Readonly<Record<string, unknown>>,
  path: string,
  found: Found,
): void {
  const { properties = {}, patternProperties = {}, required = [], additionalProperties } = schema;
  const parts = properties as Readonly<Record<string, PlainPart>>;
  const depth = depthOf(path);
  for (const name of required as readonly string[])
    if (!(name in value)) found.faults.push({ path: `${path}/${name}`, depth, problem: 'missing' });
  const patterns = Object.entries(patternProperties as Readonly<Record<string, PlainPart>>);
  const rest = Object.keys(value).filter((name) => !Object.hasOwn(parts, name));
  for (const [name, part] of Object.entries(parts))
    if (name in value) visit(part, value[name], `${path}/${name}`, found);
  for (const name of rest) {
    if (found.faults.length >= FAULTS_MAX) return;
    const here = `${path}/${name.slice(0, NAME_MAX)}`;
    const part = patterns.find(([pattern]) => new RegExp(pattern, 'u').test(name))?.[1];
    if (part) visit(part, value[name], here, found);
    else if (additionalProperties === false)
      found.faults.push({ path: here, depth, problem: 'unknown field' });
    else if (isPart(additionalProperties)) visit(additionalProperties, value[name], here, found);
  }
}

function bounds(schema: PlainPart, of: string, size: number, what: string, say: Say): void {
  const [least, most] = [schema[`min${of}`], schema[`max${of}`]];
  if (typeof least === 'number' && size < least) say(`must not have fewer than ${least} ${what}`);
  if (typeof most === 'number' && size > most) say(`must not have more than ${most} ${what}`);
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return Number.isFinite(value);
    default:
      return typeof value === type;
  }
}

function depthOf(path: string): number {
  return path.split('/').length;
}

function isPart(value: unknown): value is PlainPart {
  return typeof value === 'object' && value !== null;
}

function preview(value: unknown): string {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, SAID_MAX);
}

function shortened(text: string): string {
  return text.length > SAID_MAX ? `${text.slice(0, SAID_MAX - 3)}...` : text;
}
