import type { UserMessage } from '@earendil-works/pi-ai';
import type { AgentSession, SessionManager } from '@earendil-works/pi-coding-agent';
import {
  COMMAND_ENTRY,
  DROPPED_ENTRY,
  EdgeError,
  type RunMessage,
  STOPPED_ENTRY,
  type ThinkingLevel,
} from '../../contract/core.ts';
import { type ModelDoor, PROVIDER } from './model-door.ts';
import type { AgentInternals } from './pi-library.ts';
import { STOP } from './pi-tools.ts';
import type { SessionJournal } from './session-journal.ts';

type Said = RunMessage & { readonly messageId: string };

export type InboxParts = {
  readonly journal: SessionJournal;
  readonly manager: SessionManager;
  readonly session: AgentSession;
  readonly door: ModelDoor;
  /** The command of an extension that a message calls; undefined: the message is for the model. */
  readonly command: (text: string) => (() => Promise<void>) | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

type EntryMark = {
  readonly type?: string;
  readonly messageId?: string;
  readonly customType?: string;
  readonly thinkingLevel?: ThinkingLevel;
  readonly message?: { readonly role?: string };
};

/** Tokens of the conversation that a person wants to keep; the rest becomes the summary. */
const KEEP_TOKENS = 1_000;
const NOT_COMPACTED = 'auraison.not_compacted';
/** A summary was asked for. The entry that answers this has the id of the message. */
const COMPACT = 'auraison.compact';
const CLOSED = 'auraison.closed';

/**
 * Messages of people to a run, on their way into the session. Each message counts once, also over restarts. A stop and a
 * command of an extension count at once; all others count between two turns or while the session waits (`hear`). Each
 * leaves an entry where it counted, so that a replay can give it at the same place.
 */
export class RunInbox {
  readonly #parts: InboxParts;
  readonly #known: Set<string>;
  /** Not heard yet, in order. */
  #unheard: Said[] = [];
  /** Heard, for the next prompt. */
  readonly #waiting: UserMessage[] = [];
  readonly #compact: (Said & { kind: 'compact' })[] = [];
  /** Messages that were handed on, and may not be in the session yet. */
  readonly #said = new Set<string>();
  /** Handed to Pi, and in the session within this turn of the event loop. */
  readonly #handed = new Set<string>();
  /** Of stops that wait until what was handed to Pi is in the session. */
  #arrivals: (() => void)[] = [];
  #running = false;
  #halt = new AbortController();
  #stopped: boolean;
  #closed: boolean;
  #wake: () => void = () => {};
  /** Smaller while a person requests a compaction. */
  keepTokens: number | undefined;

  constructor(parts: InboxParts) {
    this.#parts = parts;
    const entries = parts.manager.getEntries() as unknown as readonly EntryMark[];
    this.#known = new Set(entries.flatMap(({ messageId }) => messageId ?? []));
    parts.journal.onSaid = (messageId) => {
      this.#said.delete(messageId);
      this.#handed.delete(messageId);
      if (this.#handed.size === 0) this.#settleArrivals();
    };
    const stop = entries.findLastIndex(({ customType }) => customType === STOPPED_ENTRY);
    this.#stopped = stop > entries.findLastIndex(({ message }) => message?.role === 'user');
    this.#closed = entries.some(({ customType }) => customType === CLOSED);
    const level = entries.findLast(({ type, messageId }) => type === 'thinking_level_change' && messageId);
    if (level?.thinkingLevel !== undefined) parts.door.thinking = level.thinkingLevel;
  }

  /** A person stopped the session, and no message has come since. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** A person has ended the session. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Aborts when a person stops the session. */
  get halt(): AbortSignal {
    return this.#halt.signal;
  }

  /** Settles when there are words for the agent, or the session is closed. Rejects with the reason of the signal. */
  async words(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      // What is said in one breath is heard together.
      if (this.#unheard.length > 0) await new Promise((resolve) => setImmediate(resolve));
      this.hear();
      if (this.#waiting.length > 0 || this.#closed) break;
      this.#parts.journal.post().catch(() => {});
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake, { once: true });
      });
    }
    this.#stopped = false;
    this.#halt = new AbortController();
  }

  /** True if a message is not in the session yet. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#parts.session.agent.hasQueuedMessages();
  }

  /** What it returns settles when the message counts. Undefined: it will count when `hear` is called. */
  take(said: Said): Promise<void> | undefined {
    if (this.#known.has(said.messageId)) return undefined;
    this.#known.add(said.messageId);
    if (said.kind === 'stop') return this.#stop(said.messageId);
    const command = 'text' in said && said.text?.startsWith('/') ? this.#commandOf(said) : undefined;
    if (command) return command;
    if (said.kind === 'label') this.#refuseUnknown(said.entryId);
    this.#unheard.push(said);
    this.#wake();
    return undefined;
  }

  /** Takes in what people said since the last time. */
  hear(): void {
    for (const said of this.#unheard.splice(0)) {
      if (said.kind === 'compact') this.#summarise(said);
      else if (said.kind === 'model') this.#switchModel(said);
      else if (said.kind === 'label') this.#label(said);
      else if (said.kind === 'thinking') this.#think(said);
      else if (said.kind === 'close') this.#close(said.messageId);
      else if (said.kind !== 'stop') this.#say(said);
    }
  }

  /** Messages for the prompt that follows in this turn of the event loop. */
  waiting(): UserMessage[] {
    const messages = this.#waiting.splice(0);
    for (const message of messages) {
      const messageId = this.#parts.journal.said.get(message);
      if (messageId !== undefined) this.#handed.add(messageId);
    }
    return messages;
  }

  message(text: string): UserMessage {
    return { role: 'user', content: [{ type: 'text', text }], timestamp: this.#parts.now() };
  }

  /** Adds a notice of the daemon to the next prompt. */
  add(text: string): void {
    this.#waiting.push(this.message(text));
  }

  steer(text: string): void {
    this.#parts.session.agent.steer(this.message(text));
  }

  /** While Pi's loop runs, messages go straight to its queues. */
  async during(work: () => Promise<void>): Promise<void> {
    const { agent } = this.#parts.session;
    for (const message of this.#waiting.splice(0)) agent.steer(message);
    this.#running = true;
    try {
      await work();
    } finally {
      this.#running = false;
      this.#handed.clear();
      this.#settleArrivals();
    }
  }

  /** Between two turns: makes the requested summaries. A model that fails leaves the conversation as it is. */
  async settle(): Promise<void> {
    const { door, manager, session, journal } = this.#parts;
    for (const { messageId, text } of this.#compact.splice(0)) {
      this.keepTokens = KEEP_TOKENS;
      door.focus = text;
      const before = manager.getLeafId();
      try {
        await (session as unknown as AgentInternals)._runAutoCompaction('threshold', false);
      } finally {
        this.keepTokens = undefined;
        door.focus = undefined;
      }
      const leaf = manager.getLeafEntry();
      const done = leaf?.type === 'compaction' && leaf.id !== before;
      journal.tag(done ? leaf.id : manager.appendCustomEntry(NOT_COMPACTED, {}), messageId);
    }
  }

  /** It counts before it runs: after a cut it is not run again. Its result is reported by the code that isolates it. */
  #commandOf({ kind, messageId, text = '' }: Said & { readonly text?: string }): Promise<void> | undefined {
    const { journal, manager } = this.#parts;
    const command = kind === 'steer' || kind === 'follow_up' ? this.#parts.command(text) : undefined;
    if (!command) return undefined;
    journal.tag(manager.appendCustomEntry(COMMAND_ENTRY, { text }), messageId);
    return journal.flush().then(() => void command().catch(() => {}));
  }

  #say({ kind, messageId, text }: Said & { readonly text?: string }): void {
    const { journal, session } = this.#parts;
    const message = this.message(text ?? '');
    journal.said.set(message, messageId);
    this.#said.add(messageId);
    if (!this.#running) this.#waiting.push(message);
    else if (kind === 'follow_up') session.agent.followUp(message);
    else session.agent.steer(message);
  }

  #summarise(said: Said & { kind: 'compact' }): void {
    this.#parts.manager.appendCustomEntry(COMPACT, { asked: said.messageId });
    this.#compact.push(said);
  }

  /** What is running ends, and what the agent has not heard is dropped. Settles when the calls have ended. */
  async #stop(messageId: string): Promise<void> {
    const { journal, manager, session } = this.#parts;
    this.#stopped = true;
    this.#halt.abort(stopped());
    session.agent.clearAllQueues();
    this.#waiting.length = 0;
    const isWords = ({ kind }: Said) => kind === 'steer' || kind === 'follow_up';
    const dropped = [...this.#said].filter((id) => !this.#handed.has(id));
    dropped.push(...this.#unheard.filter(isWords).map((said) => said.messageId));
    this.#unheard = this.#unheard.filter((said) => !isWords(said));
    // What Pi has in its hands was said before the stop, and comes before it in the session.
    if (this.#handed.size > 0) await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    for (const id of dropped) journal.tag(manager.appendCustomEntry(DROPPED_ENTRY, {}), id);
    for (const id of dropped) this.#said.delete(id);
    journal.tag(manager.appendCustomEntry(STOPPED_ENTRY, {}), messageId);
    await Promise.all([journal.flush(), session.agent.waitForIdle()]);
  }

  #settleArrivals(): void {
    for (const arrived of this.#arrivals.splice(0)) arrived();
  }

  #close(messageId: string): void {
    const { journal, manager } = this.#parts;
    journal.tag(manager.appendCustomEntry(CLOSED, {}), messageId);
    this.#closed = true;
  }

  #think({ messageId, level }: Said & { kind: 'thinking' }): void {
    const { door, journal, manager } = this.#parts;
    door.thinking = level;
    journal.tag(manager.appendThinkingLevelChange(level), messageId);
  }

  #switchModel({ messageId, model }: Said & { kind: 'model' }): void {
    const { door, journal, manager, session } = this.#parts;
    session.agent.state.model = door.describe(model);
    journal.tag(manager.appendModelChange(PROVIDER, model), messageId);
  }

  #refuseUnknown(entryId: string): void {
    if (this.#parts.manager.getEntry(entryId)) return;
    throw new EdgeError('schema.invalid', {
      operation: 'label',
      subject: entryId,
      message: `the session has no entry ${entryId}`,
    });
  }

  #label({ messageId, entryId, text }: Said & { kind: 'label' }): void {
    const { journal, manager } = this.#parts;
    journal.tag(manager.appendLabelChange(entryId, text === '' ? undefined : text), messageId);
  }
}

/** Why the running calls ended. */
export function stopped(): EdgeError {
  return new EdgeError('run.cancelled', { operation: 'stop', subject: 'session', message: STOP });
}
