import {
  EdgeError,
  type FlowDefinition,
  type FlowEnd,
  type FlowState,
  type FlowTransition,
  LIMITS,
} from '../../../contract/index.ts';

/** Events that the harness itself raises. */
export const FLOW_ERROR = 'error';
export const FLOW_DEADLINE = 'deadline';
/** The tool that runs the branches of a state. */
export const PARALLEL_TOOL = 'flow.parallel';

export function isEnd(state: FlowState | FlowEnd): state is FlowEnd {
  return 'end' in state;
}

/** The transitions of an event in their order; a plain target is one transition without a guard. */
export function transitionsOf(state: FlowState, event: string): readonly FlowTransition[] {
  if (!Object.hasOwn(state.on, event)) return [];
  const target = state.on[event]!;
  return typeof target === 'string' ? [{ to: target }] : target;
}

/** Every fault of a definition, each in words that name state and event; empty when it can be run. */
export function flowFaults(flow: FlowDefinition): string[] {
  const names = Object.keys(flow.states);
  const faults: string[] = [];
  if (!Object.hasOwn(flow.states, flow.start)) faults.push(`start "${flow.start}" is no state`);
  if (!(Number.isInteger(flow.stepsMax) && flow.stepsMax > 0))
    faults.push('stepsMax must be a positive integer');
  if (!names.some((name) => isEnd(flow.states[name]!))) faults.push('no state ends the run');
  for (const name of names) {
    const state = flow.states[name]!;
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) faults.push(`state "${name}": a name is a-z, 0-9 and _`);
    if (!isEnd(state)) faults.push(...stateFaults(flow, name, state));
  }
  if (faults.length > 0) return faults;
  faults.push(...branchFaults(flow));
  if (faults.length > 0) return faults;
  const reached = reachable(flow, [flow.start], (name) => [...targets(flow, name), ...startsOf(flow, name)]);
  for (const name of names)
    if (!reached.has(name)) faults.push(`state "${name}" cannot be reached from "${flow.start}"`);
  const ends = names.filter((name) => isEnd(flow.states[name]!));
  const escaping = reachable(flow, ends, (name) =>
    names.filter((other) => targets(flow, other).includes(name)),
  );
  for (const name of names)
    if (!escaping.has(name)) faults.push(`no way leads from state "${name}" to an end`);
  return faults;
}

/** Throws `config.invalid` with all faults. */
export function checkFlow(flow: FlowDefinition): void {
  const faults = flowFaults(flow);
  if (faults.length === 0) return;
  throw new EdgeError('config.invalid', {
    operation: 'load flow',
    subject: flow.name,
    message: `flow ${flow.name}: ${faults.join('; ')}`,
  });
}

function stateFaults(flow: FlowDefinition, name: string, state: FlowState): string[] {
  const faults: string[] = [];
  if (!(Number.isFinite(state.deadlineMs) && state.deadlineMs > 0)) {
    faults.push(`state "${name}": deadlineMs must be positive`);
  }
  const { retry } = state;
  if (
    retry &&
    !(
      Number.isInteger(retry.times) &&
      retry.times >= 0 &&
      retry.delayMs >= 0 &&
      retry.delayMsMax >= retry.delayMs
    )
  ) {
    faults.push(`state "${name}": retry needs times ≥ 0 and 0 ≤ delayMs ≤ delayMsMax`);
  }
  const events = Object.keys(state.on);
  if (events.length === 0) faults.push(`state "${name}" has no transitions and does not end the run`);
  for (const event of events) {
    const transitions = transitionsOf(state, event);
    if (transitions.length === 0) faults.push(`state "${name}", event "${event}": no transition`);
    transitions.forEach((transition, index) => {
      const last = index === transitions.length - 1;
      if (!Object.hasOwn(flow.states, transition.to)) {
        faults.push(`state "${name}", event "${event}": target "${transition.to}" is no state`);
      }
      if (last && transition.when)
        faults.push(`state "${name}", event "${event}": the last transition has a guard`);
      if (!last && !transition.when) {
        faults.push(
          `state "${name}", event "${event}": nothing after the transition to "${transition.to}" can be taken`,
        );
      }
    });
  }
  return faults;
}

/** What is wrong with parts that run at the same time: they share nothing with what is around them. */
function branchFaults(flow: FlowDefinition): string[] {
  const owners = new Map<string, string>();
  const faults: string[] = [];
  const own = (start: string, owner: string) => {
    for (const name of reachable(flow, [start], (one) => targets(flow, one))) {
      const other = owners.get(name);
      if (other !== undefined && other !== owner)
        faults.push(
          `state "${name}" belongs to ${other} and to ${owner}; parts that run at the same time share none`,
        );
      owners.set(name, owner);
    }
  };
  own(flow.start, 'the flow itself');
  for (const [name, state] of Object.entries(flow.states)) {
    if (isEnd(state) || !state.parallel) continue;
    const { branches } = state.parallel;
    const count = Object.keys(branches).length;
    if (count < 2 || count > LIMITS.RUN_CHILDREN_MAX)
      faults.push(`state "${name}": expected 2 to ${LIMITS.RUN_CHILDREN_MAX} branches, found ${count}`);
    if (!flow.tools?.includes(PARALLEL_TOOL))
      faults.push(`state "${name}" has branches, and tools of the flow does not name ${PARALLEL_TOOL}`);
    for (const [branch, start] of Object.entries(branches)) {
      if (!Object.hasOwn(flow.states, start))
        faults.push(`state "${name}", branch "${branch}": start "${start}" is no state`);
      else own(start, `branch "${branch}" of "${name}"`);
    }
  }
  return faults;
}

/** First states of the branches of a state. */
function startsOf(flow: FlowDefinition, name: string): readonly string[] {
  const state = flow.states[name]!;
  return isEnd(state) || !state.parallel ? [] : Object.values(state.parallel.branches);
}

function targets(flow: FlowDefinition, name: string): string[] {
  const state = flow.states[name]!;
  if (isEnd(state)) return [];
  return Object.keys(state.on).flatMap((event) => transitionsOf(state, event).map(({ to }) => to));
}

function reachable(
  flow: FlowDefinition,
  from: readonly string[],
  next: (name: string) => string[],
): Set<string> {
  const seen = new Set<string>();
  const open = from.filter((name) => Object.hasOwn(flow.states, name));
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...next(name));
  }
  return seen;
}
