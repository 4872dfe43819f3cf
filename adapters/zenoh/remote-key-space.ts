import {
  type Answer,
  type AnswerPart,
  type Clock,
  type Declaration,
  EdgeError,
  type KeySpace,
  type KeyValue,
  type PublishOptions,
  type Query,
  type Reply,
  type SubscribeOptions,
  type Subscription,
  withDeadline,
} from '../../contract/core.ts';
import { DeliveryRules } from './delivery.ts';
import { keyExprFault } from './key-expr.ts';
import { closed } from './native-errors.ts';
import { type QueryOptions, splitSelector } from './native-queries.ts';
import type { DeliveryRule } from './policy-types.ts';
import { RemoteLink } from './remote-link.ts';
import type { FromRemote, RemoteDeclare } from './remote-messages.ts';
import { RemoteQueries, serveRemoteQuery } from './remote-queries.ts';
import { congested, RemoteTickets } from './remote-tickets.ts';

export type RemoteOptions = {
  /** Address of a `zenoh-bridge-remote-api`, for example `ws://127.0.0.1:10000`. */
  readonly url: string;
  readonly delivery?: readonly DeliveryRule[] | undefined;
};

export type RemoteDeps = {
  readonly clock: Clock;
  readonly onFault?: (error: EdgeError) => void;
};

export type RemoteStatus = {
  readonly connected: boolean;
  /** Sessions made after the first one. */
  readonly reconnects: number;
  /** Values that were put and did not leave this process; each was also rejected. */
  readonly lost: number;
};

const DECLARE_MS_MAX = 5_000;
const UNDECLARE_MS_MAX = 1_000;
/** If there is no answer by then an error is sent: the caller has timed out long before. */
const ANSWER_MS_DEFAULT = 60_000;
const SUBSCRIPTION_DEPTH_DEFAULT = 1024;
const SUBSCRIPTION_BYTES_MAX = 128 * 1024 * 1024;
const PRIORITY = {
  real_time: 1,
  interactive_high: 2,
  interactive_low: 3,
  data_high: 4,
  data: 5,
  data_low: 6,
  background: 7,
} as const;

type Sink = (message: FromRemote) => void;
type Entry = {
  readonly order: RemoteDeclare;
  readonly sink: Sink | undefined;
  /** Called when a session is gone. */
  readonly onDown: (() => void) | undefined;
};
/**
 * The key space over a remote-api bridge, for hosts where the native driver cannot be built. It declares
 * locally: declarations survive while the bridge is away, and are made again when it is back.
 * A put without a bridge rejects with `zenoh.failed`. Publishers' caches and their history are not in the
 * remote API: `cache` and `history` reject with `zenoh.failed`.
 */
export class RemoteKeySpace implements KeySpace {
  readonly #link: RemoteLink;
  readonly #clock: Clock;
  readonly #onFault: (error: EdgeError) => void;
  readonly #entries = new Map<number, Entry>();
  readonly #tickets = new RemoteTickets();
  readonly #queries: RemoteQueries;
  readonly #delivery: DeliveryRules;
  #zid = '';
  #next = 1;
  #closing: Promise<void> | undefined;

