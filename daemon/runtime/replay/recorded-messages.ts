import { type AgentEvent, COMMAND_ENTRY, DROPPED_ENTRY, STOPPED_ENTRY } from '../../../contract/core.ts';

type Message = AgentEvent<'run.message'>;

type Said = {
  readonly event: Message;
  /** Index of the entry that says where it counted; undefined: it never did. */
  readonly mark: number | undefined;
  /** It counted in the middle of a step: that entry is the next line. Others count between two steps. */
  readonly isExact: boolean;
};

/**
 * What people said during a stretch of a record, to be given again where it counted. The log has the moment at which a
 * message arrived; the session has the place at which the agent took it in, which is what makes a difference.
 */
export class RecordedMessages {
  readonly #expected: readonly AgentEvent[];
  /** Indexes of entries by which a message counted between two steps. */
  readonly #heard: ReadonlySet<number>;
  #left: Said[];

  constructor(expected: readonly AgentEvent[]) {
    this.#expected = expected;
    const marks = marksOf(expected);
    const said = expected.flatMap((event, at) => (event.kind === 'run.message' ? [{ event, at }] : []));
    // Without a session nothing says where a message counted but its own place.
    const hasSession = expected.some(({ kind }) => kind === 'session.entry');
    this.#left = said.map(({ event, at }): Said => {
      const mark = hasSession ? marks.get(event.payload.message_id) : { at, isExact: true };
      return { event, mark: mark?.at, isExact: mark?.isExact === true };
    });
    this.#heard = new Set(this.#left.flatMap(({ mark, isExact }) => (isExact ? [] : (mark ?? []))));
  }

  /** Whether the entry of this index says that a message was heard between two steps. */
  isHeardAt(at: number): boolean {
    return this.#heard.has(at);
  }

  /** Those that count at this place, in order; each once. `isLine`: whether the event of this index is compared. */
  due(cursor: number, isLine: (at: number) => boolean): Message[] {
    const reach = this.#reach(cursor, isLine);
    const isDue = ({ mark, isExact }: Said) =>
      mark !== undefined && (isExact ? mark === reach.next || mark < cursor : mark < reach.end);
    const last = this.#left.findLastIndex((said) => !said.isExact && isDue(said));
    // People are heard in order: an earlier message that left no entry was heard with the later one.
    const due = this.#left.filter((said, at) => isDue(said) || (!said.isExact && at < last));
    this.#left = this.#left.filter((said) => !due.includes(said));
    return due.map(({ event }) => event);
  }

  /**
   * The next line, and the end of the entries that come before any other line: one step may write all of them. A stop
   * among them ends the step.
   */
  #reach(cursor: number, isLine: (at: number) => boolean): { readonly next: number; readonly end: number } {
    let next = -1;
    let end = cursor;
    const exact = new Set(this.#left.flatMap(({ mark, isExact }) => (isExact ? [mark] : [])));
    for (; end < this.#expected.length; end++) {
      if (!isLine(end)) continue;
      if (next < 0) next = end;
      if (this.#expected[end]!.kind !== 'session.entry' || exact.has(end)) break;
    }
    return { next, end };
  }
}

/** Where messages counted, by their id. What a stop dropped counts with the stop. */
function marksOf(expected: readonly AgentEvent[]): Map<string, { at: number; isExact: boolean }> {
  const marks = new Map<string, { at: number; isExact: boolean }>();
  let dropped: number | undefined;
  for (const [at, event] of expected.entries()) {
    if (event.kind !== 'session.entry') continue;
    const { messageId, type, customType, data } = event.payload.entry as Record<string, unknown>;
    const { asked } = (data ?? {}) as { readonly asked?: unknown };
    const id = messageId ?? asked;
    const isDropped = customType === DROPPED_ENTRY;
    const first = dropped ?? at;
    dropped = isDropped ? first : undefined;
    if (typeof id !== 'string' || marks.has(id)) continue;
    const isExact = type === 'custom' && EXACT.has(String(customType));
    marks.set(id, { at: isExact ? first : at, isExact });
  }
  return marks;
}

/** Entries of what counts in the middle of a step: a stop and what it drops, a command of an extension. */
const EXACT: ReadonlySet<string> = new Set([DROPPED_ENTRY, STOPPED_ENTRY, COMMAND_ENTRY]);
