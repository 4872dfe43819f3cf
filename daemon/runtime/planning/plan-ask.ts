import { EdgeError, plainSchema, SchemaBudget } from '../../../contract/index.ts';
import { type PlanAsk, planAskChecker } from '../../../contract/plan.ts';

/**
 * Words of JSON Schema that a caller may describe its subgoals by. Patterns are not among them: they can be made to run
 * for ever. References within one schema are followed before (`plainSchema`).
 */
const WORDS: ReadonlySet<string> = new Set([
  ...[
    'type',
    'properties',
    'required',
    'additionalProperties',
    'items',
    'minItems',
    'maxItems',
    'enum',
    'const',
  ],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength'],
  ...['minProperties', 'maxProperties', 'anyOf', 'default', 'description', 'title'],
]);
const DEPTH_MAX = 8;
const NODES_MAX = 256;
/** What subgoals may come to while references are followed, all together: a node may stand behind some references. */
const UNFOLDED = { of: 'the plan', partsMax: 4 * NODES_MAX, depthMax: 2 * DEPTH_MAX };

/** What was asked, checked raw, its schemas without references. Throws `schema.invalid` naming what is wrong. */
export function checkedAsk(raw: unknown): PlanAsk {
  const parsed = planAskChecker.parse(raw ?? {}, 'plan');
  // What is refused anyway is not unfolded first.
  const early = wordsFault(parsed);
  const ask = early === undefined ? withPlainSubgoals(parsed) : parsed;
  const fault = early ?? subgoalsFault(ask);
  if (fault === undefined) return ask;
  throw new EdgeError('schema.invalid', { operation: 'check plan', subject: 'plan', message: fault });
}

/** What a schema alone cannot say of it. */
function wordsFault({ goal, plan, dry_run, subgoals, world }: PlanAsk): string | undefined {
  if (goal === undefined && plan === undefined) return '/goal: missing; say what is wanted, or give a plan';
  if (goal !== undefined && goal.trim() === '') return '/goal: empty';
  // Subgoals of another client are words; carried out they would be calls of tools by whatever name.
  if (subgoals && dry_run !== true) return '/subgoals: only of a plan that is not carried out (dry_run)';
  if (world && dry_run !== true) return '/world: only of a plan that is not carried out (dry_run)';
  return undefined;
}

function subgoalsFault({ subgoals }: PlanAsk): string | undefined {
  const count = { nodes: 0 };
  for (const [index, { params }] of (subgoals ?? []).entries()) {
    const fault = schemaFault(params, `/subgoals/${index}/params`, 0, count);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function withPlainSubgoals(ask: PlanAsk): PlanAsk {
  if (!ask.subgoals) return ask;
  const budget = new SchemaBudget(UNFOLDED);
  const subgoals = ask.subgoals.map((one, index) => {
    const params = plainSchema(one.params, `/subgoals/${index}/params`, budget);
    // One that takes anything is, as an object, one without words; one that takes nothing is refused as no schema.
    return { ...one, params: (params === true ? {} : params) as typeof one.params };
  });
  return { ...ask, subgoals };
}

function schemaFault(
  schema: unknown,
  path: string,
  depth: number,
  count: { nodes: number },
): string | undefined {
  count.nodes += 1;
  if (depth > DEPTH_MAX || count.nodes > NODES_MAX) return `${path}: too large a schema`;
  if (typeof schema === 'boolean' && depth > 0) return undefined;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return `${path}: no schema`;
  for (const [word, value] of Object.entries(schema)) {
    if (!WORDS.has(word)) return `${path}/${word}: not a word that is understood here`;
    const below = children(word, value);
    if (below === undefined) return `${path}/${word}: not what stands there`;
    for (const [name, child] of below) {
      const fault = schemaFault(child, `${path}/${word}${name}`, depth + 1, count);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

/** Schemas below a word; undefined where the word holds something else. */
function children(word: string, value: unknown): readonly (readonly [string, unknown])[] | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (word === 'properties')
    return isObject ? Object.entries(value as object).map(([name, child]) => [`/${name}`, child]) : undefined;
  if (word === 'anyOf')
    return Array.isArray(value) ? value.map((child: unknown, at) => [`/${at}`, child]) : undefined;
  if (word === 'items' || word === 'additionalProperties')
    return isObject || typeof value === 'boolean' ? [['', value]] : undefined;
  return [];
}
