import {
  BROADCAST_BYTES_MAX,
  bodyFits,
  bodyRefusal,
  budgetOf,
  type CallAsk,
  type CallName,
  type CallReply,
  type CallTo,
  type CellBus,
  type CellName,
  type Clock,
  EdgeError,
  type ErrorBody,
  LIMITS,
  NEVER_REFUSED,
  type Timer,
} from '../../contract/core.ts';
import { messageBytes } from './message-size.ts';
import type { Broadcast, FromCell, Request, Response } from './wire.ts';

type Open = {
  readonly method: string;
  readonly to: CellName;
  readonly timer: Timer;
  resolve(value: unknown): void;
  reject(error: Error): void;
};

type Handler = (body: unknown, from: CellName, madeAtMs: number) => Promise<unknown>;

/**
 * The CellBus of one cell over messages to the supervisor, which routes them. What is larger than its budget
 * is not sent: writing it would hold up this process, the supervisor and the other cell, and with them every heartbeat.
 */
export class MessageBus implements CellBus {
  readonly #name: CellName;
  readonly #clock: Clock;
  readonly #post: (message: FromCell) => void;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Map<string, ((body: unknown, from: CellName) => void)[]>();
  readonly #open = new Map<number, Open>();
  #nextId = 1;
  #closed = false;

  constructor(name: CellName, clock: Clock, post: (message: FromCell) => void) {
    this.#name = name;
    this.#clock = clock;
    this.#post = post;
  }

  request<N extends CallName>(
    to: CallTo<N>,
    method: N,
    body: CallAsk<N>,
    timeoutMs?: number,
  ): Promise<CallReply<N>>;
  request<T>(
    to: CellName,
    method: CallName,
    body: unknown,
    timeoutMs = budgetOf(method).deadlineMs,
  ): Promise<T> {
    if (this.#closed) return Promise.reject(stopping(method, to));
    // What ends motion is sent anyway.
    if (this.#open.size >= LIMITS.CELL_REQUESTS_OPEN_MAX && !NEVER_REFUSED.has(method)) {
      return Promise.reject(
        new EdgeError('cell.overloaded', {
          operation: method,
          subject: to,
          message: 'too many open requests',
        }),
      );
    }
    const over = excess('question', body, budgetOf(method).askBytes, method, to);
    if (over) return Promise.reject(over);
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#open.delete(id);
        reject(
          new EdgeError('deadline.exceeded', {
            operation: method,
            subject: to,
            message: `no answer within ${timeoutMs} ms`,
          }),
        );
      });
      this.#open.set(id, { method, to, timer, resolve: resolve as (value: unknown) => void, reject });
      try {
        this.#post({
          t: 'request',
          id,
          from: this.#name,
          to,
          method,
          body,
          madeAtMs: this.#clock.monotonicMs(),
        });
      } catch (error) {
        this.#settle(id)?.reject(EdgeError.from(error, 'cell.unavailable', method, to));
      }
    });
  }

  handle<N extends CallName>(
    method: N,
    answer: (body: CallAsk<N>, from: CellName, madeAtMs: number) => Promise<CallReply<N>>,
  ): void {
    if (this.#handlers.has(method))
      throw new EdgeError('internal.fault', {
        operation: 'handle',
        subject: method,
        message: 'handled twice',
      });
    this.#handlers.set(method, answer as Handler);
  }

  broadcast(topic: string, body: unknown): void {
    let fault = excess('broadcast', body, BROADCAST_BYTES_MAX, topic, this.#name);
    try {
      if (!fault) this.#post({ t: 'broadcast', from: this.#name, topic, body });
    } catch (thrown) {
      fault = EdgeError.from(thrown, 'internal.fault', topic, this.#name);
    }
    if (fault)
      this.#post({ t: 'report', level: 'error', message: fault.message, facts: { ...fault.toBody() } });
  }

  onBroadcast(topic: string, listen: (body: unknown, from: CellName) => void): void {
    const listeners = this.#listeners.get(topic) ?? [];
    listeners.push(listen);
    this.#listeners.set(topic, listeners);
  }

  /** Messages that the supervisor routed here. */
  async receive(message: Request | Response | Broadcast): Promise<void> {
    if (message.t === 'request') return this.#answer(message);
    if (message.t === 'broadcast') {
      for (const listen of this.#listeners.get(message.topic) ?? [])
        listen(message.body, message.from as CellName);
      return;
    }
    const open = this.#settle(message.id);
    if (!open) return;
    if (message.ok) open.resolve(message.body);
    else open.reject(EdgeError.fromBody(message.body as ErrorBody));
  }

  /** Rejects open and later requests; used when the cell ends or the supervisor is gone. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#open.keys()]) {
      const open = this.#settle(id)!;
      open.reject(stopping(open.method, open.to));
    }
  }

  async #answer(request: Request): Promise<void> {
    const handler = this.#handlers.get(request.method);
    const reply = (ok: boolean, body: unknown) =>
      this.#post({ t: 'response', id: request.id, to: request.from, ok, body });
    if (!handler) {
      reply(
        false,
        new EdgeError('cell.unavailable', {
          operation: request.method,
          subject: this.#name,
          message: `the cell does not answer ${request.method} now`,
        }).toBody(),
      );
      return;
    }
    try {
      const refused = checkBody(request.method, 'ask', request.body);
      // What fits reaches its handler in this very turn.
      if (refused) await refused;
      const body = await handler(request.body, request.from, request.madeAtMs);
      const over = excess('answer', body, budgetOf(request.method).replyBytes, request.method, this.#name);
      if (over) throw over;
      await checkBody(request.method, 'reply', body);
      reply(true, body);
    } catch (error) {
      reply(false, EdgeError.from(error, 'internal.fault', request.method, this.#name).toBody());
    }
  }

  #settle(id: number): Open | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    this.#open.delete(id);
    open.timer.cancel();
    return open;
  }
}

/** Rejects with `schema.invalid`, which names the key. What ends motion is taken as it comes. */
function checkBody(call: string, side: 'ask' | 'reply', body: unknown): Promise<void> | undefined {
  if (NEVER_REFUSED.has(call) || bodyFits(call, side, body)) return undefined;
  return bodyRefusal(call, side, body).then((error) => {
    throw error;
  });
}

/** Up to this many times the limit the size in the message is exact. */
const MEASURED = 16;

/** The error where `body` is larger than `most` bytes, or cannot be measured: nothing of it may be sent then. */
function excess(
  what: string,
  body: unknown,
  most: number,
  operation: string,
  subject: string,
): EdgeError | undefined {
  try {
    if (messageBytes(body, most) <= most) return undefined;
    const bytes = messageBytes(body, most * MEASURED);
    const size = bytes > most * MEASURED ? `more than ${most * MEASURED}` : `about ${bytes}`;
    return new EdgeError('limit.exceeded', {
      operation,
      subject,
      message: `the ${what} ${operation} has ${size} bytes; at most ${most} cross a cell border`,
      hint: 'ask for less at a time; what is large travels as a file or a blob',
    });
  } catch (thrown) {
    return EdgeError.from(thrown, 'internal.fault', operation, subject);
  }
}

function stopping(operation: string, subject: string): EdgeError {
  return new EdgeError('cell.unavailable', { operation, subject, message: 'this cell is stopping' });
}
