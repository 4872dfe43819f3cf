import { randomBytes } from 'node:crypto';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import type { CellContext, ChatApi, IdSource } from '../../contract/core.ts';
import type { RuntimeCell } from '../runtime/runtime-cell.ts';
import { WebhookDesk } from '../runtime/webhook/webhook-desk.ts';
import { webhookKey } from '../runtime/webhook/webhook-signature.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** Signed messages of other systems, for the webhooks that the configuration names; undefined: it names none. */
export async function makeWebhooks(
  { config, dataDir }: Settings,
  { clock, report }: CellContext,
  parts: {
    readonly runtime: Pick<RuntimeCell, 'append' | 'submit' | 'apps'>;
    readonly chat: ChatApi;
    readonly ids: IdSource;
  },
): Promise<WebhookDesk | undefined> {
  const { webhooks } = config.apps;
  if (webhooks.length === 0) return undefined;
  const secrets = new FileSecrets(dataDir, String(process.pid));
  const rights = await Promise.all(
    webhooks.map(async ({ name, secret_file, roles, per_minute }) => {
      const secret =
        readSecret(secret_file, `apps.webhooks: ${name}`, process.env) ??
        (await secrets.readOrCreate(`webhook-${name}`, () => `whsec_${randomBytes(32).toString('base64')}`));
      return { name, keys: [webhookKey(secret)], roles, perMinute: per_minute };
    }),
  );
  const { runtime, chat, ids } = parts;
  return new WebhookDesk({
    ...{ clock, ids, chat, rights, tenant: config.intents.tenant },
    apps: () => runtime.apps.serving(),
    submit: (request, who) => runtime.submit(request, who),
    append: (events) => runtime.append(events),
    report: (message, facts) => report('warn', message, facts),
  });
}
