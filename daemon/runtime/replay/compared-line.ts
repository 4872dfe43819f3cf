import { type AgentEvent, canonicalJson } from '../../../contract/index.ts';
import { decisionLine, timeless } from '../runs/decisions.ts';

/** What two runs have seen so far: ids become ordinals, so that equal runs give equal lines. */
export class LineMemory {
  readonly calls = new Map<string, number>();
  readonly entries = new Map<string, number>();
  readonly models = new Map<string, number>();
  /** Ids that stand in values, such as those of runs and messages. */
  readonly ids = new Map<string, number>();
}

/**
 * An event as it is compared between two runs: the lines of `decisions.ts`, and with them the session and the
 * calls of models. Without ids and times. Undefined for what is no decision (waiting, observing, accounting).
 */
export function comparedLine(event: AgentEvent, memory: LineMemory): string | undefined {
  return lineOf(event, memory)
    ?.replaceAll(ID, (id) => `#id${ordinal(memory.ids, id)}`)
    .replaceAll(TIME, '#time');
}

/** A UUID, wherever it stands: also in a JSON text within a text. */
const ID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
/** Nanoseconds since the epoch as decimal digits, from 2014 to 2033: the form in which tools give wall times. */
const TIME = /\b1[4-9][0-9]{17}\b/g;

function lineOf(event: AgentEvent, memory: LineMemory): string | undefined {
  switch (event.kind) {
    case 'session.entry': {
      const { entry_id, parent_id, entry } = event.payload;
      const n = ordinal(memory.entries, entry_id);
      const parent = parent_id === undefined ? undefined : ordinal(memory.entries, parent_id);
      return line('entry', { n, parent, entry: nameless(entry, memory.entries) });
    }
    case 'model.called': {
      const { call_id, model, purpose } = event.payload;
      return line('model', { n: ordinal(memory.models, call_id), model, purpose });
    }
    case 'model.returned': {
      const { call_id, ok, answer, answer_sha256, error } = event.payload;
      const n = ordinal(memory.models, call_id);
      return line('answer', {
        n,
        ok,
        answer: withoutCallIds(answer),
        answer_sha256,
        error: error?.code,
      });
    }
    case 'run.message': {
      const { kind, body } = event.payload;
      return line('message', { said: kind, body });
    }
    default:
      return decisionLine(event, memory.calls);
  }
}

/** The session of a run as text, one canonical line per entry; without ids and times, as decisions are. */
export function sessionText(events: Iterable<AgentEvent>): string {
  const memory = new LineMemory();
  let text = '';
  for (const event of events) if (event.kind === 'session.entry') text += `${comparedLine(event, memory)}\n`;
  return text;
}

function line(kind: string, content: Record<string, unknown>): string {
  return canonicalJson({ kind, ...(timeless(content) as Record<string, unknown>) });
}

function ordinal(known: Map<string, number>, id: string): number {
  const found = known.get(id);
  if (found !== undefined) return found;
  known.set(id, known.size + 1);
  return known.size;
}

/** Servers give the calls of an answer ids of their own, often random ones: their order names them. */
function withoutCallIds(answer: Readonly<Record<string, unknown>> | undefined): unknown {
  const calls = answer?.['tool_calls'];
  if (!Array.isArray(calls)) return answer;
  return { ...answer, tool_calls: (calls as Record<string, unknown>[]).map(({ id: _, ...call }) => call) };
}

/** Entries name each other: by ordinal they do so in every run alike. When something was said is no part of it. */
function nameless(value: unknown, entries: ReadonlyMap<string, number>): unknown {
  if (typeof value === 'string') return entries.has(value) ? `#${entries.get(value)}` : value;
  if (Array.isArray(value)) return value.map((item) => nameless(item, entries));
  if (typeof value !== 'object' || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === 'timestamp') continue;
    kept[key] = nameless(item, entries);
  }
  return kept;
}
