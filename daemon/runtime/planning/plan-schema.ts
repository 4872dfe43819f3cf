import type { SubgoalSpec, WorldFacts } from '../../../contract/index.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Facts that a grammar lists; beyond it a model would choose among noise. */
const FACTS_MAX = 96;
/** Conditions of one step that a model may set. */
const SUCCESS_MAX = 3;
const TEXT_MAX = 64;

/**
 * The JSON Schema that a model's answer is held to: only offered subgoals with their own parameters, only known facts
 * by their kinds. Step ids are given afterwards, so that none is there twice. Pure.
 */
export function planSchema(
  subgoals: readonly SubgoalSpec[],
  world: WorldFacts,
  limits: { readonly stepsMax: number; readonly deadlineMsMax: number },
): Schema {
  const success = successSchema(world);
  const steps = subgoals.map(({ name, params }) =>
    closedObject({
      subgoal: { type: 'string', enum: [name] },
      params: plain(params),
      deadline_ms: { type: 'integer', minimum: 1_000, maximum: limits.deadlineMsMax },
      success,
      fallback: { type: 'string', enum: ['retry', 'replan', 'skip', 'abort'] },
    }),
  );
  const items = steps.length === 1 ? steps[0]! : { anyOf: steps };
  return closedObject({ steps: { type: 'array', minItems: 1, maxItems: limits.stepsMax, items } });
}

function successSchema(world: WorldFacts): Schema {
  const names = Object.keys(world).slice(0, FACTS_MAX);
  const of = (kind: string) => names.filter((name) => typeof world[name] === kind);
  const kinds = [
    predicate(of('number'), ['<', '<=', '>=', '>'], { type: 'number' }),
    within(of('number')),
    predicate(of('boolean'), ['==', '!='], { type: 'boolean' }),
    predicate(of('string'), ['==', '!='], { type: 'string', maxLength: TEXT_MAX }),
  ].filter((schema) => schema !== undefined);
  if (kinds.length === 0) return { type: 'array', items: { type: 'null' }, maxItems: 0 };
  return {
    type: 'array',
    maxItems: SUCCESS_MAX,
    items: kinds.length === 1 ? kinds[0]! : { anyOf: kinds },
  };
}

function predicate(facts: readonly string[], ops: readonly string[], value: Schema): Schema | undefined {
  if (facts.length === 0) return undefined;
  return closedObject({ fact: { type: 'string', enum: facts }, op: { type: 'string', enum: ops }, value });
}

function within(facts: readonly string[]): Schema | undefined {
  if (facts.length === 0) return undefined;
  return closedObject({
    fact: { type: 'string', enum: facts },
    op: { type: 'string', enum: ['within'] },
    value: { type: 'number' },
    tolerance: { type: 'number', minimum: 0 },
  });
}

function closedObject(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** Without what only the schema library sees, and as JSON: the server gets exactly this. */
function plain(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema)) as Schema;
}
