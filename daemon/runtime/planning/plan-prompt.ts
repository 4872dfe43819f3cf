import type { ModelMessage, PlanRequest } from '../../../contract/index.ts';

const RULES = `You plan for a robot. Answer with steps that reach the goal, in order, by the subgoals that are offered.
Each step has params by the schema of its subgoal, a deadline in milliseconds of robot time, and success: conditions over
facts that are known, which are all true when the step is done. fallback says what happens when it fails: retry it,
replan (ask you again), skip it, or abort the plan. Use few steps. Do not ask for what is true already.`;

/** Facts that are shown; the others are there and would only cost tokens. */
const FACTS_MAX = 96;
const REASON_MAX = 300;

/** What is sent to a model: rules, subgoals, facts, what failed before and why, and images. Pure. */
export function planMessages({
  goal,
  subgoals,
  world,
  images,
  failed = [],
}: PlanRequest): readonly ModelMessage[] {
  const offered = subgoals.map(({ name, description, params }) => ({ name, description, params }));
  const facts = Object.fromEntries(Object.entries(world).slice(0, FACTS_MAX));
  const tried = failed.map(({ step, reason }) => ({
    subgoal: step.subgoal,
    params: step.params,
    failed_because: reason.slice(0, REASON_MAX),
  }));
  const parts = [
    `Subgoals: ${JSON.stringify(offered)}`,
    `Facts: ${JSON.stringify(facts)}`,
    ...(tried.length > 0 ? [`Tried and failed, oldest first: ${JSON.stringify(tried)}`] : []),
    ...(images && images.length > 0 ? ['The image shows what the robot sees now.'] : []),
    `Goal: ${goal}`,
  ];
  return [
    { role: 'system', text: RULES },
    { role: 'user', text: parts.join('\n\n'), ...(images && images.length > 0 ? { images } : {}) },
  ];
}

/** What is sent to a model about a plan that does not fit. */
export function mendMessage(faults: readonly string[]): ModelMessage {
  return {
    role: 'user',
    text: `That plan cannot be carried out:\n${faults.join('\n')}\nAnswer with a better one.`,
  };
}
