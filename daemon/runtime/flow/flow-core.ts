import {
  canonicalJson,
  EdgeError,
  type Facts,
  type FlowDefinition,
  LIMITS,
} from '../../../contract/index.ts';
import { isEnd, transitionsOf } from './flow-check.ts';

/** Where a flow stands: everything that a restart needs. */
export type FlowPosition = { readonly state: string; readonly facts: Facts };

export type FlowMove = {
  readonly to: string;
  /** Name of the guard that chose this transition; undefined for the one without. */
  readonly guard: string | undefined;
};

/** Which transition an event takes. Pure. Throws `internal.fault` for an event the state does not declare. */
export function chooseMove(
  flow: FlowDefinition,
  position: FlowPosition,
  event: string,
  params: Readonly<Record<string, unknown>>,
): FlowMove {
  const state = flow.states[position.state];
  const transitions = state && !isEnd(state) ? transitionsOf(state, event) : [];
  for (const { to, when } of transitions) {
    if (!when || when.test(position.facts, params)) return { to, guard: when?.name };
  }
  throw new EdgeError('internal.fault', {
    operation: 'flow',
    subject: `${flow.name}.${position.state}`,
    message: `state "${position.state}" returned event "${event}", which it does not declare`,
  });
}

/**
 * The facts after a step: a copy that shares nothing with the step's own objects. Throws `internal.fault`
 * when they are not plain JSON (NaN, functions) or too large to travel in every phase.
 */
export function mergeFacts(flow: FlowDefinition, facts: Facts, news: Partial<Facts> | undefined): Facts {
  let text: string;
  try {
    text = canonicalJson({ ...facts, ...news });
  } catch (thrown) {
    throw factFault(flow, thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (Buffer.byteLength(text) > LIMITS.FLOW_FACTS_BYTES_MAX) {
    throw factFault(
      flow,
      `${Buffer.byteLength(text)} bytes, at most ${LIMITS.FLOW_FACTS_BYTES_MAX} are allowed`,
    );
  }
  return JSON.parse(text) as Facts;
}

function factFault(flow: FlowDefinition, message: string): EdgeError {
  return new EdgeError('internal.fault', {
    operation: 'flow',
    subject: flow.name,
    message: `facts: ${message}`,
  });
}
