import { randomBytes } from 'node:crypto';
import type {
  BlobStore,
  Budget,
  CellContext,
  IdSource,
  LanguageModel,
  ModelInfo,
  PolicyHook,
} from '../../contract/core.ts';
import type { ModelRow } from '../config/models.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import type { ModelSpec } from '../runtime/models/model-entry.ts';
import { ModelRouter } from '../runtime/models/model-router.ts';
import type { ShedGate } from '../runtime/models/shed-gate.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

export type ModelParts = {
  readonly ids: IdSource;
  readonly hooks: readonly PolicyHook[];
  readonly blobs: BlobStore | undefined;
  readonly budget: Budget | undefined;
  /** Models that this daemon serves itself, behind their engine. */
  readonly wrap?: (model: LanguageModel) => LanguageModel;
  /** Where models on this host give way to the control loops. */
  readonly shed?: ShedGate;
};

/** Steps of an engine are short where answers are to be quick; elsewhere one may read a long prompt. Milliseconds. */
const HANG_MS = { low: 600, any: 10_000 } as const;

/** Loading weights back takes its time, milliseconds. */
const WAKE_MS = 120_000;

/** The models of the configuration behind one router. Clients are loaded only where a model needs them. */
export async function makeModels(
  { config }: Settings,
  { clock, emit, report }: CellContext,
  { ids, hooks, blobs, budget, shed, wrap = (model) => model }: ModelParts,
): Promise<ModelRouter> {
  const specs = await Promise.all(config.models.map((row) => modelSpec(row, clock)));
  const models = specs.map((spec) => ({ ...spec, model: wrap(spec.model) }));
  return new ModelRouter({
    models,
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
}

/** One model, on its own: for the runtime, and for `auraison doctor`. */
export async function modelSpec(row: ModelRow, clock: CellContext['clock']): Promise<ModelSpec> {
  const model = row.kind === 'pi' ? await piModel(row, clock) : await openAiModel(row, clock);
  const url = row.kind === 'pi' ? row.url || `${row.provider}:` : row.url;
  const { kind, concurrency: places, queue: queueMs, wake } = row;
  return { model, kind, url, places, queueMs, wake, local: isLocal(row) };
}

/** Whether it takes its processors from the control loops of this robot. */
function isLocal({ local, url }: ModelRow): boolean {
  if (local !== 'auto') return local === 'yes';
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

async function openAiModel(row: ModelRow, clock: CellContext['clock']): Promise<LanguageModel> {
  const { OpenAiModel } = await import('../../adapters/vllm/index.ts');
  return new OpenAiModel({
    info: infoOf(row),
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

async function piModel(row: ModelRow, clock: CellContext['clock']): Promise<LanguageModel> {
  const { PiProviderModel } = await import('../../adapters/pi/provider-model.ts');
  return new PiProviderModel({
    info: infoOf(row),
    provider: row.provider,
    apiKey: keyOf(row),
    ...(row.url === '' ? {} : { url: row.url }),
    clock,
    firstTokenMs: row.first_token,
    stallMs: row.stall,
  });
}

function keyOf({ api_key_file: file, name }: ModelRow): string | undefined {
  return readSecret(file, `models.${name}.api_key_file`, process.env);
}

function infoOf(row: ModelRow): ModelInfo {
  const { name, model: modelId, vision, tools, context, latency, cost_in: costIn, cost_out: costOut } = row;
  return { name, modelId, vision, tools, context, latency, costIn, costOut };
}
