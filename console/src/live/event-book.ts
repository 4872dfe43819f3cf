/** The newest events of the robot. Asked for each second, up to now: a stream would hold a connection of the browser. */
import { useSyncExternalStore } from 'react';
import type { AgentEvent } from '../../../contract/agent-event.ts';
import { call, forever } from '../lib/api.ts';
import { readMessages } from '../lib/server-events.ts';

const EVENTS_MS = 1000;
const EVENTS_SHOWN = 80;
/** After a longer absence only the present state is shown: the robot does not send the events of hours. */
const AWAY_MS = 60_000;

export type Line = { readonly key: string; readonly text: string; readonly title: string };

let lines: readonly Line[] = [];
let cursor: string | undefined;
let leftMs = 0;
let gaps = 0;
const listeners = new Set<() => void>();

function add(line: Line): void {
  lines = [line, ...lines].slice(0, EVENTS_SHOWN);
  for (const changed of listeners) changed();
}

/** To be called once, before `shareConnections`: what is asked again after an absence knows of it. */
export function watchAbsence(): void {
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      leftMs = Date.now();
    } else if (cursor !== undefined && Date.now() - leftMs > AWAY_MS) {
      cursor = undefined;
      const [from, to] = [new Date(leftMs), new Date()].map((time) => time.toLocaleTimeString());
      const text = `… from ${from} to ${to} the page was hidden: auraison events`;
      add({ key: `gap ${gaps++}`, text, title: '' });
    }
  });
}

/** To be called once. */
export function startEvents(): void {
  void forever(look, EVENTS_MS);
}

/** Continues from the last event. */
async function look(): Promise<void> {
  const response = await call('/v1/events?follow=false&since=now', {
    headers: () => ({ accept: 'text/event-stream', ...(cursor ? { 'last-event-id': cursor } : {}) }),
  });
  if (response.status === 400) cursor = undefined;
  if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
  await readMessages(response.body, ({ id, event, data }) => {
    if (id === undefined || data === undefined) return;
    if (event === undefined) show(JSON.parse(data) as AgentEvent, id);
    cursor = id;
  });
}

function show(event: AgentEvent, id: string): void {
  const time = new Date(Number(BigInt(event.ts) / 1_000_000n)).toLocaleTimeString();
  const text = `${time}  ${event.cell}  ${event.kind}  ${shortFacts(event.payload)}`;
  add({ key: id, text, title: JSON.stringify(event.payload, null, 1) });
}

/** The plain values of a payload, for a line; the whole payload is the line's title. */
function shortFacts(payload: object): string {
  return Object.entries(payload)
    .filter(([, value]) => typeof value !== 'object' || value === null)
    .map(([key, value]) => `${key}=${value}`)
    .join('  ');
}

export function useEvents(): readonly Line[] {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
    () => lines,
  );
}
