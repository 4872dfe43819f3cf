import { type AgentEvent, EdgeError, LIMITS } from '../../contract/core.ts';
import { type ApiClient, isAway, nobodyListens } from '../../daemon/client/api-client.ts';
import type { Input, Order, SessionBox, Settled } from './shown.ts';

const AS_CLI = { 'x-auraison-origin': 'cli' } as const;
const RETRY_MS = 500;
/** A stop that has no answer by then may not have arrived, milliseconds; it then goes another way. */
const STOP_MS = 6_000;
/** A stream without a heartbeat for so long is dead, milliseconds. */
const SILENT_MS = 3 * LIMITS.STREAM_HEARTBEAT_MS;
/** Kinds of events after which the state of a session may be another one. */
const TURNS = /^(?:run\.|approval\.|question\.|tool\.called|model\.called)/;

export type LinkParts = {
  readonly api: ApiClient;
  /** Intent and parameters of a session that is opened. */
  readonly opening: { readonly type?: string; readonly params?: Readonly<Record<string, unknown>> };
  /** Of requests that open or say something; absent: those of the command line. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly input: (input: Input) => void;
  /** An error that no retry fixes. */
  readonly fatal: (error: unknown) => void;
};

/** The way to the daemon: carries out orders, and reads events, tokens and state of one session until it is closed. */
export class ChatLink {
  readonly #parts: LinkParts;
  readonly #over = new AbortController();
  readonly #flying = new Set<Promise<void>>();
  #session: string | undefined;
  #cursor: string | undefined;
  #again = new AbortController();
  #asking = false;
  #askAgain = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Reads a session that is there. */
  attach(session: string): void {
    this.#session = session;
    void this.#events();
    void this.#tokens();
    void this.#beat();
    void this.#sizes();
  }

  close(): void {
    this.#over.abort();
  }

  /** What was sent has an answer, or `ms` are over. */
  async settled(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    // A stop may be sent as another message settles.
    const all = async () => {
      while (this.#flying.size > 0) await Promise.all(this.#flying);
    };
    await Promise.race([all(), late]);
    clearTimeout(timer);
  }

  carryOut(order: Exclude<Order, { readonly do: 'leave' }>): void {
    const work = this.#carryOut(order).finally(() => this.#flying.delete(work));
    this.#flying.add(work);
  }

  async #carryOut(order: Exclude<Order, { readonly do: 'leave' }>): Promise<void> {
    const { api, input, headers = AS_CLI } = this.#parts;
    if (order.do === 'models') {
      await this.#sizes(true);
      return;
    }
    let result: Settled = { as: 'done' };
    try {
      if (order.do === 'create') await this.#create(order.id, order.text);
      else if (order.do === 'stop_robot')
        await api.post('/v1/robot/stop', { reason: `"${order.words.slice(0, 64)}"` }, STOP_MS, headers);
      else if (order.do === 'message')
        await api.post(this.#at(order.path), order.body, order.urgent ? STOP_MS : 60_000, headers);
      else if (order.do === 'approve')
        await api.post(`/v1/approvals/${order.approval_id}/answer`, {
          decision: order.decision,
          reason: 'answered in a chat',
        });
      else await api.post(`/v1/questions/${order.question_id}/answer`, { answer: order.answer });
    } catch (error) {
      result = failure(error, order.do === 'message' && order.path === 'stop');
    }
    input({ kind: 'settled', id: order.id, result });
    // The log knows whether it arrived: reads it to its end once more.
    if (result.as === 'unsure') this.#again.abort();
    this.#ask();
  }

  async #create(key: string, text: string): Promise<void> {
    const { api, opening, input, headers = AS_CLI } = this.#parts;
    const body = { ...opening, ...(text === '' ? {} : { text }), idempotency_key: key };
    const box = await api.post<SessionBox>('/v1/sessions', body, 60_000, headers);
    input({ kind: 'opened', session_id: box.session_id });
    input({ kind: 'session', box });
    this.attach(box.session_id);
  }

