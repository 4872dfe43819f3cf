import {
  type Answer,
  type AnswerPart,
  type Clock,
  type Declaration,
  type EdgeError,
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
import type { NativeEvent } from './native-batch.ts';
import { closed, fromNative } from './native-errors.ts';
import { NativeGate } from './native-gate.ts';
import { loadNative } from './native-loader.ts';
import { giveBack, NativeLoans } from './native-loans.ts';
import { openSession, type ZenohOptions } from './native-open.ts';
import { NativePublishers, type PublisherEntry } from './native-publishers.ts';
import { type EventSink, NativePump } from './native-pump.ts';
import { type QueryOptions, runQuery, serveQuery } from './native-queries.ts';
import type { NativeInfo, NativeModule, NativeSession } from './native-types.ts';
import type { DeliveryRule } from './policy-types.ts';

export type { ZenohOptions } from './native-open.ts';

export type ZenohDeps = {
  readonly clock: Clock;
  readonly onFault?: (error: EdgeError) => void;
  /** The addon; by default the one that the loader finds. */
  readonly native?: NativeModule;
};

/** Declaring may have to wait for room on the link. */
const DECLARE_MS_MAX = 5_000;
/** The same behind a crowd of others. */
const DECLARE_QUEUED_MS_MAX = 60_000;
/** The port promises a second; unfinished work continues in the background. */
const UNDECLARE_MS_MAX = 1_000;
const CLOSE_MS_MAX = 2_000;
/** Values held for a slow reader. 250 ms of a 1 kHz topic plus cameras, as on the sample bus. */
const SUBSCRIPTION_DEPTH_DEFAULT = 1024;
/** Bytes held for a slow reader; a depth alone would let 5 MB clouds take gigabytes. */
const SUBSCRIPTION_BYTES_MAX = 128 * 1024 * 1024;
/** Unanswered queries per queryable, and their bytes; a further one is answered with `cell.overloaded` at once. */
const QUERIES_OPEN_MAX = 256;
const QUERIES_OPEN_BYTES_MAX = 128 * 1024 * 1024;

/** The key space over the native driver. */
export class NativeKeySpace implements KeySpace {
  readonly #session: NativeSession;
  readonly #pump: NativePump;
  readonly #clock: Clock;
  readonly #onFault: (error: EdgeError) => void;
  readonly #publishers: NativePublishers;
  readonly #loans: NativeLoans;
  readonly #gate = new NativeGate();
  readonly #delivery: DeliveryRules;
  /** Called at close, so that no call waits for a session that is gone. */
  readonly #abandon = new Set<(error: EdgeError) => void>();
  #closing: Promise<void> | undefined;

  private constructor(
    session: NativeSession,
    pump: NativePump,
    deps: ZenohDeps,
    delivery: readonly DeliveryRule[] | undefined,
  ) {
    this.#session = session;
    this.#pump = pump;
    this.#clock = deps.clock;
    this.#onFault = deps.onFault ?? (() => {});
    this.#publishers = new NativePublishers(session, this.#gate);
    this.#loans = new NativeLoans(session, deps.clock);
    this.#delivery = new DeliveryRules(delivery);
  }

  /** Throws `zenoh.unavailable` without a driver, `config.invalid` or `zenoh.failed` otherwise. */
  static async open(options: ZenohOptions, deps: ZenohDeps): Promise<NativeKeySpace> {
    const native = deps.native ?? loadNative();
    const onFault = deps.onFault ?? (() => {});
    const pump = new NativePump(deps.clock, onFault);
    const session = await openSession(native, options, pump.wake, { clock: deps.clock, onFault });
    pump.attach(session);
    return new NativeKeySpace(session, pump, deps, options.delivery);
  }

  id(): string {
    return this.#session.zid();
  }

  /** Who this session is connected to: for health, never for control flow. */
  info(): Promise<NativeInfo> {
    return this.#guard('info', this.id(), DECLARE_MS_MAX, () => this.#session.info());
  }

  put(key: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const taken = this.#loans.take(payload);
    // A publisher with a cache is one for all encodings of its key.
    const encoding = options.cache === undefined ? undefined : options.encoding;
    return this.#publish('put', key, options, (id) => {
      if (taken === undefined) return this.#session.put(id, payload, options.attachment, encoding);
      const ticket = this.#session.putAllocated(id, taken.id, options.attachment, encoding);
      taken.buffer.transfer(0);
      return ticket;
    });
  }

  allocate(bytes: number): Promise<Uint8Array> {
    return this.#settled('allocate', `${bytes} bytes`, () => this.#loans.allocate(bytes));
  }

  delete(key: string): Promise<void> {
    return this.#publish('delete', key, {}, (id) => this.#session.putDelete(id, undefined));
  }

  async subscribe(
    keyExpr: string,
    onValues: (values: readonly KeyValue[]) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const limits = { depth: options.depth ?? SUBSCRIPTION_DEPTH_DEFAULT, bytes: SUBSCRIPTION_BYTES_MAX };
    // The whole cache of a publisher, with its configured depth.
    const history = options.history === true ? 0 : undefined;
    const declare = (id: number) => this.#session.declareSubscriber(id, keyExpr, history, limits);
    const { id, ...declared } = await this.#declare('subscribe', keyExpr, declare, (events) => {
      const values = events.map(toKeyValue);
      try {
        onValues(values);
      } finally {
        if (options.loan === true) for (const { payload } of values) giveBack(payload);
      }
    });
    let last = 0;
    const dropped = () => {
      last = this.#session.counters(id)?.dropped ?? last;
      return last;
    };
    return {
      ...declared,
      dropped,
      undeclare: () => {
        dropped();
        return declared.undeclare();
      },
    };
  }

  query(selector: string, options: QueryOptions): Promise<readonly Reply[]> {
    return this.#settled('query', selector, () =>
      runQuery(this.#session, this.#pump, this.#clock, selector, options),
    );
  }

  async queryable(
    keyExpr: string,
    answer: (query: Query, part: AnswerPart) => Promise<Answer>,
    options: { readonly complete?: boolean; readonly timeoutMs?: number } = {},
  ): Promise<Declaration> {
    const limits = { depth: QUERIES_OPEN_MAX, bytes: QUERIES_OPEN_BYTES_MAX };
    const complete = options.complete ?? false;
    const declare = (id: number) => this.#session.declareQueryable(id, keyExpr, complete, limits);
    return this.#declare('queryable', keyExpr, declare, (events) => {
      for (const event of events) {
        serveQuery(this.#session, this.#clock, keyExpr, event, answer, options.timeoutMs).catch(
          (error: unknown) => {
            // The caller got the error where possible; closing the session under an answer is no fault.
            if (!this.#closing) this.#onFault(fromNative(error, 'answer query', keyExpr));
          },
        );
      }
    });
  }

  async liveliness(key: string): Promise<Declaration> {
    return this.#declare('liveliness', key, (id) => this.#session.declareToken(id, key), undefined);
  }

  async watchLiveliness(
    keyExpr: string,
    onChange: (key: string, alive: boolean) => void,
  ): Promise<Declaration> {
    // Changes are few and each counts: the depth is only an upper bound.
    const limits = { depth: 65_536, bytes: SUBSCRIPTION_BYTES_MAX };
    const declare = (id: number) => this.#session.declareLivelinessSubscriber(id, keyExpr, true, limits);
    return this.#declare('watch liveliness', keyExpr, declare, (events) => {
      for (const event of events) onChange(event.key, !event.deleted);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const error = closed('wait', this.id());
    this.#pump.rejectAll(error);
    for (const abandon of [...this.#abandon]) abandon(error);
    this.#pump.detach();
    try {
      await withDeadline(this.#clock, CLOSE_MS_MAX, this.#session.close(), 'close Zenoh session', this.id());
    } catch (thrown) {
      this.#onFault(fromNative(thrown, 'close Zenoh session', this.id()));
    } finally {
      this.#session.release();
    }
  }

  #publish(
    operation: string,
    key: string,
    options: PublishOptions,
    send: (publisher: number) => number,
  ): Promise<void> {
    if (this.#closing) return Promise.reject(closed(operation, key));
    const go = (id: number): Promise<void> => {
      const ticket = send(id);
      return ticket === 0 ? DONE : this.#pump.completion(ticket, key);
    };
    try {
      const entry: PublisherEntry = this.#publishers.get(key, this.#delivery.apply(key, options));
      if (entry.id !== undefined) return go(entry.id);
      // The first sends on a key wait for its declaration; promises keep their order.
      return this.#guard(operation, key, DECLARE_QUEUED_MS_MAX, () => entry.ready.then(go));
    } catch (error) {
      return Promise.reject(fromNative(error, operation, key));
    }
  }

  async #declare(
    operation: string,
    keyExpr: string,
    declare: (id: number) => Promise<void>,
    sink: EventSink | undefined,
  ): Promise<Declaration & { readonly id: number }> {
    if (this.#closing) throw closed(operation, keyExpr);
    // The sink is in place before the declaration: its first events may come before it returns.
    const id = this.#session.reserve();
    if (sink) this.#pump.add(id, sink);
    let made: Promise<void> | undefined;
    let isLate = false;
    const declaring = this.#gate.run(async () => {
      if (isLate) return;
      made = declare(id);
      await withDeadline(this.#clock, DECLARE_MS_MAX, made, operation, keyExpr);
    });
    try {
      await this.#guard(operation, keyExpr, DECLARE_QUEUED_MS_MAX, () => declaring);
    } catch (error) {
      isLate = true;
      this.#pump.remove(id);
      // A late declaration must not stay.
      made?.then(() => this.#session.undeclare(id)).catch(() => {});
      throw error;
    }
    let ended: Promise<void> | undefined;
    const undeclare = (): Promise<void> => {
      this.#pump.remove(id);
      if (this.#closing) return DONE;
      ended ??= this.#undeclare(id, keyExpr);
      return ended;
    };
    return { id, keyExpr, undeclare };
  }

  /** Settles within a second; nothing more comes to the sink of `id`, and the network is notified in its turn. */
  async #undeclare(id: number, keyExpr: string): Promise<void> {
    const told = this.#gate
      .run(() => this.#session.undeclare(id))
      .catch((error: unknown) => {
        if (!this.#closing) this.#onFault(fromNative(error, 'undeclare', keyExpr));
      });
    await withDeadline(this.#clock, UNDECLARE_MS_MAX, told, 'undeclare', keyExpr).catch(() => {});
  }

  /** Runs `work` so that it settles: by its result, by a deadline, or by close. */
  #guard<T>(operation: string, subject: string, ms: number, work: () => Promise<T>): Promise<T> {
    return this.#settled(operation, subject, () => withDeadline(this.#clock, ms, work(), operation, subject));
  }

  /** One promise for each, without a race: queries may follow each other within a tenth of a millisecond. */
  #settled<T>(operation: string, subject: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closing) throw closed(operation, subject);
      this.#abandon.add(reject);
      const failed = (error: unknown) => {
        this.#abandon.delete(reject);
        reject(fromNative(error, operation, subject));
      };
      const done = (value: T) => {
        this.#abandon.delete(reject);
        resolve(value);
      };
      try {
        work().then(done, failed);
      } catch (error) {
        failed(error);
      }
    });
  }
}

const DONE: Promise<void> = Promise.resolve();
const NOTHING = new Uint8Array(0);

export function toKeyValue(event: NativeEvent): KeyValue {
  return {
    key: event.key,
    payload: event.payload ?? NOTHING,
    encoding: event.encoding,
    kind: event.deleted ? 'delete' : 'put',
    ...(event.attachment === undefined ? {} : { attachment: event.attachment }),
  };
}
