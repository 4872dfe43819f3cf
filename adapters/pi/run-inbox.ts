import type { UserMessage } from '@earendil-works/pi-ai';
import type { AgentSession, SessionManager } from '@earendil-works/pi-coding-agent';
import { EdgeError, type RunMessage, type ThinkingLevel } from '../../contract/core.ts';
import { type ModelDoor, PROVIDER } from './model-door.ts';
import type { AgentInternals } from './pi-library.ts';
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

/** What a call says that a stop ended. */
const STOP = 'a person stopped it';

/** Tokens of the conversation that a person wants to keep; the rest becomes the summary. */
const KEEP_TOKENS = 1_000;
const COMMAND = 'auraison.command';
const NOT_COMPACTED = 'auraison.not_compacted';
const STOPPED = 'auraison.stopped';
const CLOSED = 'auraison.closed';
/** A message that a stop dropped before the agent heard it. */
const DROPPED = 'auraison.dropped';

/** Messages of people to a run, on their way into the session. Each message counts once, also over restarts. */
export class RunInbox {
  readonly #parts: InboxParts;
  readonly #known: Set<string>;
  readonly #waiting: UserMessage[] = [];
  readonly #compact: (Said & { kind: 'compact' })[] = [];
  /** Messages that were handed on, and may not be in the session yet. */
  readonly #said = new Set<string>();
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
    const stop = entries.findLastIndex(({ customType }) => customType === STOPPED);
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

  /** Settles when somebody has said something, or the session is closed. Rejects with the reason of the signal. */
  async words(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length === 0 && !this.#closed) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    signal.throwIfAborted();
    this.#stopped = false;
    this.#halt = new AbortController();
  }

  /** True if a message is not in the session yet. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#parts.session.agent.hasQueuedMessages();
  }

  /** Settles when the message counts: it is in the session, or on its way there and in the log. */
  async take(said: Said): Promise<void> {
    if (this.#known.has(said.messageId)) return;
    this.#known.add(said.messageId);
    if (said.kind === 'compact') this.#compact.push(said as Said & { kind: 'compact' });
    else if (said.kind === 'model') this.#switchModel(said);
    else if (said.kind === 'label') this.#label(said);
    else if (said.kind === 'thinking') this.#think(said);
    else if (said.kind === 'stop') await this.#stop(said.messageId);
    else if (said.kind === 'close') this.#close(said.messageId);
    else await this.#say(said);
  }

  /** Messages for the next prompt. */
  waiting(): UserMessage[] {
    return this.#waiting.splice(0);
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
    for (const message of this.waiting()) agent.steer(message);
    this.#running = true;
    try {
      await work();
    } finally {
      this.#running = false;
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

  async #say({ kind, messageId, text }: Said & { readonly text?: string }): Promise<void> {
    const { journal, manager, session } = this.#parts;
    const command = text?.startsWith('/') ? this.#parts.command(text) : undefined;
    if (command) {
      // It counts before it runs: after a cut it is not run again. Its result is reported by the code that isolates it.
      journal.tag(manager.appendCustomEntry(COMMAND, { text }), messageId);
      await journal.flush();
      return void command().catch(() => {});
    }
    const message = this.message(text ?? '');
    journal.said.set(message, messageId);
    this.#said.add(messageId);
    if (!this.#running) {
      this.#waiting.push(message);
      this.#wake();
    } else if (kind === 'follow_up') session.agent.followUp(message);
    else session.agent.steer(message);
  }

  /** Running calls end, and what the agent has not heard is dropped. Settles when the calls have ended. */
  async #stop(messageId: string): Promise<void> {
    const { journal, manager, session } = this.#parts;
    this.#stopped = true;
    this.#halt.abort(
      new EdgeError('run.cancelled', { operation: 'stop', subject: 'session', message: STOP }),
    );
    session.agent.abort();
    session.agent.clearAllQueues();
    this.#waiting.length = 0;
    const entries = manager.getEntries() as unknown as readonly EntryMark[];
    const heard = new Set(entries.flatMap((entry) => entry.messageId ?? []));
    for (const id of this.#said) if (!heard.has(id)) journal.tag(manager.appendCustomEntry(DROPPED, {}), id);
    this.#said.clear();
    journal.tag(manager.appendCustomEntry(STOPPED, {}), messageId);
    await Promise.all([journal.flush(), session.agent.waitForIdle()]);
  }

  #close(messageId: string): void {
    const { journal, manager } = this.#parts;
    journal.tag(manager.appendCustomEntry(CLOSED, {}), messageId);
    this.#closed = true;
    this.#wake();
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

  #label({ messageId, entryId, text }: Said & { kind: 'label' }): void {
    const { journal, manager } = this.#parts;
    if (!manager.getEntry(entryId))
      throw new EdgeError('schema.invalid', {
        operation: 'label',
        subject: entryId,
        message: `the session has no entry ${entryId}`,
      });
    journal.tag(manager.appendLabelChange(entryId, text === '' ? undefined : text), messageId);
    // Nothing waits for a label; it is already in the log as a message.
    journal.flush().catch(() => {});
  }
}
