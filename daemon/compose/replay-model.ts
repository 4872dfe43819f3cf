import { randomBytes } from 'node:crypto';
import { IdSource, toMs } from '../../contract/core.ts';
import type { ModelsOfRun } from '../runtime/attempt/active-run.ts';
import type { PolicyGate } from '../runtime/law/policy-gate.ts';
import { ModelRouter } from '../runtime/models/model-router.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { notSupported } from '../runtime/replay/swap-run.ts';
import type { Settings } from '../settings.ts';
import { modelSpec } from './models.ts';

export type LiveModel = {
  readonly models: (hooks: PolicyGate) => ModelsOfRun;
  close(): Promise<void>;
};

/** One model of the configuration, asked live and alone. Throws `run.not_supported` for a name that is not configured. */
export async function liveModel(
  { config, dataDir }: Settings,
  { host, blobs }: ReplayParts,
  name: string,
): Promise<LiveModel> {
  const row = config.models.find((one) => one.name === name);
  if (!row) {
    const known = config.models.map((one) => one.name).join(', ');
    throw notSupported(
      `there is no model ${name} in the configuration`,
      known === '' ? 'models are configured as [[models]]' : `models: ${known}`,
    );
  }
  const spec = await modelSpec(row, host, dataDir);
  let router: ModelRouter | undefined;
  return {
    models: (hooks) => {
      router = new ModelRouter({
        models: [spec],
        hooks,
        clock: host,
        ids: new IdSource(() => toMs(host.now()), randomBytes),
        blobs,
        budget: undefined,
        cacheBytes: 0,
        healthEveryMs: 0,
        emit: async () => {},
        report: () => {},
      });
      return router.forRun;
    },
    close: async () => {
      await (router?.stop() ?? spec.model.close());
    },
  };
}
