import type { IntentSpec, SubgoalSpec, ToolSpec, WorldFacts } from '../../../contract/index.ts';
import { matches } from '../gate/tool-names.ts';

/** A subgoal and who carries it out: a tool of the run, or an application by its intent. */
export type Subgoal = SubgoalSpec & { readonly by: 'tool' | 'intent' };

/** Never a step of a plan: they read, they end things, or they make plans themselves. */
const NEVER = ['run.*', 'plan.*', 'robot.stop', 'skill.load'];
const PLAN_INTENT = 'plan';

/**
 * What this robot offers to plans: tools that do something and intents that applications serve, as the configuration
 * names them, where what they need is there. Schemas are narrowed to what is known. Pure.
 */
export function subgoalsOf(
  tools: readonly ToolSpec[],
  intents: readonly IntentSpec[],
  patterns: readonly string[],
  world: WorldFacts,
): readonly Subgoal[] {
  const wanted = (name: string) => patterns.some((pattern) => matches(pattern, name));
  const never = (name: string) => NEVER.some((pattern) => matches(pattern, name));
  const there = (name: string) => {
    const group = name.split('.')[0]!;
    if (group === 'controller') return controllersOf(world).length > 0;
    return (group !== 'robot' && group !== 'arm') || world[`${group}.connected`] === true;
  };
  const delegates = tools.some(({ name }) => name === 'run.delegate');
  return [
    ...tools
      .filter(({ name, effect }) => effect !== 'read' && wanted(name) && !never(name) && there(name))
      .map(({ name, description, input }) => ({
        name,
        description,
        params: narrowed(name, input as Readonly<Record<string, unknown>>, world),
        by: 'tool' as const,
      })),
    ...intents
      .filter(({ type }) => delegates && type !== PLAN_INTENT && wanted(type))
      .map(({ type, description, params }) => ({
        name: type,
        description: `${description} (a mission of an application of this robot)`,
        params: params as Readonly<Record<string, unknown>>,
        by: 'intent' as const,
      })),
  ];
}

/** Where joints go by pattern the known ones are named: a model guesses no names of joints. */
function narrowed(
  name: string,
  params: Readonly<Record<string, unknown>>,
  world: WorldFacts,
): Readonly<Record<string, unknown>> {
  if (name === 'controller.run') {
    const { plan_step: _ours, ...fields } = propertiesOf(params);
    const controller = { type: 'string', enum: controllersOf(world) };
    return { ...plain(params), properties: { ...fields, controller } };
  }
  if (name !== 'arm.move') return params;
  const joints = Object.keys(world).flatMap((fact) => /^arm\.joints\.(.+)\.position$/.exec(fact)?.[1] ?? []);
  if (joints.length === 0) return params;
  const target = { type: 'number', minimum: -100, maximum: 100 };
  return {
    ...plain(params),
    properties: {
      ...propertiesOf(params),
      joints: {
        type: 'object',
        description: 'radians (metres for a joint that slides); joints that are absent stay',
        properties: Object.fromEntries(joints.map((joint) => [joint, target])),
        minProperties: 1,
        additionalProperties: false,
      },
    },
  };
}

/** Learned policies that may act here, as `robot.facts` lists them. */
function controllersOf(world: WorldFacts): readonly string[] {
  return Object.keys(world).flatMap((fact) => /^controllers\.(.+)\.state$/.exec(fact)?.[1] ?? []);
}

/** A schema without what only its library sees. */
function plain(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(schema)) as Record<string, unknown>;
}

function propertiesOf(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return (plain(schema)['properties'] ?? {}) as Record<string, unknown>;
}
