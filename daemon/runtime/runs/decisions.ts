import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AgentEvent, canonicalJson } from '../../../contract/index.ts';

/**
 * What a run decided, without when: one canonical JSON line per event that is a decision or the answer it
 * was based on. Ids become the ordinal of the call; wall time, robot time and durations are left out, so
 * that the same seed gives the same text to the last byte, however fast the host was.
 */
export function decisionLine(event: AgentEvent, callIndex: Map<string, number>): string | undefined {
  switch (event.kind) {
    case 'intent.accepted': {
      const { type, params, targets, priority } = event.payload.intent;
      return line('intent', { app: event.payload.app, type, params, targets, priority });
    }
    case 'run.phase': {
      const { phase, previous, reason, facts } = event.payload;
      return line('phase', { phase, previous, reason, facts });
    }
    case 'policy.decided': {
      const { hook, point, decision, reason } = event.payload;
      return line('policy', { hook, point, decision, reason });
    }
    case 'tool.called': {
      const { tool, args, effect } = event.payload;
      return line('call', { n: ordinal(callIndex, event.payload.call_id), tool, args, effect });
    }
    case 'tool.returned': {
      const { tool, ok, result, error } = event.payload;
      const code = error?.code;
      return line('return', { n: ordinal(callIndex, event.payload.call_id), tool, ok, result, error: code });
    }
    case 'run.finished': {
      const { status, reason, score, summary, error } = event.payload;
      return line('finished', { status, reason, score, summary, error: error?.code });
    }
    default:
      return undefined;
  }
}

/** All decisions of one run's events, each line ended by a line feed. */
export function decisionText(events: Iterable<AgentEvent>): string {
  const calls = new Map<string, number>();
  let text = '';
  for (const event of events) {
    const decided = decisionLine(event, calls);
    if (decided !== undefined) text += `${decided}\n`;
  }
  return text;
}

/** Characters of a part of `decisionParts`, and events that are read for it, before others have their turn. */
const PART_CHARS = 16_384;
const PART_EVENTS = 32;

/** The same in parts: reading thousands of long results must not hold up a stop. */
export async function* decisionParts(events: Iterable<AgentEvent>): AsyncGenerator<string> {
  const calls = new Map<string, number>();
  let text = '';
  let read = 0;
  for (const event of events) {
    const decided = decisionLine(event, calls);
    if (decided !== undefined) text += `${decided}\n`;
    if (++read < PART_EVENTS && text.length < PART_CHARS) continue;
    if (text !== '') yield text;
    text = '';
    read = 0;
    await nextTurn();
  }
  if (text !== '') yield text;
}

function line(kind: string, content: Record<string, unknown>): string {
  return canonicalJson({ kind, ...(timeless(content) as Record<string, unknown>) });
}

function ordinal(calls: Map<string, number>, callId: string): number {
  const known = calls.get(callId);
  if (known !== undefined) return known;
  calls.set(callId, calls.size + 1);
  return calls.size;
}

/** Drops what says when: keys that end in `_ns`, and `duration_ms`, `duration_s`. */
export function timeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key.endsWith('_ns') || key === 'duration_ms' || key === 'duration_s') continue;
    kept[key] = timeless(item);
  }
  return kept;
}
