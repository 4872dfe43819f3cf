import { type Checker, checker, type SubgoalSpec, type WorldFacts } from '../../../contract/index.ts';
import { Plan, type PlanStep, type Predicate } from '../../../contract/plan.ts';
import type { TSchema } from '../../../contract/schema-kit.ts';
import { allHold, contradiction } from './predicates.ts';

/** What a plan is checked against. */
export type PlanRules = {
  readonly subgoals: readonly SubgoalSpec[];
  readonly world: WorldFacts;
  readonly stepsMax: number;
  /** Robot time that all steps together may take, milliseconds. */
  readonly budgetMs: number;
};

/** Faults that are reported at a time; more would only be noise. */
const FAULTS_MAX = 8;
/** Bytes of one plan, serialized: it travels in what a run knows. */
export const PLAN_BYTES_MAX = 12 * 1024;

const planChecker = checker(Plan);
/** Schemas are compiled once for as long as their subgoals live. */
const compiled = new WeakMap<object, Checker<unknown>>();

/** Everything that is wrong with a plan, in words by which a model can fix it. Empty: it may be carried out. */
export function planFaults(plan: unknown, rules: PlanRules): readonly string[] {
  const shape = planChecker.fault(plan);
  if (shape !== undefined) return [shape];
  const { steps } = plan as Plan;
  const faults: string[] = [];
  if (steps.length > rules.stepsMax) faults.push(`/steps: ${steps.length}, at most ${rules.stepsMax}`);
  const bytes = Buffer.byteLength(JSON.stringify(plan));
  if (bytes > PLAN_BYTES_MAX) faults.push(`/: ${bytes} bytes, at most ${PLAN_BYTES_MAX}`);
  const ids = new Set<string>();
  for (const [index, step] of steps.entries()) {
    if (ids.has(step.step_id)) faults.push(`/steps/${index}/step_id: ${step.step_id} is there twice`);
    ids.add(step.step_id);
    faults.push(...stepFaults(step, rules).map((fault) => `/steps/${index}${fault}`));
  }
  const total = steps.reduce((sum, { deadline_ms }) => sum + deadline_ms, 0);
  if (total > rules.budgetMs)
    faults.push(`/steps: their deadlines are ${total} ms together, at most ${rules.budgetMs}`);
  return faults.slice(0, FAULTS_MAX);
}

function stepFaults(step: PlanStep, { subgoals, world }: PlanRules): string[] {
  const spec = subgoals.find(({ name }) => name === step.subgoal);
  if (!spec) return [`/subgoal: ${step.subgoal} is not offered; there are ${namesOf(subgoals)}`];
  const faults: string[] = [];
  const params = paramsFault(spec, step.params);
  if (params !== undefined) faults.push(`/params${params === '' ? '' : params}`);
  for (const [index, predicate] of step.success.entries()) {
    const fault = predicateFault(predicate, world);
    if (fault !== undefined) faults.push(`/success/${index}${fault}`);
  }
  const quarrel = contradiction(step.success);
  if (quarrel !== undefined) faults.push(`/success: nothing can satisfy all that is said of ${quarrel}`);
  return faults;
}

function namesOf(subgoals: readonly SubgoalSpec[]): string {
  return subgoals.map(({ name }) => name).join(', ');
}

function paramsFault(spec: SubgoalSpec, params: unknown): string | undefined {
  let check = compiled.get(spec.params);
  try {
    if (!check) {
      check = checker(spec.params as TSchema) as Checker<unknown>;
      compiled.set(spec.params, check);
    }
    return check.fault(params);
  } catch (thrown) {
    return `: the schema of ${spec.name} cannot be used (${(thrown as Error).message})`;
  }
}

function predicateFault({ fact, op, value, tolerance }: Predicate, world: WorldFacts): string | undefined {
  if (!Object.hasOwn(world, fact)) return `/fact: ${fact} is not known${nearest(fact, world)}`;
  const kind = typeof world[fact];
  if (kind !== typeof value) return `/value: ${fact} is a ${kind}, not a ${typeof value}`;
  if (op === 'within' && tolerance === undefined) return '/tolerance: missing beside within';
  if (kind !== 'number' && op !== '==' && op !== '!=') return `/op: ${op} of a ${kind}`;
  return undefined;
}

/** A fact of the same last part: what was probably meant. */
function nearest(fact: string, world: WorldFacts): string {
  const last = fact.split('.').at(-1)!;
  const found = Object.keys(world).find((name) => name.endsWith(last));
  return found === undefined ? '' : `; ${found} is`;
}

/** The first steps whose goals are reached already: they need no work. Later steps are checked in their turn. */
export function withoutDone(
  plan: Plan,
  world: WorldFacts,
): { readonly plan: Plan | undefined; readonly dropped: readonly { subgoal: string; reason: string }[] } {
  const first = plan.steps.findIndex(({ success }) => !allHold(success, world));
  const at = first < 0 ? plan.steps.length : first;
  const dropped = plan.steps.slice(0, at).map(({ subgoal }) => ({
    subgoal,
    reason: 'what it is to reach is true already',
  }));
  const steps = plan.steps.slice(at);
  return { plan: steps.length > 0 ? { ...plan, steps } : undefined, dropped };
}