  private constructor(options: RemoteOptions, deps: RemoteDeps) {
    this.#clock = deps.clock;
    this.#onFault = deps.onFault ?? (() => {});
    this.#delivery = new DeliveryRules(options.delivery);
    this.#link = new RemoteLink(options.url, deps.clock, {
      onUp: (zid) => this.#onUp(zid),
      onDown: (error) => this.#onDown(error),
      onMessage: (message) => this.#onMessage(message),
    });
    this.#queries = new RemoteQueries(this.#link, deps.clock);
  }

  /** Throws `zenoh.failed` when no bridge answers there. */
  static async open(options: RemoteOptions, deps: RemoteDeps): Promise<RemoteKeySpace> {
    const keySpace = new RemoteKeySpace(options, deps);
    await keySpace.#link.open();
    return keySpace;
  }

  /** The id of the bridge's session: shared by all who use this bridge, and another one after its restart. */
  id(): string {
    return this.#zid;
  }

  status(): RemoteStatus {
    const reconnects = Math.max(0, this.#link.generation - 1);
    return { connected: this.#link.up, reconnects, lost: this.#tickets.lost };
  }

  put(key: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    if (options.cache) return Promise.reject(this.#unsupported('put', key, 'cache'));
    return this.#send('put', key, payload, options);
  }

  delete(key: string): Promise<void> {
    return this.#send('delete', key, undefined, {});
  }

  async subscribe(
    keyExpr: string,
    onValues: (values: readonly KeyValue[]) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    if (options.history) throw this.#unsupported('subscribe', keyExpr, 'history');
    const depth = options.depth ?? SUBSCRIPTION_DEPTH_DEFAULT;
    const id = this.#next++;
    // Each session counts from zero.
    let before = 0;
    let current = 0;
    const sink: Sink = (message) => {
      if (message.op !== 'values') return;
      current = message.dropped;
      try {
        onValues(message.values.map(toKeyValue));
      } finally {
        this.#link.send({ op: 'taken', id });
      }
    };
    const onDown = () => {
      before += current;
      current = 0;
    };
    const order = { op: 'subscribe', id, keyExpr, depth, bytes: SUBSCRIPTION_BYTES_MAX } as const;
    const declared = await this.#declare('subscribe', order, sink, onDown, (dropped) => {
      current = dropped;
    });
    return { ...declared, dropped: () => before + current };
  }

  query(selector: string, options: QueryOptions): Promise<readonly Reply[]> {
    const fault = this.#refuse('query', splitSelector(selector).keyExpr);
    return fault ? Promise.reject(fault) : this.#queries.ask(this.#next++, selector, options);
  }

  queryable(
    keyExpr: string,
    answer: (query: Query, part: AnswerPart) => Promise<Answer>,
    options: { readonly complete?: boolean; readonly timeoutMs?: number } = {},
  ): Promise<Declaration> {
    const timeoutMs = options.timeoutMs ?? ANSWER_MS_DEFAULT;
    const sink: Sink = (message) => {
      if (message.op !== 'query') return;
      serveRemoteQuery(this.#link, this.#clock, { keyExpr, timeoutMs, answer }, message).catch(
        (error: unknown) => {
          if (!this.#closing) this.#onFault(EdgeError.from(error, 'zenoh.failed', 'answer query', keyExpr));
        },
      );
    };
    const id = this.#next++;
    const order = { op: 'queryable', id, keyExpr, complete: options.complete ?? false } as const;
    return this.#declare('queryable', order, sink, undefined);
  }

  liveliness(key: string): Promise<Declaration> {
    const order = { op: 'token', id: this.#next++, keyExpr: key } as const;
    return this.#declare('liveliness', order, undefined, undefined);
  }

  watchLiveliness(keyExpr: string, onChange: (key: string, alive: boolean) => void): Promise<Declaration> {
    const present = new Set<string>();
    const sink: Sink = (message) => {
      if (message.op !== 'change') return;
      if (message.alive) present.add(message.key);
      else present.delete(message.key);
      onChange(message.key, message.alive);
    };
    // Without a bridge no peer is seen; tokens that still exist are reported again when it is back.
    const onDown = () => {
      const gone = [...present];
      present.clear();
      for (const key of gone) onChange(key, false);
    };
    const order = { op: 'watch', id: this.#next++, keyExpr } as const;
    return this.#declare('watch liveliness', order, sink, onDown);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#settleAll(closed('wait', this.#zid));
    this.#entries.clear();
    await this.#link.close();
  }

  #send(
    operation: string,
    key: string,
    payload: Uint8Array | undefined,
    options: PublishOptions,
  ): Promise<void> {
    const fault = this.#refuse(operation, key) ?? this.#noRoom(operation, key, payload?.byteLength ?? 0);
    if (fault) return Promise.reject(fault);
    const { priority, congestion, express } = this.#delivery.apply(key, options);
    return this.#tickets
      .request(operation, key, payload?.byteLength ?? 0, (ticket) =>
        // Written into the pipe's own memory before it returns: the caller may use its buffers again.
        this.#link.send({
          op: 'put',
          ticket,
          key,
          payload,
          encoding: options.encoding,
          attachment: options.attachment,
          priority: PRIORITY[priority ?? 'data'],
          block: congestion === 'block',
          express: express ?? false,
        }),
      )
      .then(() => {});
  }

  /** Why a value cannot go now; it is counted as lost. */
  #noRoom(operation: string, key: string, bytes: number): EdgeError | undefined {
    if (this.#link.up && this.#tickets.hasRoom(bytes)) return undefined;
    this.#tickets.lost += 1;
    return this.#link.up ? congested(operation, key) : lostLink(operation, key);
  }

  #refuse(operation: string, keyExpr: string): EdgeError | undefined {
    if (this.#closing) return closed(operation, keyExpr);
    const fault = keyExprFault(keyExpr);
    if (!fault) return undefined;
    const message = `the key expression ${fault}`;
    return new EdgeError('zenoh.failed', { operation, subject: keyExpr, message });
  }

  async #declare(
    operation: string,
    order: RemoteDeclare,
    sink: Sink | undefined,
    onDown: (() => void) | undefined,
    onEnd: (dropped: number) => void = () => {},
  ): Promise<Declaration> {
    const { id, keyExpr } = order;
    const fault = this.#refuse(operation, keyExpr);
    if (fault) throw fault;
    this.#entries.set(id, { order, sink, onDown });
    try {
      await this.#tell(operation, order);
    } catch (error) {
      // A link that broke meanwhile declares it with the rest; a refusal is the caller's.
      if (this.#link.up || this.#closing) {
        this.#entries.delete(id);
        throw error;
      }
    }
    let ended: Promise<void> | undefined;
    const undeclare = (): Promise<void> => {
      if (this.#closing) return Promise.resolve();
      ended ??= this.#undeclare(id, keyExpr, onEnd);
      return ended;
    };
    return { keyExpr, undeclare };
  }

  /** Declares on the present session; without one it waits for the next. */
  async #tell(operation: string, order: RemoteDeclare): Promise<void> {
    if (!this.#link.up) return;
    const { generation } = this.#link;
    const told = this.#tickets.request(operation, order.keyExpr, undefined, (ticket) =>
      this.#link.send({ ...order, ticket }),
    );
    try {
      await withDeadline(this.#clock, DECLARE_MS_MAX, told, operation, order.keyExpr);
    } catch (error) {
      const deaf = error instanceof EdgeError && error.code === 'deadline.exceeded';
      if (deaf && this.#link.generation === generation)
        this.#link.fail(`no answer within ${DECLARE_MS_MAX} ms`);
      throw error;
    }
  }

  async #undeclare(id: number, keyExpr: string, onEnd: (dropped: number) => void): Promise<void> {
    if (!this.#entries.delete(id) || !this.#link.up) return;
    const told = this.#tickets.request('undeclare', keyExpr, undefined, (ticket) =>
      this.#link.send({ op: 'undeclare', ticket, id }),
    );
    try {
      const dropped = await withDeadline(this.#clock, UNDECLARE_MS_MAX, told, 'undeclare', keyExpr);
      if (dropped !== undefined) onEnd(dropped);
    } catch (error) {
      // With the session the declaration is gone too.
      if (this.#link.up && !this.#closing)
        this.#onFault(EdgeError.from(error, 'zenoh.failed', 'undeclare', keyExpr));
    }
  }

  #onUp(zid: string): void {
    const again = this.#zid !== '';
    this.#zid = zid;
    if (!again) return;
    // All or nothing: a session that refuses one of them is closed.
    Promise.all([...this.#entries.values()].map(({ order }) => this.#tell('declare again', order))).catch(
      (error: unknown) => {
        if (this.#link.up) this.#link.fail(error instanceof Error ? error.message : String(error));
      },
    );
  }

  #onDown(error: EdgeError): void {
    this.#settleAll(error);
    for (const { onDown, order } of this.#entries.values()) this.#safely(order.keyExpr, () => onDown?.());
    this.#onFault(error);
  }

  #onMessage(message: FromRemote): void {
    switch (message.op) {
      case 'done':
        this.#tickets.settle(message);
        return;
      case 'reply':
      case 'final':
        this.#queries.onMessage(message);
        return;
      case 'values':
      case 'change':
      case 'query': {
        const entry = this.#entries.get(message.id);
        if (entry) this.#safely(entry.order.keyExpr, () => entry.sink?.(message));
      }
    }
  }

  #safely(subject: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onFault(EdgeError.from(error, 'internal.fault', 'handle values', subject));
    }
  }

  #settleAll(error: EdgeError): void {
    this.#tickets.settleAll(error);
    this.#queries.endAll(error);
  }

  #unsupported(operation: string, subject: string, what: string): EdgeError {
    return new EdgeError('zenoh.failed', {
      operation,
      subject,
      message: `the remote API does not support ${what}`,
      hint: 'use the native driver (zenoh.driver = "native")',
    });
  }
}

function lostLink(operation: string, subject: string): EdgeError {
  return new EdgeError('zenoh.failed', {
    operation,
    subject,
    message: 'the bridge is not connected; the driver reconnects automatically',
    retryable: true,
  });
}

function toKeyValue(value: Extract<FromRemote, { op: 'values' }>['values'][number]): KeyValue {
  const { key, payload, encoding, deleted, attachment } = value;
  const kind = deleted ? 'delete' : 'put';
  return { key, payload, encoding, kind, ...(attachment === undefined ? {} : { attachment }) };
}