  #at(word: string): string {
    return `/v1/sessions/${this.#session}${word === '' ? '' : `/${word}`}`;
  }

  /** How much each model can hold. */
  async #sizes(list = false): Promise<void> {
    try {
      const { models } = await this.#parts.api.get<{ models: { name: string; context: number }[] }>(
        '/v1/models',
      );
      this.#parts.input({
        kind: 'context',
        sizes: new Map(models.map(({ name, context }) => [name, context])),
        list,
      });
    } catch {
      // The size is left out of the status.
    }
  }

  /** Asks for the state; one question at a time. */
  #ask(): void {
    if (this.#session === undefined || this.#over.signal.aborted) return;
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    this.#parts.api
      .get<SessionBox>(this.#at(''))
      .then((box) => this.#parts.input({ kind: 'session', box }))
      .catch(() => {})
      .finally(() => {
        this.#asking = false;
        if (this.#askAgain) {
          this.#askAgain = false;
          this.#ask();
        }
      });
  }

  /** The reason of a queued session changes without an event of its own. */
  async #beat(): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.#ask();
      await this.#pause(2_000);
    }
  }

  async #events(): Promise<void> {
    const { input, fatal } = this.#parts;
    const path = `/v1/runs/${this.#session}/events`;
    while (!this.#over.signal.aborted) {
      try {
        this.#again = new AbortController();
        await this.#read(`${path}?follow=false`);
        input({ kind: 'caught_up' });
        await this.#read(path, this.#again.signal);
        // The daemon ended the stream: it stops, or the session has ended.
      } catch (error) {
        if (this.#over.signal.aborted) return;
        if (this.#again.signal.aborted) {
          await this.#pause(RETRY_MS);
          continue;
        }
        if (
          error instanceof EdgeError &&
          !error.retryable &&
          !isAway(error) &&
          error.code !== 'cell.unavailable'
        )
          return fatal(error);
        input({ kind: 'lost', why: (error as Error).message });
      }
      await this.#pause(RETRY_MS);
    }
  }

  async #read(path: string, until?: AbortSignal): Promise<void> {
    let id = this.#cursor;
    const headers = {
      accept: 'text/event-stream',
      ...(id === undefined ? {} : { 'last-event-id': id }),
    };
    for await (const line of this.#lines(path, headers, until)) {
      if (line.startsWith('id:')) id = line.slice(3).trim();
      else if (line.startsWith('data:')) {
        const event = JSON.parse(line.slice(5)) as AgentEvent;
        // Set only now: a stream may break off between the two lines.
        this.#cursor = id;
        if (event.kind === undefined) continue;
        this.#parts.input({ kind: 'event', event });
        if (TURNS.test(event.kind)) this.#ask();
      }
    }
  }

  async #tokens(): Promise<void> {
    while (!this.#over.signal.aborted) {
      try {
        for await (const line of this.#lines(this.#at('tokens'), {}))
          if (line !== '') this.#parts.input({ kind: 'token', token: JSON.parse(line) });
      } catch {
        // The events say that the connection is lost, and have the answers whole.
      }
      await this.#pause(RETRY_MS);
    }
  }

  async *#lines(
    path: string,
    headers: Readonly<Record<string, string>>,
    until?: AbortSignal,
  ): AsyncGenerator<string> {
    const silent = new AbortController();
    const signal = AbortSignal.any([silent.signal, this.#over.signal, ...(until ? [until] : [])]);
    let timer = setTimeout(() => silent.abort(), SILENT_MS);
    try {
      const response = await this.#parts.api.stream(path, headers, signal);
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENT_MS);
        const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = parts.pop()!;
        yield* parts;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#over;
      if (signal.aborted) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** A daemon that is away comes back with its sessions, so a stop that did not arrive is still owed. */
function failure(error: unknown, stop: boolean): Settled {
  const fault = EdgeError.from(error, 'internal.fault', 'chat', '');
  const why = fault.hint === '' ? fault.message : `${fault.message} (${fault.hint})`;
  const away = fault.code === 'cell.unavailable' || fault.code === 'deadline.exceeded' || isAway(fault);
  return { as: away && (stop || !nobodyListens(fault)) ? 'unsure' : 'refused', why };
}
