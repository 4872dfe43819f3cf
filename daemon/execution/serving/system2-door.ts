import {
  type CellBus,
  type ChatEnd,
  type ChatOpen,
  type Clock,
  EdgeError,
  type InferPlan,
  LIMITS,
  METHODS,
  type ModelDelta,
  type PlanReply,
  type PolicyContext,
  withDeadline,
} from '../../../contract/core.ts';
import type { ChatAsk } from '../../../formats/openai/index.ts';

export type System2Parts = {
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
  /** A fresh UUID. */
  readonly id: () => string;
  readonly context: PolicyContext;
};

export type Asker = {
  readonly id: string;
  /** Name under which it can be cancelled; undefined: it cannot. */
  readonly call?: string | undefined;
  readonly signal?: AbortSignal;
};

/** One fetch waits for news so long, milliseconds; and the other cell gets a little more to answer. */
const FETCH_MS = 5_000;
const SPARE_MS = 1_000;
/** A call has to be started by then, milliseconds. */
const OPEN_MS = 5_000;
/** Questions of all callers, and of one, that wait for System 2. */
const OPEN_MAX = 64;
const OPEN_PER_CALLER_MAX = 4;
const CALL_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

/**
 * Models and plans of the runtime cell, for nodes that ask this one. Whatever that cell does, the caller is answered
 * by its deadline: by the answer, or by a typed error; and what no caller waits for is ended there.
 */
export class System2Door {
  readonly #parts: System2Parts;
  readonly #callers = new Map<string, number>();
  readonly #calls = new Map<string, AbortController>();
  #open = 0;

  constructor(parts: System2Parts) {
    this.#parts = parts;
  }

  /** `onDelta` is called with what comes, as it comes. */
  chat(
    asker: Asker,
    ask: ChatAsk,
    onDelta: (delta: ModelDelta) => void,
  ): Promise<Extract<ChatEnd, { readonly ok: true }>> {
    const { bus, context, id } = this.#parts;
    const { chatOpen, chatCancel } = METHODS.runtime;
    const callId = id();
    const open: ChatOpen = { callId, caller: asker.id, context, request: ask.request, model: ask.model };
    const cancel = (reason: string) =>
      void bus.request('runtime', chatCancel, { callId, reason }).catch(() => {});
    return this.#ask('chat', asker, ask.request.deadlineMs, cancel, async (over) => {
      await bus.request('runtime', chatOpen, open, OPEN_MS);
      return await this.#fetch(callId, onDelta, over);
    });
  }

  /** `ask` is what the caller sent: the schema of the call refuses what is not a `PlanAsk`. */
  plan(asker: Asker, ask: unknown, deadlineMs: number): Promise<PlanReply> {
    const { bus, context, id } = this.#parts;
    const { inferPlan, planCancel } = METHODS.runtime;
    const callId = id();
    const body: InferPlan = { ask: ask as InferPlan['ask'], context, deadlineMs, callId };
    const cancel = (reason: string) =>
      void bus.request('runtime', planCancel, { callId, reason }).catch(() => {});
    return this.#ask('plan', asker, deadlineMs, cancel, () =>
      bus.request('runtime', inferPlan, body, deadlineMs + SPARE_MS),
    );
  }

  /** Whether there was such a question. Who knows its name may. */
  cancel(call: string): boolean {
    const found = this.#calls.get(call);
    found?.abort();
    return found !== undefined;
  }

  async #fetch(
    callId: string,
    onDelta: (delta: ModelDelta) => void,
    over: AbortSignal,
  ): Promise<Extract<ChatEnd, { readonly ok: true }>> {
    const { bus } = this.#parts;
    const { chatNext } = METHODS.runtime;
    for (;;) {
      const next = { callId, waitMs: FETCH_MS };
      const { deltas, end } = await bus.request('runtime', chatNext, next, FETCH_MS + SPARE_MS);
      // A caller that was notified of the end gets nothing more.
      if (over.aborted) throw cancelled('chat');
      for (const delta of deltas) onDelta(delta);
      if (end?.ok) return end;
      if (end) throw EdgeError.fromBody(end.error);
    }
  }

  async #ask<T>(
    what: string,
    asker: Asker,
    deadlineMs: number,
    cancel: (reason: string) => void,
    work: (over: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const abort = this.#admit(what, asker);
    const { signal } = abort;
    try {
      const gone = new Promise<never>((_resolve, reject) => {
        const leave = () => {
          abort.abort();
          reject(cancelled(what));
        };
        signal.addEventListener('abort', leave, { once: true });
        if (asker.signal?.aborted) leave();
        asker.signal?.addEventListener('abort', leave, { once: true });
      });
      return await withDeadline(
        this.#parts.clock,
        deadlineMs,
        Promise.race([work(signal), gone]),
        what,
        what,
      );
    } catch (thrown) {
      abort.abort();
      cancel('the caller no longer waits');
      throw EdgeError.from(thrown, 'model.failed', what, what);
    } finally {
      this.#leave(asker);
    }
  }

  #admit(what: string, { id, call }: Asker): AbortController {
    const own = this.#callers.get(id) ?? 0;
    if (own >= OPEN_PER_CALLER_MAX || this.#open >= OPEN_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: what,
        subject: id,
        message: `${own >= OPEN_PER_CALLER_MAX ? `${own} questions of this caller` : `${this.#open} questions`} are open already`,
      });
    }
    if (call !== undefined && (!CALL_NAME.test(call) || this.#calls.has(call))) {
      throw new EdgeError('schema.invalid', {
        operation: what,
        subject: '/call',
        message: '/call: use a different name for each request, for example a UUID',
      });
    }
    const abort = new AbortController();
    this.#callers.set(id, own + 1);
    this.#open += 1;
    if (call !== undefined) this.#calls.set(call, abort);
    return abort;
  }

  #leave({ id, call }: Asker): void {
    const left = (this.#callers.get(id) ?? 1) - 1;
    if (left > 0) this.#callers.set(id, left);
    else this.#callers.delete(id);
    this.#open -= 1;
    if (call !== undefined) this.#calls.delete(call);
  }
}

function cancelled(what: string): EdgeError {
  return new EdgeError('run.cancelled', {
    operation: what,
    subject: what,
    message: 'the request was cancelled',
  });
}

/** Bounds of what is sent to the runtime. */
export const SYSTEM2_BYTES_MAX = LIMITS.CHAT_REQUEST_BYTES_MAX;
