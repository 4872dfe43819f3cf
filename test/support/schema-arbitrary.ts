import fc from 'fast-check';

type Schema = Readonly<Record<string, unknown>>;

/** An arbitrary of values that fit the JSON Schema, for the subset that the contract uses. */
export function arbitraryOf(schema: Schema): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  if (Array.isArray(schema['anyOf'])) return fc.oneof(...(schema['anyOf'] as Schema[]).map(arbitraryOf));
  // Measured values: any number, NaN too.
  if ('not' in schema) return fc.oneof(fc.double(), fc.constant(Number.NaN));
  switch (schema['type']) {
    case 'object':
      return objectOf(schema);
    case 'array':
      return fc.array(arbitraryOf(schema['items'] as Schema), {
        minLength: (schema['minItems'] as number) ?? 0,
        maxLength: Math.min(4, (schema['maxItems'] as number) ?? 4),
      });
    case 'string':
      return schema['pattern']
        ? fc.stringMatching(new RegExp(schema['pattern'] as string))
        : fc.string({ maxLength: Math.min(40, (schema['maxLength'] as number) ?? 40) });
    case 'integer':
      return fc.integer({
        min: (schema['minimum'] as number) ?? -1e9,
        max: Math.min(2 ** 31 - 1, (schema['maximum'] as number) ?? 1e9),
      });
    case 'number':
      return fc
        .double({
          min: (schema['minimum'] as number) ?? -1e9,
          max: (schema['maximum'] as number) ?? 1e9,
          noNaN: true,
        })
        .map((n) => (Object.is(n, -0) ? 0 : n));
    case 'boolean':
      return fc.boolean();
    case 'bigint':
      return fc.bigInt();
    case 'undefined':
      return fc.constant(undefined);
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  }
}

function objectOf(schema: Schema): fc.Arbitrary<unknown> {
  const patterns = schema['patternProperties'] as Record<string, Schema> | undefined;
  if (patterns) {
    const key = fc.stringMatching(/^[a-z_/]{1,12}$/).filter((name) => name !== '__proto__');
    return fc.dictionary(key, arbitraryOf(Object.values(patterns)[0]!), {
      maxKeys: 4,
      noNullPrototype: true,
    });
  }
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const model = Object.fromEntries(Object.entries(properties).map(([name, sub]) => [name, arbitraryOf(sub)]));
  return fc.record(model, { requiredKeys: (schema['required'] as string[]) ?? [], noNullPrototype: true });
}

export type Mutation = { readonly what: string; readonly path: string; readonly value: unknown };

/** Every way to spoil a valid value at each of its declared fields, with the path that must be named. */
export function mutations(schema: Schema, value: unknown): Mutation[] {
  return spoil(schema, value, '', (changed) => changed);
}

function spoil(
  schema: Schema,
  value: unknown,
  path: string,
  rebuild: (changed: unknown) => unknown,
): Mutation[] {
  const found: Mutation[] = [];
  const wrong = wrongType(schema);
  if (path !== '' && wrong !== undefined) found.push({ what: 'wrong type', path, value: rebuild(wrong) });
  if (schema['type'] === 'number' || schema['type'] === 'integer')
    found.push({ what: 'NaN', path, value: rebuild(Number.NaN) });
  if (typeof schema['minimum'] === 'number')
    found.push({ what: 'below minimum', path, value: rebuild((schema['minimum'] as number) - 1) });
  if (Array.isArray(schema['enum']))
    found.push({ what: 'not in enum', path, value: rebuild('no-such-choice') });
  if (schema['pattern']) found.push({ what: 'pattern', path, value: rebuild('\n not this ') });
  if (typeof schema['maxLength'] === 'number')
    found.push({ what: 'too long', path, value: rebuild('x'.repeat((schema['maxLength'] as number) + 1)) });
  if (schema['type'] === 'object' && schema['properties'])
    found.push(...spoilObject(schema, value as Record<string, unknown>, path, rebuild));
  return found;
}

function spoilObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: string,
  rebuild: (changed: unknown) => unknown,
): Mutation[] {
  const found: Mutation[] = [
    { what: 'unknown field', path: `${path}/zz_unknown`, value: rebuild({ ...value, zz_unknown: 1 }) },
  ];
  for (const name of (schema['required'] as string[]) ?? []) {
    const { [name]: _, ...rest } = value;
    found.push({ what: 'missing', path: `${path}/${name}`, value: rebuild(rest) });
  }
  for (const [name, sub] of Object.entries(schema['properties'] as Record<string, Schema>)) {
    if (name in value)
      found.push(
        ...spoil(sub, value[name], `${path}/${name}`, (changed) => rebuild({ ...value, [name]: changed })),
      );
  }
  return found;
}

function wrongType(schema: Schema): unknown {
  if ('const' in schema || Array.isArray(schema['enum'])) return 4711;
  const type = schema['type'];
  if (type === 'string') return 4711;
  if (type === 'boolean') return 'true';
  // What a coercing validator would let through.
  if (type === 'number' || type === 'integer') return '15';
  if (type === 'array' || type === 'object') return 'text';
  return undefined;
}
