import type { EventKind } from '../../contract/index.ts';

/** What a harness may write itself; the life of the run and its tool calls belong to the cell. */
export const HARNESS_KINDS: ReadonlySet<EventKind> = new Set([
  'run.phase',
  'session.entry',
  'model.called',
  'model.returned',
  'extension.state',
  'plan.made',
  'plan.step_started',
  'plan.step_ended',
  'plan.replanned',
]);
