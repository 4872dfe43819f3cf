import { EdgeError, type EventKind, type NewEvent } from '../../../contract/index.ts';

/** What a harness may write itself; the life of the run and its tool calls belong to the cell. */
const HARNESS_KINDS: ReadonlySet<EventKind> = new Set([
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

/** Throws `internal.fault` for an event that is not a harness's to write. */
export function refuseForeign(events: readonly NewEvent[]): void {
  const subject = events.find(({ kind }) => !HARNESS_KINDS.has(kind))?.kind;
  if (subject === undefined) return;
  const message = `a harness may not write ${subject}`;
  throw new EdgeError('internal.fault', { operation: 'emit', subject, message });
}
