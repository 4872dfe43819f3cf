import type { ModelsOfRun } from '../runtime/active-run.ts';
import type { PolicyGate } from '../runtime/policy-gate.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import type { Settings } from '../settings.ts';
import { notSupported } from './replay-faults.ts';

export type LiveModel = {
  readonly models: (hooks: PolicyGate) => ModelsOfRun;
  close(): Promise<void>;
};

/** One model of the configuration, asked live. Throws `run.not_supported` for a name that is not configured. */
export async function liveModel(_settings: Settings, _parts: ReplayParts, name: string): Promise<LiveModel> {
  throw notSupported(`there is no model ${name} in the configuration`, 'models are configured as [[models]]');
}
