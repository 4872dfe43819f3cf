import { checker, EdgeError } from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';

type Part = { schema: unknown; method: string; url: string; httpPart?: string };
type Verdict = { value: unknown } | { error: Error };

/** Checks parts of requests with the contract's checker: nothing is coerced, faults name their path. */
export function compileValidator(part: Part): (value: unknown) => Verdict {
  const schema = part.schema as TSchema & { properties?: Record<string, TSchema> };
  const check = checker(schema);
  const kinds = kindsOf(schema);
  const where = part.httpPart ?? 'body';
  return (value) => {
    const decoded = decode(where, schema, value);
    const fault = check.fault(decoded);
    if (fault === undefined) return { value: decoded };
    // Of what is one of several kinds, the fault of the kind that it says it is.
    const kind = kinds.get((decoded as { kind?: unknown } | null)?.kind);
    return {
      error: new EdgeError('schema.invalid', {
        operation: `${part.method} ${part.url}`,
        subject: where,
        message: kind?.fault(decoded) ?? fault,
        hint: 'see /openapi.json for the shape',
      }),
    };
  };
}

function kindsOf(schema: TSchema): ReadonlyMap<unknown, { fault(value: unknown): string | undefined }> {
  const branches = (schema as { anyOf?: (TSchema & { properties?: { kind?: { const?: unknown } } })[] })
    .anyOf;
  return new Map((branches ?? []).map((branch) => [branch.properties?.kind?.const, checker(branch)]));
}

function decode(
  where: string,
  schema: TSchema & { properties?: Record<string, TSchema> },
  value: unknown,
): unknown {
  if (where !== 'querystring') return value;
  const given = Object.entries((value ?? {}) as Record<string, unknown>);
  // fromEntries defines each key as its own, `__proto__` too, so that none slips past the check.
  return Object.fromEntries(given.map(([key, raw]) => [key, decodeText(raw, schema.properties?.[key])]));
}

/** A query string holds only text: it is read as the type that the schema declares, or left as it is. */
function decodeText(raw: unknown, schema: TSchema | undefined): unknown {
  const type = (schema as { type?: string } | undefined)?.type;
  if (type === 'array') return Array.isArray(raw) ? raw : [raw];
  if (typeof raw !== 'string') return raw;
  if (type === 'integer' && /^-?[0-9]{1,15}$/.test(raw)) return Number(raw);
  if (type === 'boolean' && (raw === 'true' || raw === 'false')) return raw === 'true';
  return raw;
}
