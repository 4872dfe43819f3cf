import { pictureTool } from '../../apps/turtlebot-maze/agent-tools.ts';
import { ForesightHarness } from '../../apps/turtlebot-maze/foresight.ts';
import { application as maze } from '../../apps/turtlebot-maze/index.ts';
import type { Application, BlobStore, CellContext, Harness, PolicyHook, Tool } from '../../contract/core.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { foresightTools } from '../runtime/tools/foresight-tools.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

const MAZE = maze.name;

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

/** The maze application with what it looks ahead by; the others as they are. */
export function withForesight(
  apps: readonly Application[],
  { config: { cosmos } }: Settings,
): readonly Application[] {
  if (!cosmos.maze) return apps;
  return apps.map((app) => {
    if (app.name !== MAZE || !app.agent) return app;
    const tools = [...app.agent.tools, 'world.*', 'robot.look'];
    return { ...app, agent: { ...app.agent, tools }, tools: [...(app.tools ?? []), pictureTool] };
  });
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
    app.name === MAZE ? new ForesightHarness({ candidates, otherwise: make(app) }) : make(app);
  return { flow: first(made.flow), pi: first(made.pi) };
}
