import { IdSource, type LanguageModel, type NewEvent, type PolicyHook } from '../../contract/index.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import type { ModelSpec } from '../../daemon/runtime/models/model-entry.ts';
import { ModelRouter, type RouterOptions } from '../../daemon/runtime/models/model-router.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { PERSON } from './runtime-rig.ts';
import { effectsApp } from './test-apps.ts';

export type ModelRig = {
  readonly clock: ManualClock;
  readonly router: ModelRouter;
  /** Of runs and of the cell, in the order in which they became durable. */
  readonly events: NewEvent[];
  /** Where the log of the run takes its time, or refuses. */
  log: () => Promise<void>;
  run(runId?: string, abort?: AbortController): LanguageModel;
  of(kind: string): Record<string, unknown>[];
};

/** A router over these models with everything around it in memory. */
export function modelRig(
  models: readonly LanguageModel[],
  more: Partial<RouterOptions> & {
    readonly hookList?: readonly PolicyHook[];
    readonly spec?: Partial<ModelSpec>;
  } = {},
): ModelRig {
  const { hookList = [], spec = {}, ...options } = more;
  const clock = new ManualClock();
  const events: NewEvent[] = [];
  const emit = async (fresh: readonly NewEvent[]) => {
    await rig.log();
    events.push(...fresh);
  };
  let counter = 0;
  const router = new ModelRouter({
    models: models.map((model) => ({
      model,
      kind: 'openai',
      url: 'http://x',
      places: 4,
      queueMs: 5_000,
      wake: false,
      ...spec,
    })),
    hooks: new PolicyGate(hookList, clock),
    clock,
    ids: new IdSource(
      () => 1_700_000_000_000,
      (length) => new Uint8Array(length).fill(++counter % 251),
    ),
    blobs: undefined,
    budget: undefined,
    cacheBytes: 1_000_000,
    healthEveryMs: 0,
    emit,
    report: () => {},
    ...options,
  });
  const intent = {
    intent_id: '018bcfe5-6800-7000-8000-000000000001',
    type: 'test/run',
    params: {},
    policy_ctx: PERSON,
    targets: [],
    priority: 5,
  };
  const rig: ModelRig = {
    clock,
    router,
    events,
    log: async () => {},
    run: (runId = 'run-1', abort = new AbortController()) =>
      router.forRun({ runId, intent, app: effectsApp(), signal: abort.signal, emit })!,
    of: (kind) =>
      events.filter((event) => event.kind === kind).map(({ payload }) => payload as Record<string, unknown>),
  };
  return rig;
}
