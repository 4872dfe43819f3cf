import { type AppManifest, type AppPackage, closedParams } from '../../../contract/apps/index.ts';
import {
  type AgentDefinition,
  type AppFault,
  type Application,
  durationMs,
  type IntentSpec,
  type ModelNeed,
  Type,
} from '../../../contract/index.ts';
import { compileTree } from '../trees/compile-tree.ts';
import { compileFlow } from './compile-flow.ts';
import { loopFaults, loopOf } from './loop-of.ts';
import { intentPhraseFaults, phrasesOf } from './phrases-of.ts';
import { filled, referencesIn } from './references.ts';
import { scheduleFaults, schedulesOf } from './schedules-of.ts';
import { webhookFaults, webhooksOf } from './webhooks-of.ts';

/** Of a package that sets none, milliseconds. */
const DEADLINE_MS = 60 * 60 * 1_000;
const TURNS_MAX = 200;
/** How long a run waits for its foreign runtime where its package says nothing, milliseconds. */
const LOST_MS = 60_000;

export type MadeApplication =
  | { readonly ok: true; readonly app: Application }
  | { readonly ok: false; readonly faults: readonly (AppFault & { readonly path?: readonly string[] })[] };

/**
 * The application that a package describes. `folder`: where its files lie, for its skills and extensions. Pure: its
 * files were checked before, and this finds what only the whole can show, such as a step whose tool is not named.
 */
export function applicationOf(pkg: AppPackage, folder: string): MadeApplication {
  const { manifest } = pkg;
  const { name, version, description, harness, intents, tools = [], deadline, sharing, budget } = manifest;
  const deadlineMs = deadline === undefined ? DEADLINE_MS : durationMs(deadline);
  const defaults = defaultsOf(manifest);
  if (typeof defaults === 'string')
    return { ok: false, faults: [{ file: 'app.toml', key: 'intents', problem: defaults }] };
  const params = paramNames(manifest);
  const parts = { name, tools, defaults, params, deadlineMs, isFallback: harness !== 'flow' };
  const written = pkg.flow && compileFlow(pkg.flow, parts);
  const tree = pkg.tree && compileTree(pkg.tree, parts);
  const flow = written?.ok ? written.flow : tree?.ok ? tree.flow : undefined;
  const faults = [
    ...(written?.ok === false ? written.faults.map((fault) => ({ file: pkg.flowPath, ...fault })) : []),
    ...(tree?.ok === false ? tree.faults.map((fault) => ({ file: pkg.flowPath, ...fault })) : []),
    ...(deadlineMs > 0 ? [] : [{ file: 'app.toml', key: 'deadline', problem: 'is longer than nothing' }]),
    ...promptFaults(manifest, params),
    ...intentPhraseFaults(manifest),
    ...scheduleFaults(manifest),
    ...loopFaults(manifest),
    ...webhookFaults(manifest),
  ];
  if (faults.length > 0) return { ok: false, faults };
  return {
    ok: true,
    app: {
      ...{ name, version, description, harness, deadlineMs, folder },
      afterCut: manifest.after_cut ?? 'resume',
      intents: intents.map(specOf),
      ...(flow ? { flow } : {}),
      ...wayOf(manifest, pkg.instructions, defaults),
      ...(sharing ? { sharing: sharingOf(sharing) } : {}),
      ...(budget ? { budget } : {}),
      ...(manifest.loop ? { loop: loopOf(manifest.loop) } : {}),
      ...(manifest.schedule ? { schedules: schedulesOf(manifest) } : {}),
      ...policiesOf(pkg),
      ...(manifest.webhook ? { webhooks: webhooksOf(manifest) } : {}),
      digest: pkg.digest,
    },
  };
}

/** An agent of this daemon, one of a foreign runtime, or neither. */
function wayOf(
  manifest: AppManifest,
  instructions: string | undefined,
  defaults: Readonly<Record<string, unknown>>,
): Pick<Application, 'agent' | 'remote'> {
  const { remote, harness, name, tools = [] } = manifest;
  if (harness === 'remote' && remote) {
    const { runtime, agent = name, lost = 'wait', wait } = remote;
    return {
      remote: {
        ...{ runtime, agent, tools, lost, prompt: promptOf(manifest, defaults) },
        ...(instructions === undefined ? {} : { instructions }),
        waitMs: wait === undefined ? LOST_MS : durationMs(wait),
      },
    };
  }
  return instructions === undefined ? {} : { agent: agentOf(manifest, instructions, defaults) };
}

