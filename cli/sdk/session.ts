import { randomBytes } from 'node:crypto';
import { EdgeError, IdSource } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import type { Said } from '../chat/commands.ts';
import { ChatCore } from '../chat/core.ts';
import { ChatLink } from '../chat/link.ts';
import type { Input, SessionBox, Shown, Status } from '../chat/shown.ts';

export type SessionOptions = {
  /** Intent of an application whose agent takes words; absent: the general agent. */
  readonly type?: string;
  /** Parameters of that intent. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** A session that is there already, by its id. */
  readonly session?: string;
};

/** What came of words: the answers of the agent since then, and what went wrong meanwhile. */
export type Answer = {
  readonly text: string;
  readonly errors: readonly string[];
  readonly status: Status;
};

/** How long a session has to rest until words count as answered: its state and its events come by two ways. */
const REST_MS = 250;
/** How long `dispose` waits for a stop that is being sent, milliseconds. */
const LEAVE_MS = 5_000;

/**
 * A conversation with an agent of a robot, for a program that embeds it. It is the session of `auraison chat`: events
 * are the objects of `--json`, and a lost connection is made again. The session stays after `dispose`.
 */
export class RobotSession {
  readonly #core: ChatCore;
  readonly #link: ChatLink;
  readonly #listeners = new Set<(event: Shown) => void>();
  readonly #waiting = new Set<() => void>();
  #fault: unknown;
  #disposed = false;

  constructor(api: ApiClient, { type, params }: SessionOptions, there?: SessionBox) {
    const ids = new IdSource(() => Date.now(), randomBytes);
    this.#core = new ChatCore(() => ids.next());
    this.#link = new ChatLink({
      api,
      opening: { ...(type === undefined ? {} : { type }), ...(params ? { params } : {}) },
      headers: {},
      input: (input) => void this.#take(input),
      fatal: (fault) => this.#fail(fault),
    });
    if (!there) return;
    this.#take({ kind: 'opened', session_id: there.session_id });
    this.#take({ kind: 'session', box: there });
    this.#link.attach(there.session_id);
  }

  /** Undefined until the first words opened it. */
  get id(): string | undefined {
    return this.#core.session;
  }

  /** State, model, context in tokens, cost in US dollars. */
  get status(): Status {
    return this.#core.status;
  }

  /** Events from now on: tokens, calls of tools and their results, approvals, questions, states. Returns what ends it. */
  subscribe(listener: (event: Shown) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Says something and resolves when it was answered and the agent rests, however long its motions take; an approval or
   * a question of the agent is waited for. Rejects where the session cannot be opened or the words were not taken, and
   * when `signal` aborts: then the agent and its motion are stopped first.
   */
  async prompt(text: string, options: { readonly signal?: AbortSignal } = {}): Promise<Answer> {
    const { signal } = options;
    signal?.throwIfAborted();
    const said: string[] = [];
    const errors: string[] = [];
    const heard = this.subscribe((event) => {
      if (event.kind === 'said' && event.by === 'agent') said.push(event.text);
      if (event.kind === 'error') errors.push(event.text);
    });
    const onAbort = () => this.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const refused = this.#say({ kind: 'say', text });
      if (refused !== undefined) throw refusal(refused);
      await this.#rest();
      signal?.throwIfAborted();
      if (this.id === undefined) throw refusal(errors.at(-1) ?? 'the session was not opened');
      return { text: said.join('\n'), errors, status: this.status };
    } finally {
      heard();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Counts before the next turn of the agent. */
  steer(text: string): void {
    this.#must({ kind: 'say', text });
  }

  /** Counts when the agent has done its work. */
  followUp(text: string): void {
    this.#must({ kind: 'follow', text });
  }

  /** Ends what the agent does, its motion first. */
  abort(): void {
    this.#say({ kind: 'stop' });
  }

  /** Answers an approval, under the token of this program; policies say whether it may. */
  approve(approvalId: string, decision: 'allow' | 'deny'): void {
    this.#must({ kind: 'approve', name: approvalId.toLowerCase(), decision });
  }

  /** Answers the oldest question of the agent. */
  answer(text: string): void {
    this.#must({ kind: 'answer', text });
  }

  /** A name of `[[models]]`; it answers from the next turn on. */
  setModel(name: string): void {
    this.#must({ kind: 'model', text: name });
  }

  /** `off`, `minimal`, `low`, `medium`, `high` or `xhigh`. */
  setThinkingLevel(level: string): void {
    this.#must({ kind: 'thinking', text: level });
  }

  compact(instructions = ''): void {
    this.#must({ kind: 'compact', text: instructions });
  }

  /** Ends the session, as succeeded, once it rests. */
  async close(): Promise<void> {
    this.#must({ kind: 'close' });
    await this.#until(() => this.status.state === 'ended');
  }

  /** Leaves it: the session stays, and continues what it does. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    await this.#link.settled(LEAVE_MS);
    this.#disposed = true;
    this.#link.close();
    this.#wake();
  }

  #must(said: Said): void {
    const refused = this.#say(said);
    if (refused !== undefined) throw refusal(refused);
  }

  /** Why it was not taken at once; undefined: it was. */
  #say(said: Said): string | undefined {
    if (this.#disposed) return 'the session was left: open it again by its id';
    return this.#take({ kind: 'asked', said }).flatMap((shown) =>
      shown.kind === 'error' || shown.kind === 'note' ? shown.text : [],
    )[0];
  }

  #take(input: Input): readonly Shown[] {
    const { shown, orders } = this.#core.take(input);
    for (const event of shown) for (const listener of [...this.#listeners]) listener(event);
    for (const order of orders) if (order.do !== 'leave') this.#link.carryOut(order);
    this.#wake();
    return shown;
  }

  #fail(fault: unknown): void {
    this.#fault = fault;
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** All that was said is answered, and stays so for a moment. */
  async #rest(): Promise<void> {
    for (;;) {
      await this.#until(() => this.#core.idle);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      if (this.#core.idle) return;
    }
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isOver = this.#fault !== undefined || this.#disposed;
        if (!isOver && !holds()) return;
        this.#waiting.delete(look);
        if (holds()) resolve();
        else reject(this.#fault ?? refusal('the session was left'));
      };
      this.#waiting.add(look);
      look();
    });
  }
}

function refusal(message: string): EdgeError {
  return new EdgeError('run.not_supported', { operation: 'session', subject: 'robot', message });
}
