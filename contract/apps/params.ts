type Json = Readonly<Record<string, unknown>>;

const DEPTH_MAX = 8;
const PROPERTIES_MAX = 64;

/** Words of JSON Schema that a package may use, by what they may hold. None of them can take long to judge. */
const WORDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  type: (value) => TYPES.includes(value as string),
  title: isText,
  description: isText,
  default: () => true,
  examples: Array.isArray,
  enum: (value) => Array.isArray(value) && value.length > 0 && value.length <= 256,
  const: () => true,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  uniqueItems: (value) => typeof value === 'boolean',
  required: (value) => Array.isArray(value) && value.every(isText),
  properties: isObject,
  items: isObject,
  additionalProperties: (value) => value === false,
};
const TYPES: readonly string[] = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];

/**
 * What is wrong with the schema of an intent's parameters, as `path: what`; undefined: nothing. A closed subset of JSON
 * Schema: a pattern or a reference in a foreign package could keep the checker of every intent busy.
 */
export function paramsFault(schema: unknown, path = '', depth = 0): string | undefined {
  if (!isObject(schema)) return `${path}: a JSON Schema is an object`;
  if (depth > DEPTH_MAX) return `${path}: nested deeper than ${DEPTH_MAX}`;
  for (const [word, value] of Object.entries(schema)) {
    const fits = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    if (!fits) return `${path}/${word}: no word of these schemas; known are ${Object.keys(WORDS).join(', ')}`;
    if (!fits(value)) return `${path}/${word}: ${JSON.stringify(value)?.slice(0, 60)} cannot stand here`;
  }
  if (depth === 0 && schema['type'] !== undefined && schema['type'] !== 'object')
    return `${path}/type: the parameters of an intent are an object`;
  const properties = (schema['properties'] ?? {}) as Json;
  const names = Object.keys(properties);
  if (names.length > PROPERTIES_MAX) return `${path}/properties: more than ${PROPERTIES_MAX}`;
  const missing = ((schema['required'] ?? []) as readonly string[]).find((name) => !names.includes(name));
  if (missing !== undefined) return `${path}/required: "${missing}" is not among the properties`;
  for (const [name, one] of Object.entries(properties)) {
    const fault = paramsFault(one, `${path}/properties/${name}`, depth + 1);
    if (fault !== undefined) return fault;
  }
  return schema['items'] === undefined ? undefined : paramsFault(schema['items'], `${path}/items`, depth + 1);
}

/** The same schema, closed: every object refuses fields that it does not name. */
export function closedParams(schema: Json): Json {
  const own = schema['type'] === 'object' || schema['properties'] !== undefined;
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  return {
    ...schema,
    ...(own
      ? {
          type: 'object',
          additionalProperties: false,
          properties: Object.fromEntries(properties.map(([name, one]) => [name, closedParams(one)])),
        }
      : {}),
    ...(schema['items'] === undefined ? {} : { items: closedParams(schema['items'] as Json) }),
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 2_048;
}
function isNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}
function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
