import type { ModelInfo, ModelNeed } from './ports/language-model.ts';

/** Why a model does not meet a need; undefined: it does. What one call needs beside it is judged by the router. */
export function unmet(info: ModelInfo, need: ModelNeed): string | undefined {
  const { prefer = [], only = false, vision, tools, context = 0, costMax } = need;
  if (only && !prefer.includes(info.name)) return 'not asked for';
  if (vision && !info.vision) return 'it sees no images';
  if (tools && !info.tools) return 'it calls no tools';
  if (context > info.context) return `its context of ${info.context} tokens is too small`;
  if (costMax !== undefined && info.costOut > costMax) return `it costs ${info.costOut} $ per million tokens`;
  return undefined;
}

/** What an application asks for and this configuration does not have. */
export type MissingModels = {
  /** Preferred names that are not configured. */
  readonly names: readonly string[];
  /** No configured model may answer: an agent of it fails. Otherwise others answer in the place of `names`. */
  readonly blocking: boolean;
  /** In words, for people. */
  readonly reason: string;
  /** A command that adds what is missing. */
  readonly fix: string;
};

/** What is missing of the models that an application asks for; undefined: nothing is. Pure. */
export function missingModels(
  need: ModelNeed | undefined,
  models: readonly ModelInfo[],
): MissingModels | undefined {
  const asked = { tools: true, ...need };
  const { prefer = [], vision = false, context = 0 } = asked;
  const names = prefer.filter((wanted) => !models.some(({ name }) => name === wanted));
  const faults = models.map((info) => ({ name: info.name, why: unmet(info, asked) }));
  const blocking = faults.every(({ why }) => why !== undefined);
  if (!blocking && names.length === 0) return undefined;
  const wants = [vision ? 'images' : '', context > 0 ? `a context of ${context} tokens` : '', 'tools']
    .filter((word) => word !== '')
    .join(', ');
  const unfit = faults.flatMap(({ name, why }) => (why === undefined ? [] : [`${name}: ${why}`]));
  const reason = !blocking
    ? `it prefers ${names.join(', ')}, not configured; others answer instead`
    : models.length === 0
      ? 'no model is configured'
      : `no configured model fits (wanted: ${wants}): ${unfit.join('; ')}`;
  // A model of that name, else any that fits: which provider has it is for the user to say.
  const [first] = names;
  const named = first === undefined ? '' : ` --name ${first}`;
  const fix =
    named === '' && !vision && context === 0
      ? 'auraison models add local'
      : `auraison models add PROVIDER${named}`;
  return { names, blocking, reason, fix };
}