/** The first words of a run. */
function promptOf({ intents }: AppManifest, defaults: Readonly<Record<string, unknown>>) {
  return (params: Readonly<Record<string, unknown>>, type?: string) => {
    const intent = intents.find((one) => one.type === type) ?? intents[0]!;
    const all = { ...defaults, ...params };
    const words = intent.prompt ?? `${intent.description}\nParameters: ${JSON.stringify(params)}`;
    return String(
      intent.prompt === undefined ? words : filled(` ${words}`, { params: all, steps: {} }),
    ).trim();
  };
}

function agentOf(
  manifest: AppManifest,
  instructions: string,
  defaults: Readonly<Record<string, unknown>>,
): AgentDefinition {
  const { tools = [], model = {}, budget } = manifest;
  const { prefer, only, vision, context } = model;
  const need: ModelNeed = {
    tools: true,
    ...(prefer ? { prefer } : {}),
    ...(only === undefined ? {} : { only }),
    ...(vision === undefined ? {} : { vision }),
    ...(context === undefined ? {} : { context }),
  };
  return {
    instructions,
    prompt: promptOf(manifest, defaults),
    tools,
    need,
    turnsMax: budget?.turns ?? TURNS_MAX,
    toolChoice: model.tool_choice ?? 'auto',
    ...(model.max_tokens === undefined ? {} : { maxTokens: model.max_tokens }),
    ...(model.temperature === undefined ? {} : { temperature: model.temperature }),
  };
}

type IntentRow = AppManifest['intents'][number];

function specOf(row: IntentRow): IntentSpec {
  const { type, description } = row;
  const schema = closedParams({ type: 'object', ...row.params });
  return { type, description, params: Type.Unsafe(schema), ...phrasesOf(row) };
}

function propertiesOf({ params }: IntentRow): Readonly<Record<string, { readonly default?: unknown }>> {
  return (params?.['properties'] ?? {}) as Readonly<Record<string, { readonly default?: unknown }>>;
}

function paramNames({ intents }: AppManifest): ReadonlySet<string> {
  return new Set(intents.flatMap((intent) => Object.keys(propertiesOf(intent))));
}

/** Values of parameters that are not given, or what contradicts itself. */
function defaultsOf({ intents }: AppManifest): Readonly<Record<string, unknown>> | string {
  const found: Record<string, unknown> = {};
  for (const intent of intents) {
    for (const [name, { default: value }] of Object.entries(propertiesOf(intent))) {
      if (value === undefined) continue;
      if (Object.hasOwn(found, name) && JSON.stringify(found[name]) !== JSON.stringify(value))
        return `the parameter ${name} has two defaults; give it one, or two names`;
      found[name] = value;
    }
  }
  return found;
}

function promptFaults({ intents }: AppManifest, params: ReadonlySet<string>): AppFault[] {
  return intents.flatMap(({ prompt }, index) =>
    referencesIn(prompt)
      .filter(([root, name]) => root !== 'params' || name === undefined || !params.has(name))
      .map((parts) => ({
        file: 'app.toml',
        key: `intents[${index + 1}].prompt`,
        problem: `{/${parts.join('/')}} is no parameter of an intent: ${[...params].join(', ') || 'there are none'}`,
      })),
  );
}

function sharingOf({
  runs_max,
  queue_max,
}: NonNullable<AppManifest['sharing']>): NonNullable<Application['sharing']> {
  return {
    ...(runs_max === undefined ? {} : { runsMax: runs_max }),
    ...(queue_max === undefined ? {} : { queueMax: queue_max }),
  };
}

/** `policies/*.cedar`, in the order of their names. */
function policiesOf({ files }: AppPackage): Pick<Application, 'policies'> {
  const policies = files
    .filter(({ path }) => /^policies\/[^/]+\.cedar$/.test(path))
    .map(({ path, bytes }) => ({ file: path, text: new TextDecoder().decode(bytes) }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
  return policies.length === 0 ? {} : { policies };
}
