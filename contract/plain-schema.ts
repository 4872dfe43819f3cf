import { EdgeError } from './edge-error.ts';

type Json = Readonly<Record<string, unknown>>;
type Work = {
  readonly root: Json;
  readonly budget: SchemaBudget;
  /** The target of each reference, resolved once: its text may be long and used often. */
  readonly found: Map<string, unknown>;
  named: string;
  led: string;
};

/** Depth of sub-schemas, and length of a chain of references. */
const DEPTH_MAX = 64;
/** Sub-schemas of an unfolded schema: small schemas can unfold to gigantic ones. */
const PARTS_MAX = 4_000;
/** Characters of an unfolded schema: a large part counts each time it is referred to. */
const CHARS_MAX = 65_536;
const SAID_MAX = 64;
/** Characters of a place that are shown at each end. */
const PLACE_MAX = 60;

/** Keywords that hold one schema, a list of them, or schemas by name. Other keywords hold values. */
const SCHEMAS = new Set([
  ...['additionalItems', 'additionalProperties', 'allOf', 'anyOf', 'contains', 'contentSchema', 'else', 'if'],
  ...['items', 'not', 'oneOf', 'prefixItems', 'propertyNames', 'then'],
  ...['unevaluatedItems', 'unevaluatedProperties'],
]);
const BY_NAME = new Set(['dependencies', 'dependentSchemas', 'patternProperties', 'properties']);
/** Definitions and their names: not needed once references are followed. */
const LEFT_OUT = new Set(['$defs', 'definitions', 'discriminator']);
/** Keywords that do not restrict values: they may stand next to a reference. */
const NOTES = new Set([
  ...['$comment', '$id', '$schema', 'default', 'deprecated', 'description', 'examples', 'readOnly', 'title'],
  'writeOnly',
]);

type BudgetLimits = {
  readonly partsMax?: number;
  readonly charsMax?: number;
  readonly depthMax?: number;
  /** The owner's name in errors. */
  readonly of?: string;
  /** A larger budget that this one counts towards as well. */
  readonly within?: SchemaBudget;
};

/**
 * Limit of the size of unfolded schemas, shared by all schemas that get the same budget. A request with several schemas
 * uses one budget, or the work would grow with the number of schemas.
 */
export class SchemaBudget {
  readonly depthMax: number;
  readonly #limits: Required<Omit<BudgetLimits, 'within'>>;
  readonly #within: SchemaBudget | undefined;
  #parts = 0;
  #chars = 0;

  constructor({ within, ...limits }: BudgetLimits = {}) {
    this.#limits = { partsMax: PARTS_MAX, charsMax: CHARS_MAX, depthMax: DEPTH_MAX, of: 'it', ...limits };
    this.#within = within;
    this.depthMax = this.#limits.depthMax;
  }

  /** Parts that were visited so far. */
  get parts(): number {
    return this.#parts;
  }

