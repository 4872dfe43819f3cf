import { parseJson } from '../../contract/core.ts';
/**
 * Decisions of one run repeat themselves: the same question of the same person gets the same answer of the same
 * policies. The row of such a decision holds the position of an earlier one of its run and what differs. Its hash is
 * that of the whole event, so that the chain, readers and exports know nothing of it. Runs in the commit thread too.
 */

/** Newest events among which a row may refer to another: as many as always stay in a log (`KEEP_EVENTS`). */
export const REPEAT_WINDOW = 1_024;
/** A larger payload is always written whole: rows that refer to it cost a reader as much. */
const WHOLE_BYTES_MAX = 8 * 1024;
/** Decisions that are known at a time; the oldest go first. */
const HELD_MAX = 256;
/**
 * A key of one character that is escaped (`"\\n":`). JSON.parse of V8 13.6 reads it as a backslash where it has lately seen
 * an object with that key. Such a decision is written whole, and no row refers to it.
 */
const ESCAPED_KEY = /"\\(?:u[0-9a-f]{4}|.)":/;
const KIND = 'policy.decided';
/** No whole decision starts like this: the first key of one is `decision`. */
export const REPEAT_START = '{"changed":';

type Facts = Readonly<Record<string, unknown>>;
type Request = { readonly facts?: Facts; readonly ts_ms?: number };
type Decision = { readonly duration_us: number; readonly request?: Request };
/** What differs: facts by key where both decisions have the same keys, else all of them. */
type Changed = {
  readonly duration_us: number;
  readonly ts_ms?: number;
  readonly some_facts?: Facts;
  readonly facts?: Facts;
};
type Repeat = { readonly changed: Changed; readonly same_as: number };

/** The payload of the row at a position, which another row refers to; undefined: it is not in the log. */
export type WholeRow = (seq: number) => string | undefined;

export type RepeatRow = { readonly seq: number; readonly run_id: string | null; readonly payload: string };

/** The position of the whole decision that a row refers to; undefined: the row is whole. */
export function sameAs(kind: string, payload: string): number | undefined {
  if (kind !== KIND || !payload.startsWith(REPEAT_START)) return undefined;
  return (parseJson(payload) as Repeat).same_as;
}

/** The payload of a row that refers to the row with the payload `whole`. Throws where one of them is no JSON. */
export function wholePayload(payload: string, whole: string): unknown {
  const { changed } = parseJson(payload) as Repeat;
  const { request, ...rest } = parseJson(whole) as Decision;
  const { duration_us, ts_ms, facts, some_facts } = changed;
  if (!request) return sorted({ ...rest, duration_us });
  const all = facts ?? (some_facts ? sorted({ ...request.facts, ...some_facts }) : request.facts);
  const asked = { ...request, ...(all ? { facts: all } : {}), ...(ts_ms === undefined ? {} : { ts_ms }) };
  return sorted({ ...rest, duration_us, request: sorted(asked) });
}

/** The decisions that the next rows may refer to, for the only writer of a log. */
export class Repeats {
  readonly #stored: WholeRow;
  /** Position of the newest whole decision by its run and what it has in common with others. */
  readonly #held = new Map<string, number>();

  /** `rows`: the newest decisions of the log, the oldest first. `stored`: rows as they lie in the log now. */
  constructor(rows: Iterable<RepeatRow>, stored: WholeRow) {
    this.#stored = stored;
    for (const { seq, run_id, payload } of rows)
      if (run_id !== null && isPlain(payload) && sameAs(KIND, payload) === undefined)
        this.#hold(keyOf(run_id, parseJson(payload) as Decision), seq);
  }

  /** What the row at `seq` is to hold: its payload, or less. Called within the transaction that writes the row. */
  written(kind: string, runId: string | undefined, seq: number, payload: string): string {
    if (kind !== KIND || runId === undefined || !isPlain(payload)) return payload;
    const decision = parseJson(payload) as Decision;
    const key = keyOf(runId, decision);
    const known = this.#held.get(key);
    if (known !== undefined && known > seq - REPEAT_WINDOW) {
      const whole = this.#stored(known);
      const text = whole === undefined ? undefined : repeatText(payload, decision, known, whole);
      // Facts that have nothing in common may need more than the whole.
      if (text !== undefined && text.length < payload.length) return text;
    }
    this.#hold(key, seq);
    return payload;
  }

  #hold(key: string, seq: number): void {
    this.#held.delete(key);
    this.#held.set(key, seq);
    const [oldest] = this.#held.keys();
    if (this.#held.size > HELD_MAX && oldest !== undefined) this.#held.delete(oldest);
  }
}

/** Undefined unless a reader puts the very same text together again: that is what was hashed. */
function repeatText(payload: string, decision: Decision, same_as: number, whole: string): string | undefined {
  const changed = changedIn(decision, parseJson(whole) as Decision);
  const text = JSON.stringify({ changed, same_as } satisfies Repeat);
  return JSON.stringify(wholePayload(text, whole)) === payload ? text : undefined;
}

function isPlain(payload: string): boolean {
  return payload.length <= WHOLE_BYTES_MAX && !ESCAPED_KEY.test(payload);
}

function keyOf(runId: string, decision: Decision): string {
  return `${runId} ${commonText(decision)}`;
}

/** All of a decision but times and facts. */
function commonText({ duration_us: _, request, ...rest }: Decision): string {
  const { facts, ts_ms, ...asked } = request ?? {};
  const has = [request !== undefined, facts !== undefined, ts_ms !== undefined];
  return JSON.stringify([rest, asked, has]);
}

function changedIn({ duration_us, request }: Decision, before: Decision): Changed {
  const { facts, ts_ms } = request ?? {};
  const time = ts_ms === undefined ? {} : { ts_ms };
  const known = before.request?.facts;
  if (!facts || !known) return { duration_us, ...time };
  const same = JSON.stringify(Object.keys(facts)) === JSON.stringify(Object.keys(known));
  if (!same) return { duration_us, facts, ...time };
  const other = Object.entries(facts).filter(([key, value]) => {
    return JSON.stringify(value) !== JSON.stringify(Object.getOwnPropertyDescriptor(known, key)?.value);
  });
  return { duration_us, ...(other.length > 0 ? { some_facts: Object.fromEntries(other) } : {}), ...time };
}

/** With its keys in the order of canonical JSON, as a payload that was read whole has them. */
function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
