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
import type { Handed, Handoff } from './handoff.ts';
import { messageBytes } from './message-size.ts';
import type { Broadcast, FromCell, Request, Response } from './wire.ts';

type Open = {
  readonly method: string;
  readonly to: CellName;
  readonly timer: Timer;
  /** Its question, until it is settled. */
  handed?: Handed;
  resolve(value: unknown): void;
  reject(error: Error): void;
};

type Handler = (body: unknown, from: CellName, madeAtMs: number, wantedAtMs: number) => Promise<unknown>;

/**
 * The CellBus of one cell over messages to the supervisor, which routes them. What is larger than its budget
 * is not sent: writing it would hold up this process, the supervisor and the other cell, and with them every heartbeat.
 * Within its budget a body above `MESSAGE_BYTES_MAX` is handed over by `handoff`, and the message has its handle.
 */
export class MessageBus implements CellBus {
  readonly #name: CellName;
  readonly #clock: Clock;
  readonly #post: (message: FromCell) => void;
  readonly #handoff: Handoff | undefined;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Map<string, ((body: unknown, from: CellName) => void)[]>();
  readonly #open = new Map<number, Open>();
  #nextId = 1;
  #closed = false;

  /** Without `handoff` every body travels in its message: cells of one process, hosts without shared memory. */
  constructor(name: CellName, clock: Clock, post: (message: FromCell) => void, handoff?: Handoff) {
    this.#handoff = handoff;
    this.#name = name;
    this.#clock = clock;
    this.#post = post;
  }

  request<N extends CallName>(
    to: CallTo<N>,
    method: N,
    body: CallAsk<N>,
    timeoutMs?: number,
    wantedAtMs?: number,
  ): Promise<CallReply<N>>;
  request<T>(
    to: CellName,
    method: CallName,
    body: unknown,
    timeoutMs = budgetOf(method).deadlineMs,
    wantedAtMs?: number,
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
    let bytes: number;
    try {
      bytes = weighed('question', body, budgetOf(method).askBytes, method, to);
    } catch (over) {
      return Promise.reject(over);
    }
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#settle(id)?.reject(
          new EdgeError('deadline.exceeded', {
            operation: method,
            subject: to,
            message: `no answer within ${timeoutMs} ms`,
          }),
        );
      });
      this.#open.set(id, { method, to, timer, resolve: resolve as (value: unknown) => void, reject });
      const madeAtMs = this.#clock.monotonicMs();
      const since = wantedAtMs === undefined ? {} : { wantedAtMs };
      const message: Request = { t: 'request', id, from: this.#name, to, method, body, madeAtMs, ...since };
      const failed = (error: unknown) =>
        this.#settle(id)?.reject(EdgeError.from(error, 'cell.unavailable', method, to));
      try {
        if (this.#handoff && bytes > LIMITS.MESSAGE_BYTES_MAX)
          void this.#handOver(this.#handoff, message).catch(failed);
        else this.#post(message);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** A question that was settled in the meantime is not sent. */
  async #handOver(handoff: Handoff, message: Request): Promise<void> {
    const handed = await handoff.leave(message.body);
    const open = this.#open.get(message.id);
    if (!open) {
      if (handed) handoff.drop(handed);
      return;
    }
    if (handed) open.handed = handed;
    this.#post(handed ? { ...message, body: undefined, handed } : message);
  }

  handle<N extends CallName>(
    method: N,
    answer: (body: CallAsk<N>, from: CellName, madeAtMs: number, wantedAtMs: number) => Promise<CallReply<N>>,
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
    let fault: EdgeError | undefined;
    try {
      weighed('broadcast', body, BROADCAST_BYTES_MAX, topic, this.#name);
      this.#post({ t: 'broadcast', from: this.#name, topic, body });
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
    const { handed } = message;
    const open = this.#settle(message.id);
    if (!open) {
      if (handed) this.#handoff?.drop(handed);
      return;
    }
    if (!message.ok) return open.reject(EdgeError.fromBody(message.body as ErrorBody));
    if (!handed) return open.resolve(message.body);
    const { method, to } = open;
    await this.#taken(handed, budgetOf(method).replyBytes, method, to).then(open.resolve, open.reject);
  }

  /** The size is checked again: the process that left it may be an older one. */
  async #taken(handed: Handed, most: number, operation: string, subject: string): Promise<unknown> {
    if (handed.bytes <= 2 * most + FRAME_BYTES) {
      if (this.#handoff) return await this.#handoff.take(handed);
      throw new EdgeError('cell.unavailable', {
        ...{ operation, subject, message: 'this cell takes no bodies from shared memory' },
      });
    }
    this.#handoff?.drop(handed);
    throw tooLarge('body', operation, subject, String(handed.bytes), most);
  }

  /** Rejects open and later requests; used when the cell ends or the supervisor is gone. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#open.keys()]) {
      const open = this.#settle(id)!;
      open.reject(stopping(open.method, open.to));
    }
    this.#handoff?.close();
  }

  async #answer(request: Request): Promise<void> {
    const handler = this.#handlers.get(request.method);
    const { id, from: to, method } = request;
    const reply = (ok: boolean, body: unknown) => this.#post({ t: 'response', id, to, ok, body });
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
      const { askBytes, replyBytes } = budgetOf(method);
      const { handed } = request;
      const question = handed ? await this.#taken(handed, askBytes, method, this.#name) : request.body;
      const refused = checkBody(method, 'ask', question);
      // What fits reaches its handler in this very turn.
      if (refused) await refused;
      const { madeAtMs, wantedAtMs = madeAtMs } = request;
      const body = await handler(question, request.from, madeAtMs, wantedAtMs);
      const bytes = weighed('answer', body, replyBytes, method, this.#name);
      await checkBody(method, 'reply', body);
      const left = bytes > LIMITS.MESSAGE_BYTES_MAX ? await this.#handoff?.leave(body) : undefined;
      if (left) this.#post({ t: 'response', id, to, ok: true, body: undefined, handed: left });
      else reply(true, body);
    } catch (error) {
      reply(false, EdgeError.from(error, 'internal.fault', request.method, this.#name).toBody());
    }
  }

  #settle(id: number): Open | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    this.#open.delete(id);
    open.timer.cancel();
    if (open.handed) this.#handoff?.drop(open.handed);
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
/** What a written message has beside its body. */
const FRAME_BYTES = 1024;

/** Its bytes. Throws where there are more than `most`, or they cannot be measured: nothing of it may be sent then. */
function weighed(what: string, body: unknown, most: number, operation: string, subject: string): number {
  try {
    const found = messageBytes(body, most);
    if (found <= most) return found;
    const bytes = messageBytes(body, most * MEASURED);
    const size = bytes > most * MEASURED ? `more than ${most * MEASURED}` : `about ${bytes}`;
    throw tooLarge(what, operation, subject, size, most);
  } catch (thrown) {
    throw EdgeError.from(thrown, 'internal.fault', operation, subject);
  }
}

function tooLarge(what: string, operation: string, subject: string, size: string, most: number): EdgeError {
  return new EdgeError('limit.exceeded', {
    operation,
    subject,
    message: `the ${what} ${operation} has ${size} bytes; at most ${most} cross a cell border`,
    hint: 'ask for less at a time; what is large travels as a file or a blob',
  });
}

function stopping(operation: string, subject: string): EdgeError {
  return new EdgeError('cell.unavailable', { operation, subject, message: 'this cell is stopping' });
}
