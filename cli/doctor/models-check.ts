import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { modelSpec } from '../../daemon/compose/models.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';

/** Whether the configured models can be reached from here, by asking each server. */
export async function checkModels({ config, dataDir }: Settings): Promise<Check> {
  if (config.models.length === 0) {
    return {
      name: 'models',
      state: 'absent',
      detail: 'no [[models]]: agents need one, flows do not',
      fix: 'docs/models.md',
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
  return {
    name: 'models',
    state: some ? 'ok' : 'bad',
    detail: told.map(({ text }) => text).join('; '),
    fix: some ? '' : 'start a server, or fix url and api_key_file of [[models]]: docs/models.md',
  };
}
