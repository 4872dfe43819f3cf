/** Answers a server's question to a person without one: with the defaults that it proposes, if they are complete. */
export function proposedDefaults(
  params: unknown,
): { action: 'accept'; content: Record<string, Value> } | { action: 'decline' } {
  const { requestedSchema } = (params ?? {}) as {
    requestedSchema?: { properties?: unknown; required?: unknown };
  };
  const properties = requestedSchema?.properties;
  if (typeof properties !== 'object' || properties === null) return { action: 'decline' };
  const content: Record<string, Value> = {};
  for (const [name, property] of Object.entries(properties as Record<string, { default?: unknown }>)) {
    const value = property?.default;
    if (isValue(value)) content[name] = value;
  }
  const required = Array.isArray(requestedSchema?.required) ? requestedSchema.required : [];
  const complete = required.every((name) => typeof name === 'string' && Object.hasOwn(content, name));
  return complete ? { action: 'accept', content } : { action: 'decline' };
}

type Value = string | number | boolean | string[];

function isValue(value: unknown): value is Value {
  if (Array.isArray(value)) return value.every((one) => typeof one === 'string');
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}
