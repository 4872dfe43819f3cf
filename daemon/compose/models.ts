import { createHash, randomBytes } from 'node:crypto';
import {
  type Application,
  type BlobStore,
  type Budget,
  type CellContext,
  type ConfigChange,
  canonicalJson,
  EdgeError,
  type IdSource,
  type LanguageModel,
  type MissingModels,
  missingModels,
  type PolicyHook,
  TOPICS,
} from '../../contract/core.ts';
import { isLocalModel, modelInfo, modelUrl } from '../config/model-facts.ts';
import type { ModelRow } from '../config/models.ts';
import type { Config } from '../config.ts';
import { loginsFile } from '../paths.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { EngineShelf } from '../runtime/models/engine-shelf.ts';
import { LiveModels, type ModelsPlan } from '../runtime/models/live-models.ts';
import type { ModelSpec } from '../runtime/models/model-entry.ts';
import { ModelRouter } from '../runtime/models/model-router.ts';
import type { ShedGate } from '../runtime/models/shed-gate.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { makeEngine } from './engine.ts';

export type ModelParts = {
  readonly ids: IdSource;
  readonly hooks: readonly PolicyHook[];
  readonly blobs: BlobStore | undefined;
  readonly budget: Budget | undefined;
  /** Where models on this host give way to the control loops. */
  readonly shed?: ShedGate;
};

/** Steps of an engine are short where answers are to be quick; elsewhere one may read a long prompt. Milliseconds. */
const HANG_MS = { low: 600, any: 10_000 } as const;

/** Loading weights back takes its time, milliseconds. */
const WAKE_MS = 120_000;

export type Models = {
  readonly router: ModelRouter;
  readonly engine: EngineShelf;
  start(): void;
  stop(): Promise<void>;
};

/**
 * The models of the configuration behind one router, and the server that this daemon runs for one of them. Both take a
 * changed configuration while they run. Clients are loaded only where a model needs them.
 */
export async function makeModels(
  { config, dataDir }: Settings,
  context: CellContext,
  { ids, hooks, blobs, budget, shed }: ModelParts,
): Promise<Models> {
  const { clock, emit, report, bus } = context;
  const engine = new EngineShelf();
  const router = new ModelRouter({
    models: [],
    hooks: new PolicyGate(hooks, clock),
    clock,
    ids,
    blobs,
    budget,
    ...(shed ? { shed } : {}),
    cacheBytes: config.model.cache,
    healthEveryMs: config.model.health_every,
    emit,
    report: (message, facts) => report('warn', message, facts),
  });
  const live = new LiveModels(router, engine);
  await live.take(planOf(config, dataDir, context, engine));
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    const changed = (body as ConfigChange).config as Config;
    live.take(planOf(changed, dataDir, context, engine)).catch((thrown: unknown) => {
      const error = EdgeError.from(thrown, 'config.invalid', 'load models', 'models').toBody();
      report('error', 'the models of the configuration were not taken; the former ones stay in use', {
        error,
      });
    });
  });
  return { router, engine, start: () => live.start(), stop: () => live.stop() };
}

function planOf(config: Config, dataDir: string, context: CellContext, engine: EngineShelf): ModelsPlan {
  const served = config.models.find(({ name }) => name === config.engine.model_name);
  const engineKey = served ? canonicalJson([config.engine, served.model]) : '';
  return {
    engine: { key: engineKey, make: () => makeEngine({ config, dataDir }, context) },
    models: () =>
      config.models.map((row) => ({
        name: row.name,
        key: canonicalJson([row, secretDigest(row), row === served ? engineKey : '']),
        make: async () => {
          const spec = await modelSpec(row, context.clock, dataDir);
          return { ...spec, model: engine.wrap(spec.model) };
        },
      })),
  };
}

/** A key that was replaced in its file is another key. */
function secretDigest(row: ModelRow): string {
  return createHash('sha256')
    .update(keyOf(row) ?? '')
    .digest('hex');
}

/** One model, on its own: for the runtime, and for `auraison doctor`. */
export async function modelSpec(
  row: ModelRow,
  clock: CellContext['clock'],
  dataDir: string,
): Promise<ModelSpec> {
  const model = row.kind === 'pi' ? await piModel(row, clock, dataDir) : await openAiModel(row, clock);
  const { kind, concurrency: places, queue: queueMs, wake } = row;
  return { model, kind, url: modelUrl(row), places, queueMs, wake, local: isLocalModel(row) };
}

async function openAiModel(row: ModelRow, clock: CellContext['clock']): Promise<LanguageModel> {
  const { OpenAiModel } = await import('../../adapters/vllm/index.ts');
  return new OpenAiModel({
    info: modelInfo(row),
    url: row.url,
    apiKey: keyOf(row),
    jsonMode: row.json_mode,
    probe: row.probe,
    times: {
      silenceMs: row.silence,
      probeMs: row.probe_timeout,
      firstTokenMs: row.first_token,
      stallMs: row.stall,
      hangMs: row.hang > 0 ? row.hang : HANG_MS[row.latency],
      callMs: row.timeout,
      wakeMs: WAKE_MS,
    },
    clock,
    random: (length) => randomBytes(length),
  });
}

async function piModel(row: ModelRow, clock: CellContext['clock'], dataDir: string): Promise<LanguageModel> {
  const { PiProviderModel } = await import('../../adapters/pi/provider-model.ts');
  return new PiProviderModel({
    info: modelInfo(row),
    provider: row.provider,
    apiKey: keyOf(row),
    env: Object.fromEntries(row.provider_env.map((entry) => splitOnce(entry))),
    credentials: loginsFile(dataDir),
    ...(row.url === '' ? {} : { url: row.url }),
    clock,
    firstTokenMs: row.first_token,
    stallMs: row.stall,
  });
}

function splitOnce(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), entry.slice(at + 1)];
}

function keyOf({ api_key_file: file, name }: ModelRow): string | undefined {
  return readSecret(file, `models.${name}.api_key_file`, process.env);
}

/** What this configuration does not have of the models that an application's agent asks for. */
export function missingFor(
  { harness, agent }: Pick<Application, 'harness' | 'agent'>,
  { models }: Pick<Config, 'models'>,
): MissingModels | undefined {
  return harness === 'pi' ? missingModels(agent?.need, models.map(modelInfo)) : undefined;
}
