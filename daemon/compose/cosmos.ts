import type { Application, BlobStore, CellContext, Harness, PolicyHook, Tool } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { foresightTools } from '../runtime/tools/foresight-tools.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** Services that imagine and judge, as tools; none where none is configured. Clients are loaded only then. */
export async function makeForesight(
  { config: { cosmos: keys } }: Settings,
  { clock, emit }: Pick<CellContext, 'clock' | 'emit'>,
  { blobs, hooks }: { readonly blobs: BlobStore; readonly hooks: readonly PolicyHook[] },
): Promise<readonly Tool[]> {
  if (keys.predict_url === '' && keys.transfer_url === '' && keys.reason_url === '') return [];
  const { CosmosPredict, CosmosReason, CosmosTransfer } = await import('../../adapters/cosmos/index.ts');
  const apiKey = readSecret(keys.key_file, 'cosmos.key_file', process.env);
  const generation = {
    resolution: keys.resolution,
    frames: keys.frames,
    fps: keys.fps,
    steps: keys.steps,
  };
  const of = (name: string, url: string) => ({ name, url, apiKey, clock });
  const urls: Readonly<Record<string, string>> = {
    'cosmos.predict': keys.predict_url,
    'cosmos.transfer': keys.transfer_url,
    'cosmos.reason': keys.reason_url,
  };
  const gate = new PolicyGate(hooks, clock);
  return foresightTools({
    predictor:
      keys.predict_url === '' ? undefined : new CosmosPredict(of('predict', keys.predict_url), generation),
    transfer:
      keys.transfer_url === ''
        ? undefined
        : new CosmosTransfer(of('transfer', keys.transfer_url), generation),
    reasoner: keys.reason_url === '' ? undefined : new CosmosReason(of('reason', keys.reason_url)),
    blobs,
    times: {
      predictMs: keys.predict_timeout,
      transferMs: keys.transfer_timeout,
      reasonMs: keys.reason_timeout,
    },
    egress: async ({ intent, runId }, subject, facts) => {
      // Not under the run: its record is of what it decided, and a replay sends nothing anywhere.
      const { refusal, events } = await gate.ask({
        ...{ point: 'egress', subject, context: intent.policy_ctx, runId },
        facts: { ...facts, url: urls[subject] ?? '' },
        about: { intent: intent.type },
      });
      if (events.length > 0) await emit(events);
      if (refusal) throw refusal;
    },
  });
}

/** An application that looks ahead, with what it does that by; every other as it is. */
export function withForesight(
  app: Application,
  { config: { cosmos } }: { readonly config: Pick<Config, 'cosmos'> },
): Application {
  const { foresight, agent } = app;
  if (!cosmos.maze || !foresight || !agent) return app;
  const tools = [...(app.tools ?? []), ...foresight.tools];
  return { ...app, agent: { ...agent, tools: [...agent.tools, ...foresight.patterns] }, tools };
}

type Harnesses = {
  readonly flow: (app: Application) => Harness;
  readonly pi: (app: Application) => Harness;
};

/** Harnesses of applications: foresight first, where it is wanted; what it would be without it stands by. */
export function foresightHarnesses({ config: { cosmos } }: Settings, made: Harnesses): Harnesses {
  if (!cosmos.maze) return made;
  const { candidates } = cosmos;
  const first = (make: (app: Application) => Harness) => (app: Application) =>
    app.foresight ? app.foresight.harness({ candidates, otherwise: make(app) }) : make(app);
  return { flow: first(made.flow), pi: first(made.pi) };
}
