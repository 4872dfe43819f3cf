import { checker, EdgeError } from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';

type Part = { schema: unknown; method: string; url: string; httpPart?: string };
type Verdict = { value: unknown } | { error: Error };

/** Checks parts of requests with the contract's checker: nothing is coerced, faults name their path. */
export function compileValidator(part: Part): (value: unknown) => Verdict {
  const schema = part.schema as TSchema & { properties?: Record<string, TSchema>; required?: string[] };
  const check = checker(schema);
  const where = part.httpPart ?? 'body';
  return (value) => {
    const decoded = decode(where, schema, value);
    const fault = check.fault(decoded);
    if (fault === undefined) return { value: decoded };
    return {
      error: new EdgeError('schema.invalid', {
        operation: `${part.method} ${part.url}`,
        subject: where,
        message: fault,
        hint: 'see /openapi.json for the shape',
      }),
    };
  };
}

function decode(
  where: string,
  schema: TSchema & { properties?: Record<string, TSchema>; required?: string[] },
  value: unknown,
): unknown {
  if (where === 'body') {
    const optional = (schema.required ?? []).length === 0;
    return (value === undefined || value === null) && optional ? {} : value;
  }
  if (where !== 'querystring') return value;
  const decoded: Record<string, unknown> = {};
  for (const [key, raw] of Object.entries((value ?? {}) as Record<string, unknown>)) {
    decoded[key] = decodeText(raw, schema.properties?.[key]);
  }
  return decoded;
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
