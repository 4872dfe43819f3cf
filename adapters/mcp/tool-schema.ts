import { checker, EdgeError, LIMITS, parseJson, plainSchema, SchemaBudget } from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { foreignText } from './foreign-text.ts';
import { judgePattern } from './regex-safety.ts';

export type SchemaVerdict =
  | { readonly ok: true; readonly schema: TSchema }
  | { readonly ok: false; readonly reason: string };

type Json = Record<string, unknown>;

const DIALECT =
  /^https?:\/\/json-schema\.org\/(?:draft\/2020-12|draft\/2019-09|draft-07|draft-06)\/schema#?$/;
/** Once references are followed, as the next two. */
const DEPTH_MAX = 64;
/** Sub-schemas and characters once references are followed: small schemas can unfold to large ones. */
const UNFOLDED_MAX = 8_000;
const UNFOLDED_CHARS_MAX = 524_288;
const ENUM_MAX = 1_000;
const NOTE_MAX = 256;
/** Levels of a document: at most two for each of its sub-schemas, and those of `$defs`. */
const NOTES_DEPTH_MAX = 2 * DEPTH_MAX + 2;
const NAME = /^[\w$ .:@/+\-[\]]{1,128}$/;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
/** Texts for people: they reach a model, so they are cut and cleaned. */
const NOTES = new Set(['description', 'title', '$comment']);
/** Values, not schemas. */
const VALUES = new Set(['const', 'default', 'examples', 'enum', 'required', 'type', 'format', '$schema']);
const DEPENDENT = new Set(['dependentRequired']);
const BY_NAME = new Set(['properties', 'dependentSchemas', 'patternProperties']);
const REFUSED = new Set([
  '$ref',
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
  '$anchor',
  '$vocabulary',
]);

/**
 * Accepts a foreign schema, or says why not. An accepted schema is plain and small, its references are followed (within
 * itself, never to elsewhere or in a circle), its patterns cannot explode, and our own checker compiles it. The root of
 * arguments is closed unless it says otherwise: a field that the server did not name is refused.
 */
export function vetSchema(raw: unknown, role: 'input' | 'output'): SchemaVerdict {
  const before = isObject(raw) ? known[role].get(raw) : undefined;
  if (before) return before;
  const verdict = judge(raw, role);
  if (isObject(raw)) known[role].set(raw, verdict);
  return verdict;
}

/** Compiling costs a millisecond or two: a schema is judged only once. */
const known = { input: new WeakMap<Json, SchemaVerdict>(), output: new WeakMap<Json, SchemaVerdict>() };

function judge(raw: unknown, role: 'input' | 'output'): SchemaVerdict {
  try {
    const text = JSON.stringify(raw);
    if (text === undefined || !isObject(raw)) throw no('it is no object');
    if (Buffer.byteLength(text) > LIMITS.MCP_SCHEMA_BYTES_MAX)
      throw no(`it has ${Buffer.byteLength(text)} bytes, at most ${LIMITS.MCP_SCHEMA_BYTES_MAX} are taken`);
    const given = parseJson(text) as Json;
    const dialect = given['$schema'];
    if (dialect !== undefined && !(typeof dialect === 'string' && DIALECT.test(dialect)))
      throw no('its $schema is not known');
    // First, so that the target of a reference is checked in its new place.
    cutNotes(given, 0);
    const budget = new SchemaBudget({ partsMax: UNFOLDED_MAX, charsMax: UNFOLDED_CHARS_MAX });
    const root = plainSchema(given, '', budget);
    if (!isObject(root)) throw no('its root is not of type object');
    delete root['$schema'];
    delete root['$id'];
    if (root['type'] !== 'object') throw no('its root is not of type object');
    walk(root, '', 0, { nodes: 0 });
    const open = [
      'additionalProperties',
      'unevaluatedProperties',
      'patternProperties',
      'allOf',
      'anyOf',
      'oneOf',
      'if',
      'not',
      'dependentSchemas',
    ];
    if (role === 'input' && !open.some((key) => Object.hasOwn(root, key)))
      root['additionalProperties'] = false;
    const schema = root as unknown as TSchema;
    checker(schema).is({});
    return { ok: true, schema };
  } catch (thrown) {
    return {
      ok: false,
      reason: thrown instanceof Error ? thrown.message.slice(0, 256) : 'it cannot be read',
    };
  }
}

