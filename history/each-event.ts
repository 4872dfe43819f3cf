import type { AgentEvent, EventKind, EventReader } from '../contract/index.ts';

/** Events that are read from the disk at a time. */
const PAGE = 1_000;

export type EventFilter<K extends EventKind> = { readonly runId?: string; readonly kinds?: readonly K[] };

type Log = Pick<EventReader, 'read'>;
/** `after`: sequence of the last event that is not wanted; `page`: how many are read at a time. */
type Span = { readonly after?: number; readonly page?: number };

/**
 * The events of one log in their order, to its end as it is when the last one is taken. A page of them is in memory at a
 * time.
 */
export function* eachEvent<K extends EventKind = EventKind>(
  log: Log,
  filter: EventFilter<K> = {},
  span: Span = {},
): Generator<AgentEvent<K>> {
  for (const page of eachPage(log, filter, span)) yield* page;
}

/** The same by pages, each with at least one event. */
export function* eachPage<K extends EventKind = EventKind>(
  log: Log,
  filter: EventFilter<K> = {},
  { after = 0, page = PAGE }: Span = {},
): Generator<readonly AgentEvent<K>[]> {
  for (let cursor = after; ; ) {
    const events = log.read(cursor, page, filter) as unknown as readonly AgentEvent<K>[];
    const last = events.at(-1);
    if (!last) return;
    yield events;
    cursor = last.seq;
  }
}

/** The same for a log of months: between two pages the event loop gets a turn, for a cell that is silent is killed. */
export async function* eachPageInTurns<K extends EventKind = EventKind>(
  log: Log,
  filter: EventFilter<K> = {},
  span: Span = {},
): AsyncGenerator<readonly AgentEvent<K>[]> {
  let isFirst = true;
  for (const events of eachPage(log, filter, span)) {
    if (!isFirst) await new Promise((resolve) => setImmediate(resolve));
    isFirst = false;
    yield events;
  }
}
