import { type BlobStore, IdSource, type LanguageModel, toMs } from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { ModelRouter } from '../../daemon/runtime/models/model-router.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** One model behind the router, so that the log has its calls and answers. */
export function modelsOf(
  model: LanguageModel,
  blobs: BlobStore,
  clock = new ManualClock(),
  hooks = new PolicyGate([], clock),
): ModelsOfRun {
  let counter = 0;
  return new ModelRouter({
    models: [{ model, kind: 'openai', url: 'http://scripted', places: 4, queueMs: 1_000, wake: false }],
    hooks,
    clock,
    ids: new IdSource(
      () => toMs(clock.now()),
      (length) => new Uint8Array(length).fill(++counter),
    ),
    blobs,
    budget: undefined,
    cacheBytes: 0,
    healthEveryMs: 0,
    emit: async () => {},
    report: () => {},
  }).forRun;
}
