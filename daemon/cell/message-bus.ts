import {
  type CellBus,
  type CellName,
  type Clock,
  EdgeError,
  type ErrorBody,
  LIMITS,
  type Timer,
} from '../../contract/core.ts';
import type { Broadcast, FromCell, Request, Response } from './wire.ts';

type Open = {
  readonly method: string;
  readonly to: CellName;
  readonly timer: Timer;
  resolve(value: unknown): void;
  reject(error: Error): void;
};

/** The CellBus of one cell over messages to the supervisor, which routes them. */
export class MessageBus implements CellBus {
  readonly #name: CellName;
  readonly #clock: Clock;
  readonly #post: (message: FromCell) => void;
  readonly #handlers = new Map<
    string,
    (body: unknown, from: CellName, madeAtMs: number) => Promise<unknown>
  >();
  readonly #listeners = new Map<string, ((body: unknown, from: CellName) => void)[]>();
  readonly #open = new Map<number, Open>();
  #nextId = 1;
  #closed = false;

  constructor(name: CellName, clock: Clock, post: (message: FromCell) => void) {
    this.#name = name;
    this.#clock = clock;
    this.#post = post;
  }

  request<T>(
    to: CellName,
    method: string,
    body: unknown,
    timeoutMs: number = LIMITS.CELL_REQUEST_MS,
  ): Promise<T> {
    if (this.#closed) return Promise.reject(stopping(method, to));
    if (this.#open.size >= LIMITS.CELL_REQUESTS_OPEN_MAX) {
      return Promise.reject(
        new EdgeError('cell.overloaded', {
          operation: method,
          subject: to,
          message: 'too many open requests',
        }),
      );
    }
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

  handle(
    method: string,
    answer: (body: unknown, from: CellName, madeAtMs: number) => Promise<unknown>,
  ): void {
    if (this.#handlers.has(method))
      throw new EdgeError('internal.fault', {
        operation: 'handle',
        subject: method,
        message: 'handled twice',
      });
    this.#handlers.set(method, answer);
  }

  broadcast(topic: string, body: unknown): void {
    this.#post({ t: 'broadcast', from: this.#name, topic, body });
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

  /** Rejects what is still open and what is asked later; used when the cell ends or nobody is left to ask. */
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
      const body = await handler(request.body, request.from, request.madeAtMs);
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

function stopping(operation: string, subject: string): EdgeError {
  return new EdgeError('cell.unavailable', { operation, subject, message: 'this cell is stopping' });
}
