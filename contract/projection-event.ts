import { type Static, Type } from 'typebox';
import { closed, Json, Name, Uuid } from './common.ts';
import { WireTime } from './time.ts';

export const EVENT_DOMAINS = ['execution', 'orchestration', 'memory', 'governance'] as const;
export type EventDomain = (typeof EVENT_DOMAINS)[number];

/** A change of a read model, folded from one agent event; deletable and rebuildable. */
export const ProjectionEvent = Type.Object(
  {
    event_id: Uuid('UUIDv7'),
    domain: Type.Enum([...EVENT_DOMAINS]),
    projection: Name('table or view'),
    payload: Json,
    ts: WireTime,
    source_event_id: Uuid('the agent event it was folded from'),
  },
  { ...closed, $id: 'auraison/v1/projection-event', title: 'ProjectionEvent' },
);
export type ProjectionEvent = Static<typeof ProjectionEvent>;
