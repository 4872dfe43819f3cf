import { CONTROLLER_ROW_KEYS } from './controllers.ts';
import { CONFIG_SPEC } from './keys.ts';
import { MODEL_ROW_KEYS } from './models.ts';
import { POLICY_ROW_KEYS } from './policies.ts';
import { ROUTE_KEYS } from './routes.ts';
import { SANDBOX_ROW_KEYS } from './sandboxes.ts';
import type { JsonSchema, KeySpec } from './spec.ts';

type Keys = Readonly<Record<string, KeySpec<unknown>>>;

/**
 * JSON Schema of the configuration file, for editors: keys with their meaning, units, choices and limits. It refuses nothing that
 * `readConfig` takes. What keys must agree on is checked by `auraison config check`.
 */
export function configSchema(): JsonSchema {
  const sections = Object.entries(CONFIG_SPEC as Readonly<Record<string, Keys>>).map(
    ([name, keys]) => [name, tableOf(keys)] as const,
  );
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Auraison Edge',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(sections),
      routes: rowsOf(ROUTE_KEYS),
      schedules: { type: 'array', items: { type: 'object' } },
      models: rowsOf(MODEL_ROW_KEYS),
      policies: rowsOf(POLICY_ROW_KEYS),
      controllers: rowsOf(CONTROLLER_ROW_KEYS),
      sandboxes: rowsOf(SANDBOX_ROW_KEYS),
    },
  };
}

const rowsOf = (keys: Keys): JsonSchema => ({ type: 'array', items: tableOf(keys) });

function tableOf(keys: Keys): JsonSchema {
  const properties = Object.entries(keys).map(([key, { schema, about, fallback, kind }]) => {
    // Quantities are numbers once they are read: a default is shown as it is written.
    const isPlain = ['text', 'choice', 'integer', 'number', 'flag', 'texts'].includes(kind);
    return [key, { ...schema, description: about, ...(isPlain ? { default: fallback } : {}) }] as const;
  });
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}