  /** Counts one part. Returns the fault if the budget is exceeded. */
  spend(parts: number, chars: number): string | undefined {
    const { of, partsMax, charsMax } = this.#limits;
    this.#parts += parts;
    this.#chars += chars;
    if (this.#parts > partsMax) return `${of} unfolds to more than ${partsMax} parts`;
    if (this.#chars > charsMax) return `${of} unfolds to more than ${charsMax} characters`;
    return this.#within?.spend(parts, chars);
  }
}

/**
 * A JSON Schema without references: each is replaced by the part of the same document that it leads to, as writers of
 * schemas put nested models (`{"$ref": "#/$defs/Pose"}`), and an `allOf` of one is that one. What checks, shows and
 * nests it then needs no document round it. Takes JSON, never changes it. Throws `schema.invalid` that names the place
 * below `path` where a reference leads elsewhere, nowhere or back to itself, or where it unfolds beyond
 * its `budget`. Checks nothing else: callers that take foreign schemas judge the result.
 */
export function plainSchema(
  schema: Json,
  path = '',
  budget = new SchemaBudget(),
): Record<string, unknown> | boolean {
  const work: Work = { root: schema, budget, found: new Map(), named: '', led: '' };
  const plain = unfold(schema, path, 0, [], work);
  // A name changes what the references below it mean.
  if (work.named !== '' && work.led !== '') throw no(work.named, 'only the root may have a name');
  return plain as Record<string, unknown> | boolean;
}

/** `trail`: the references that were followed so far. */
function unfold(value: unknown, path: string, depth: number, trail: readonly unknown[], work: Work): unknown {
  if (!isObject(value)) {
    count(value, path, work);
    return value;
  }
  const { depthMax } = work.budget;
  if (Math.max(depth, trail.length) > depthMax) throw no(path, `it is nested deeper than ${depthMax}`);
  spend(1, 0, path, work);
  if (depth > 0 && typeof value['$id'] === 'string') work.named = `${path}/$id`;
  const own: [string, unknown][] = [];
  for (const [word, held] of Object.entries(value)) {
    if (word === '$ref' || LEFT_OUT.has(word)) continue;
    const here = `${path}/${word}`;
    const each = (one: unknown, name: number | string) =>
      unfold(one, `${here}/${name}`, depth + 1, trail, work);
    if (BY_NAME.has(word) && isObject(held)) {
      for (const name of Object.keys(held)) count(name, here, work);
      own.push([
        word,
        Object.fromEntries(Object.entries(held).map(([name, one]) => [name, each(one, name)])),
      ]);
    } else if (!SCHEMAS.has(word)) {
      count(word, here, work);
      count(held, here, work);
      own.push([word, held]);
    } else if (Array.isArray(held)) own.push([word, held.map(each)]);
    else own.push([word, unfold(held, here, depth + 1, trail, work)]);
  }
  const { allOf, ...others } = Object.fromEntries(own);
  const single = Array.isArray(allOf) && allOf.length === 1;
  const rest = single ? beside(others, allOf[0]) : Object.fromEntries(own);
  if (!Object.hasOwn(value, '$ref')) return rest;
  const here = `${path}/$ref`;
  work.led = here;
  const part = target(value['$ref'], here, work);
  if (trail.includes(part)) throw no(here, `${said(value['$ref'])} refers to itself`);
  return beside(rest, unfold(part, path, depth, [...trail, part], work));
}

/** A schema for values that fit both. The notes of the referring schema win. */
function beside(schema: unknown, other: unknown): unknown {
  if (schema === true) return other;
  // `false` combined with anything is `false`.
  if (schema === false) return false;
  if (!isObject(schema)) return { allOf: [schema, other] };
  const { type, ...rest } = schema;
  const same = type === undefined || (isObject(other) && other['type'] === type);
  if (!same || !Object.keys(rest).every((word) => NOTES.has(word))) {
    const { allOf } = schema;
    return { ...schema, allOf: [...(Array.isArray(allOf) ? allOf : []), other] };
  }
  if (isObject(other)) return { ...other, ...rest };
  return Object.keys(rest).length === 0 ? other : { ...rest, allOf: [other] };
}

function target(ref: unknown, path: string, work: Work): unknown {
  if (typeof ref !== 'string' || !(ref === '#' || ref.startsWith('#/')))
    throw no(path, `it refers to ${said(ref)}: only parts of itself are taken`);
  spend(0, ref.length, path, work);
  const found = work.found.get(ref) ?? find(work.root, ref, path);
  work.found.set(ref, found);
  return found;
}

function find(root: Json, ref: string, path: string): unknown {
  let here: unknown = root;
  for (const part of ref.split('/').slice(1)) {
    const name = decoded(part);
    if (name === undefined || typeof here !== 'object' || here === null || !Object.hasOwn(here, name))
      throw no(path, `it refers to ${said(ref)}, which is not there`);
    here = (here as Json)[name];
  }
  if (!isObject(here) && typeof here !== 'boolean') throw no(path, `it refers to ${said(ref)}: no schema`);
  return here;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return undefined;
  }
}

function count(value: unknown, path: string, work: Work): void {
  spend(0, JSON.stringify(value)?.length ?? 0, path, work);
}

function spend(parts: number, chars: number, path: string, work: Work): void {
  const fault = work.budget.spend(parts, chars);
  if (fault !== undefined) throw no(path, fault);
}

function said(ref: unknown): string {
  return JSON.stringify(String(ref).slice(0, SAID_MAX));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function no(path: string, message: string): EdgeError {
  const long = path.length > 2 * PLACE_MAX;
  const place = long ? `${path.slice(0, PLACE_MAX)}…${path.slice(-PLACE_MAX)}` : path || '/';
  return new EdgeError('schema.invalid', {
    operation: 'take schema',
    subject: place,
    message: `${place}: ${message}`,
  });
}
