import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { missingFor, modelSpec } from '../../daemon/compose/models.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';

/** Whether the configured models can be reached from here, by asking each server. */
export async function checkModels(settings: Settings): Promise<Check> {
  const { config, dataDir } = settings;
  const lacks = await lacking(settings);
  const worst = lacks.find(({ blocking }) => blocking) ?? lacks[0];
  if (config.models.length === 0 && worst === undefined) {
    return {
      name: 'models',
      state: 'absent',
      detail: 'no [[models]]: agents need one, flows do not',
      fix: 'auraison models add local, or another: docs/models.md',
    };
  }
  const told = await Promise.all(
    config.models.map(async (row) => {
      try {
        const { model } = await modelSpec(row, new SystemClock(), dataDir);
        const { ok, reason } = await model.health();
        await model.close();
        return { ok, text: ok ? `${row.name} answers` : `${row.name}: ${reason}` };
      } catch (thrown) {
        return { ok: false, text: `${row.name}: ${(thrown as Error).message}` };
      }
    }),
  );
  // One that answers is enough.
  const some = told.some(({ ok }) => ok);
  const good = some && !lacks.some(({ blocking }) => blocking);
  const server = 'start a server, or fix url and api_key_file of [[models]]: docs/models.md';
  return {
    name: 'models',
    state: good ? 'ok' : 'bad',
    detail: [...told.map(({ text }) => text), ...lacks.map(({ text }) => text)].join('; '),
    fix: worst?.fix ?? (some ? '' : server),
  };
}

type Lack = { readonly text: string; readonly blocking: boolean; readonly fix: string };

/** Applications that ask for a model which is not configured. */
async function lacking(settings: Settings): Promise<readonly Lack[]> {
  // Every application is loaded for it: only where the doctor asks.
  const { usableApps } = await import('../../daemon/compose/package-reader.ts');
  return usableApps(settings).flatMap((app) => {
    const lack = missingFor(app, settings.config);
    if (lack === undefined) return [];
    return [{ text: `${app.name}: ${lack.reason}`, blocking: lack.blocking, fix: lack.fix }];
  });
}
