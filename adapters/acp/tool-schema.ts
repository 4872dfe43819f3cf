type Json = Readonly<Record<string, unknown>>;
type Branch = { readonly properties?: Json; readonly required?: readonly string[] };

/**
 * A schema of a tool as models and MCP take it: one object. Branches (`anyOf`) become one object whose fields are those of
 * all branches, required where every branch requires them; the daemon checks the branches. Pure.
 */
export function objectSchema(schema: Json): Json {
  const branches = (schema['anyOf'] ?? schema['oneOf']) as readonly Branch[] | undefined;
  if (!branches) return { type: 'object', ...schema };
  const properties: Record<string, unknown> = {};
  for (const branch of branches)
    for (const [name, field] of Object.entries(branch.properties ?? {}))
      properties[name] = name in properties ? joined(properties[name] as Json, field as Json) : field;
  const [first, ...rest] = branches.map(({ required = [] }) => required);
  const required = (first ?? []).filter((name) => rest.every((names) => names.includes(name)));
  const ways = branches.map(wayOf).join('; or ');
  return {
    type: 'object',
    ...{ properties, required, additionalProperties: false },
    description: [schema['description'], `Fields: ${ways}`].filter(Boolean).join(' '),
  };
}

/** Two forms of one field: constants become a choice, anything else keeps its first form. */
function joined(one: Json, other: Json): Json {
  const values = [one, other].flatMap((field) =>
    'const' in field ? [field['const']] : ((field['enum'] as unknown[] | undefined) ?? []),
  );
  if (values.length < 2) return one;
  const { const: _, ...rest } = one;
  return { ...rest, enum: [...new Set(values)] };
}

function wayOf({ properties = {}, required = [] }: Branch): string {
  return Object.entries(properties)
    .map(([name, field]) => {
      const value = (field as Json)['const'];
      const shown = value === undefined ? name : `${name} = ${JSON.stringify(value)}`;
      return required.includes(name) ? shown : `${shown} (optional)`;
    })
    .join(', ');
}
