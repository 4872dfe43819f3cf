import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/schema';
import { EdgeError } from './errors.ts';
import { patternWords } from './schema-fault.ts';

/**
 * A compiled schema. `parse` refuses what does not fit with an error that names the path; nothing is
 * coerced, ever: `"15"` is not 15.
 */
export type Checker<T> = {
  readonly schema: TSchema;
  is(value: unknown): value is T;
  /** Throws `schema.invalid`; `subject` names the value for the person who reads the error. */
  parse(value: unknown, subject: string): T;
  /** `undefined` when the value fits, else `path: what was expected, what was found`. */
  fault(value: unknown): string | undefined;
};

export function checker<S extends TSchema>(schema: S): Checker<Static<S>> {
  // Compiling costs about a millisecond; most processes use few schemas, so it happens at first use.
  let compiled: Validator | undefined;
  const validator = () => {
    compiled ??= Compile(schema) as unknown as Validator;
    return compiled;
  };
  const branches = branchesOf(schema);
  const fault = (value: unknown): string | undefined => {
    if (validator().Check(value)) return undefined;
    if (branches) return branches(value);
    const [, errors] = validator().Errors(value) as [boolean, Fault[]];
    return errors.length === 0 ? '/: does not fit its schema' : describe(best(errors), value);
  };
  return {
    schema,
    is: (value): value is Static<S> => validator().Check(value),
    fault,
    parse(value, subject) {
      const problem = fault(value);
      if (problem === undefined) return value as Static<S>;
      throw new EdgeError('schema.invalid', {
        operation: 'check',
        subject,
        message: problem,
        hint: 'see contract/schema for the JSON Schema files',
      });
    },
  };
}

type Branch = { readonly properties?: Readonly<Record<string, { readonly const?: unknown }>> };

/**
 * For a union whose members differ by one constant field, such as `kind`: the errors of the member that the value
 * names. Errors of the other members would only hide them.
 */
function branchesOf(schema: TSchema): ((value: unknown) => string | undefined) | undefined {
  const { anyOf } = schema as { readonly anyOf?: readonly (TSchema & Branch)[] };
  const key = Object.entries(anyOf?.[0]?.properties ?? {}).find(([, field]) => 'const' in field)?.[0];
  if (!anyOf || key === undefined) return undefined;
  const named = new Map(anyOf.map((one) => [one.properties?.[key]?.const, checker(one)]));
  if (named.size !== anyOf.length || named.has(undefined)) return undefined;
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `/: must be object, found ${preview(value)}`;
    const found = (value as Record<string, unknown>)[key];
    const member = named.get(found);
    return member
      ? member.fault(value)
      : `/${key}: must be one of ${[...named.keys()].join(', ')}, found ${preview(found)}`;
  };
}

type Fault = { keyword: string; instancePath: string; message: string; params: Record<string, unknown> };

/** Of the many errors of a union, the one with the deepest path says most. */
function best(errors: Fault[]): Fault {
  const depth = (path: string) => path.split('/').length;
  const useful = errors.filter((e) => e.keyword !== 'anyOf' && e.keyword !== 'boolean');
  const pool = useful.length > 0 ? useful : errors;
  return pool.reduce((a, b) => (depth(b.instancePath) > depth(a.instancePath) ? b : a));
}

function describe(fault: Fault, value: unknown): string {
  const unknown = (fault.params['additionalProperties'] ?? fault.params['unevaluatedProperties']) as unknown;
  if (Array.isArray(unknown) && unknown.length > 0) {
    return `${fault.instancePath}/${String(unknown[0])}: unknown field`;
  }
  const missing = fault.params['requiredProperties'];
  if (Array.isArray(missing) && missing.length > 0) {
    return `${fault.instancePath}/${String(missing[0])}: missing`;
  }
  const path = fault.instancePath === '' ? '/' : fault.instancePath;
  const allowed = fault.params['allowedValues'];
  const pattern = fault.params['pattern'];
  if (typeof pattern === 'string')
    return `${path}: ${patternWords(pattern)}, found ${preview(at(value, fault.instancePath))}`;
  const detail = Array.isArray(allowed) ? ` (${allowed.map(String).join(', ')})` : '';
  return `${path}: ${fault.message}${detail}, found ${preview(at(value, fault.instancePath))}`;
}

function at(value: unknown, path: string): unknown {
  let here = value;
  for (const part of path.split('/').slice(1)) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return here;
}

function preview(value: unknown): string {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
