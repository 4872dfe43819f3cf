import { EdgeError, type EventKind, type NewEvent } from '../../../contract/index.ts';

/** The events that a harness may write itself. The cell writes the start and end of the run and its tool calls. */
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

/** Throws `internal.fault` for an event that a harness may not write. */
export function refuseForeign(events: readonly NewEvent[]): void {
  const subject = events.find(({ kind }) => !HARNESS_KINDS.has(kind))?.kind;
  if (subject === undefined) return;
  const message = `a harness may not write ${subject}`;
  throw new EdgeError('internal.fault', { operation: 'emit', subject, message });
}
