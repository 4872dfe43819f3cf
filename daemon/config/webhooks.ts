import { integer, type KeySpec, namedOnce, type RowOf, tables, text, texts } from './spec.ts';
import { rowReader } from './zenoh-rules.ts';

/** Keys of one row of `[[apps.webhooks]]`. */
const WEBHOOK_KEYS = {
  name: text('', 'webhook of a package that takes messages here: APP.NAME', {
    match: /^[a-z][a-z0-9-]{0,47}\.[a-z0-9][a-z0-9_-]{0,31}$/,
    expected:
      'the name of an application, a dot and the name of its [[webhook]], for example "patrol.orders"',
  }),
  secret_file: text(
    '',
    'its secret: a path, or credential:NAME; empty: made in the data directory as webhook-NAME',
  ),
  roles: texts([], 'roles of the intents that it gives', {
    match: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
    expected: 'names of roles, for example ["operator"]',
  }),
  per_minute: integer(60, 'messages that it takes within a minute', { min: 1, max: 10_000 }),
} as const;
export type WebhookRow = RowOf<typeof WEBHOOK_KEYS>;

const read = rowReader(WEBHOOK_KEYS);
const ROWS_MAX = 64;

/** Webhooks of packages are off until they stand here. */
export function webhookRows(): KeySpec<readonly WebhookRow[]> {
  const spec = tables<WebhookRow>('webhooks of packages that take messages: [[apps.webhooks]]', (row) => {
    const result = read(row);
    return result.ok && result.value.name === '' ? { ok: false, expected: 'name = a name' } : result;
  });
  return namedOnce(spec, ROWS_MAX, 'webhooks');
}