/** Texts for people, cut before references multiply them. Values stay unchanged. */
function cutNotes(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > NOTES_DEPTH_MAX) return;
  for (const [key, one] of Object.entries(value)) {
    if (typeof one === 'string') {
      if (NOTES.has(key)) (value as Json)[key] = foreignText(one, NOTE_MAX);
    } else if (!VALUES.has(key)) cutNotes(one, depth + 1);
  }
}

/** Checks and cleans every sub-schema in place. */
function walk(schema: unknown, path: string, depth: number, counter: { nodes: number }): void {
  if (typeof schema === 'boolean') return;
  if (!isObject(schema)) throw no(`${path || '/'}: it is no schema`);
  if (depth > DEPTH_MAX) throw no(`it is nested deeper than ${DEPTH_MAX}`);
  if (++counter.nodes > UNFOLDED_MAX) throw no(`it has more than ${UNFOLDED_MAX} parts`);
  for (const [key, value] of Object.entries(schema)) {
    const here = `${path}/${key.slice(0, 64)}`;
    if (FORBIDDEN.has(key) || REFUSED.has(key)) throw no(`${here}: this is not taken`);
    if (key === '$id') throw no(`${here}: only the root may have a name`);
    if (NOTES.has(key)) schema[key] = typeof value === 'string' ? foreignText(value, NOTE_MAX) : '';
    else if (key === 'pattern') limitPattern(schema, value, here);
    else if (key === 'enum') {
      if (!Array.isArray(value) || value.length > ENUM_MAX) throw no(`${here}: at most ${ENUM_MAX} values`);
    } else if (VALUES.has(key)) continue;
    else if (BY_NAME.has(key)) walkNamed(key, value, here, depth, counter);
    else if (DEPENDENT.has(key)) names(value, here);
    else if (Array.isArray(value))
      for (const [i, one] of value.entries()) walkAny(one, `${here}/${i}`, depth, counter);
    else walkAny(value, here, depth, counter);
  }
}

function walkAny(value: unknown, path: string, depth: number, counter: { nodes: number }): void {
  if (isObject(value)) walk(value, path, depth + 1, counter);
}

function walkNamed(
  key: string,
  value: unknown,
  path: string,
  depth: number,
  counter: { nodes: number },
): void {
  const map = names(value, path, key === 'patternProperties');
  for (const [name, one] of Object.entries(map)) {
    if (key === 'patternProperties') {
      const verdict = judgePattern(name);
      if (!verdict.ok || verdict.textMax < LIMITS.TOOL_ARGS_BYTES_MAX)
        throw no(
          `${path}: the pattern ${JSON.stringify(name.slice(0, 64))} ${verdict.ok ? 'costs too much' : verdict.reason}`,
        );
    }
    walk(one, `${path}/${name.slice(0, 64)}`, depth + 1, counter);
  }
}

/** Names become code in the compiled check: only plain ones are taken. */
function names(value: unknown, path: string, patterns = false): Json {
  if (!isObject(value)) throw no(`${path}: it is no object`);
  for (const name of Object.keys(value)) {
    if (FORBIDDEN.has(name) || (!patterns && !NAME.test(name)))
      throw no(`${path}: the name ${JSON.stringify(name.slice(0, 64))} is not taken`);
  }
  return value;
}

/** A text with a pattern may be only as long as the pattern can be matched in time. */
function limitPattern(schema: Json, pattern: unknown, path: string): void {
  if (typeof pattern !== 'string') throw no(`${path}: it is no text`);
  const verdict = judgePattern(pattern);
  if (!verdict.ok) throw no(`${path}: the pattern ${verdict.reason}`);
  const given = schema['maxLength'];
  schema['maxLength'] = Math.min(
    typeof given === 'number' ? given : Number.POSITIVE_INFINITY,
    verdict.textMax,
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function no(message: string): EdgeError {
  return new EdgeError('mcp.failed', { operation: 'take schema', subject: 'schema', message });
}
