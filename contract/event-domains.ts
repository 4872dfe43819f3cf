import type { CellName } from './cell-name.ts';
import type { EventKind } from './event-payloads.ts';

export const EVENT_DOMAINS = ['execution', 'orchestration', 'memory', 'governance'] as const;
export type EventDomain = (typeof EVENT_DOMAINS)[number];

type OfCell = 'of its cell';

/**
 * The domain of every kind of event. It follows from the kind, so it is not a field of the envelope that could say
 * something else. Events about the life of a cell are of the domain of that cell.
 */
const DOMAINS: Readonly<Record<EventKind, EventDomain | OfCell>> = {
  'intent.accepted': 'orchestration',
  'intent.refused': 'orchestration',
  'run.queued': 'orchestration',
  'run.started': 'orchestration',
  'run.phase': 'orchestration',
  'run.status': 'orchestration',
  'run.message': 'orchestration',
  'run.finished': 'orchestration',
  'session.entry': 'orchestration',
  'tool.called': 'orchestration',
  'tool.returned': 'orchestration',
  'tools.offered': 'orchestration',
  'robot.observed': 'orchestration',
  'model.called': 'orchestration',
  'model.returned': 'orchestration',
  'model.state': 'orchestration',
  'models.shed': 'orchestration',
  'engine.state': 'orchestration',
  'question.asked': 'orchestration',
  'question.answered': 'orchestration',
  'schedule.fired': 'orchestration',
  'webhook.received': 'orchestration',
  'extension.state': 'orchestration',
  'app.state': 'orchestration',
  'plan.made': 'orchestration',
  'plan.step_started': 'orchestration',
  'plan.step_ended': 'orchestration',
  'plan.replanned': 'orchestration',
  'policy.decided': 'governance',
  'approval.requested': 'governance',
  'approval.answered': 'governance',
  'grant.state': 'governance',
  'config.trial': 'governance',
  'segment.opened': 'execution',
  'segment.sealed': 'execution',
  'segment.evicted': 'execution',
  'losses.recorded': 'execution',
  'clip.requested': 'execution',
  'clip.recorded': 'execution',
  'episode.started': 'execution',
  'episode.ended': 'execution',
  'episode.discarded': 'execution',
  'episode.relabelled': 'execution',
  'recording.annotated': 'execution',
  'route.state': 'execution',
  'lease.granted': 'execution',
  'lease.released': 'execution',
  'motion.ended': 'execution',
  'safety.stopped': 'execution',
  'estop.engaged': 'execution',
  'estop.released': 'execution',
  'gate.limited': 'execution',
  'command.refused': 'execution',
  'controller.state': 'execution',
  'control.chunk': 'execution',
  'clock.quality': 'execution',
  'recall.answered': 'memory',
  'log.cut': 'memory',
  'blobs.evicted': 'memory',
  'link.receipt': 'memory',
  'link.state': 'memory',
  'cell.started': 'of its cell',
  'cell.stopped': 'of its cell',
  'cell.degraded': 'of its cell',
  'cell.recovered': 'of its cell',
};

const OF_CELLS: Readonly<Record<CellName, EventDomain>> = {
  execution: 'execution',
  runtime: 'orchestration',
  memory: 'memory',
  link: 'memory',
};

/** Kinds whose events may be of a domain; `domainOf` says of one event whether it is. */
export function kindsOfDomain(domain: EventDomain): readonly EventKind[] {
  return (Object.keys(DOMAINS) as EventKind[]).filter((kind) =>
    [domain, 'of its cell'].includes(DOMAINS[kind]),
  );
}

/** What an event is about: its kind says so, and its cell where the kind is about that cell. */
export function domainOf({ kind, cell }: { readonly kind: EventKind; readonly cell: CellName }): EventDomain {
  const found = DOMAINS[kind];
  return found === 'of its cell' ? OF_CELLS[cell] : found;
}
