import { intersects, isKey, keyExprFault } from '../../adapters/zenoh/key-expr.ts';
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
} from '../../contract/index.ts';

type Reader = {
  readonly keyExpr: string;
  readonly onValues: (values: readonly KeyValue[]) => void;
  readonly depth: number;
  readonly queue: KeyValue[];
  dropped: number;
  due: boolean;
};
type Answerer = {
  readonly keyExpr: string;
  readonly answer: (query: Query, part: AnswerPart) => Promise<Answer>;
  readonly complete: boolean;
  readonly timeoutMs: number;
};
/** What an advanced publisher keeps for those that come later. */
type Cache = { readonly key: string; readonly values: KeyValue[] };
type Watcher = { readonly keyExpr: string; readonly onChange: (key: string, alive: boolean) => void };

/** Values handed over per turn of the event loop, as in the real driver. */
const BATCH_MAX = 256;

/** What all sessions of one test share: the network, so to speak. Delivery is exact and in order. */
export class MemoryFabric {
  readonly readers = new Set<Reader>();
  readonly answerers = new Set<Answerer>();
  readonly watchers = new Set<Watcher>();
  readonly tokens = new Map<object, string>();
  readonly caches = new Set<Cache>();
  sessions = 0;
}

/** A KeySpace without a network: as strict as the real one, since it passes the same suite. */
export class MemoryKeySpace implements KeySpace {
  readonly #fabric: MemoryFabric;
  readonly #clock: Clock;
  readonly #onFault: (error: EdgeError) => void;
  readonly #ends = new Set<() => void>();
  readonly #caches = new Map<string, Cache>();
  #closed = false;
  readonly #id: string;

  constructor(clock: Clock, fabric = new MemoryFabric(), onFault: (error: EdgeError) => void = () => {}) {
    this.#clock = clock;
    this.#fabric = fabric;
    this.#onFault = onFault;
    fabric.sessions += 1;
    this.#id = fabric.sessions.toString(16);
  }

  id(): string {
    return this.#id;
  }

  async put(key: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    this.#check('put', key);
    const value: KeyValue = {
      key,
      payload: payload.slice(),
      encoding: options.encoding ?? 'zenoh/bytes',
      kind: 'put',
      ...(options.attachment === undefined ? {} : { attachment: options.attachment.slice() }),
    };
    if (options.cache !== undefined) this.#keep(value, options.cache);
    this.#deliver(value);
  }

  async delete(key: string): Promise<void> {
    this.#check('delete', key);
    this.#deliver({ key, payload: new Uint8Array(0), encoding: 'zenoh/bytes', kind: 'delete' });
  }

  async subscribe(
    keyExpr: string,
    onValues: (values: readonly KeyValue[]) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#check('subscribe', keyExpr);
    const reader: Reader = {
      keyExpr,
      onValues,
      depth: options.depth ?? 1024,
      queue: [],
      dropped: 0,
      due: false,
    };
    const declared = this.#declare(keyExpr, this.#fabric.readers, reader);
    if (options.history === true) {
      for (const { key, values } of this.#fabric.caches) {
        if (intersects(keyExpr, key)) for (const value of values) this.#enqueue(reader, value);
      }
    }
    return { ...declared, dropped: () => reader.dropped };
  }

  async query(selector: string, options: Parameters<KeySpace['query']>[1]): Promise<readonly Reply[]> {
    const [keyExpr = '', parameters = ''] = selector.split(/\?(.*)/s);
    this.#check('query', keyExpr);
    const matching = [...this.#fabric.answerers].filter(
      (a) => intersects(a.keyExpr, keyExpr) && (options.target !== 'all_complete' || a.complete),
    );
    const query: Query = {
      key: keyExpr,
      parameters,
      payload: options.payload?.slice(),
      encoding: options.payload ? (options.encoding ?? 'zenoh/bytes') : (options.encoding ?? ''),
      ...(options.attachment === undefined ? {} : { attachment: options.attachment.slice() }),
    };
    const replies: Reply[] = [];
    const { signal } = options;
    const add = (reply: Reply) => {
      if (signal?.aborted) return;
      replies.push(reply);
      options.onReply?.(reply);
    };
    const asked = matching.map((answerer) => this.#ask(answerer, query, selector, options.timeoutMs, add));
    const aborted = new Promise<void>((resolve) => {
      if (signal?.aborted) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.#orClosed(Promise.race([Promise.all(asked), aborted]), 'query', selector);
    return replies;
  }

  async queryable(
    keyExpr: string,
    answer: (query: Query, part: AnswerPart) => Promise<Answer>,
    {
      complete = false,
      timeoutMs = 60_000,
    }: { readonly complete?: boolean; readonly timeoutMs?: number } = {},
  ): Promise<Declaration> {
    this.#check('queryable', keyExpr);
    return this.#declare(keyExpr, this.#fabric.answerers, { keyExpr, answer, complete, timeoutMs });
  }

  async liveliness(key: string): Promise<Declaration> {
    this.#check('liveliness', key);
    const token = {};
    this.#fabric.tokens.set(token, key);
    this.#announce(key, true);
    const end = () => {
      if (this.#fabric.tokens.delete(token)) this.#announce(key, false);
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    return { keyExpr: key, undeclare: async () => end() };
  }

  async watchLiveliness(
    keyExpr: string,
    onChange: (key: string, alive: boolean) => void,
  ): Promise<Declaration> {
    this.#check('watch liveliness', keyExpr);
    const watcher: Watcher = { keyExpr, onChange };
    for (const key of this.#fabric.tokens.values()) {
      if (intersects(key, keyExpr)) this.#tell(watcher, key, true);
    }
    return this.#declare(keyExpr, this.#fabric.watchers, watcher);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of [...this.#ends]) end();
  }

  async #ask(
    answerer: Answerer,
    query: Query,
    selector: string,
    timeoutMs: number,
    add: (reply: Reply) => void,
  ): Promise<void> {
    const key = isKey(answerer.keyExpr) ? answerer.keyExpr : query.key;
    const good = (answer: Answer): Reply => ({
      ok: true,
      value: { ...answer, payload: answer.payload.slice(), key, kind: 'put' },
    });
    let over = false;
    const part: AnswerPart = (answer) => {
      if (!over) add(good(answer));
    };
    try {
      const work = Promise.resolve().then(() => answerer.answer(query, part));
      const limitMs = Math.min(timeoutMs, answerer.timeoutMs);
      const answer = await withDeadline(this.#clock, limitMs, work, 'query', selector);
      over = true;
      add(good(answer));
    } catch (error) {
      over = true;
      const typed = EdgeError.from(error, 'zenoh.failed', 'answer query', answerer.keyExpr);
      add({ ok: false, error: typed.toBody() });
    }
  }

  #declare<T extends object>(keyExpr: string, set: Set<T>, entry: T): Declaration {
    set.add(entry);
    const end = () => {
      set.delete(entry);
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    return { keyExpr, undeclare: async () => end() };
  }

  #keep(value: KeyValue, depth: number): void {
    const cache = this.#caches.get(value.key) ?? { key: value.key, values: [] };
    if (!this.#caches.has(value.key)) {
      this.#caches.set(value.key, cache);
      this.#declare(value.key, this.#fabric.caches, cache);
    }
    cache.values.push(value);
    if (cache.values.length > depth) cache.values.shift();
  }

  #deliver(value: KeyValue): void {
    for (const reader of this.#fabric.readers) {
      if (intersects(reader.keyExpr, value.key)) this.#enqueue(reader, value);
    }
  }

  #enqueue(reader: Reader, value: KeyValue): void {
    if (reader.queue.length >= reader.depth) {
      reader.queue.shift();
      reader.dropped += 1;
    }
    reader.queue.push(value);
    this.#schedule(reader);
  }

  #schedule(reader: Reader): void {
    if (reader.due) return;
    reader.due = true;
    setImmediate(() => {
      reader.due = false;
      if (!this.#fabric.readers.has(reader)) return;
      this.#run(reader.keyExpr, () => reader.onValues(reader.queue.splice(0, BATCH_MAX)));
      if (reader.queue.length > 0) this.#schedule(reader);
    });
  }

  #announce(key: string, alive: boolean): void {
    for (const watcher of this.#fabric.watchers) {
      if (intersects(key, watcher.keyExpr)) this.#tell(watcher, key, alive);
    }
  }

  #tell(watcher: Watcher, key: string, alive: boolean): void {
    setImmediate(() => this.#run(watcher.keyExpr, () => watcher.onChange(key, alive)));
  }

  #run(subject: string, handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#onFault(EdgeError.from(error, 'internal.fault', 'handle values', subject));
    }
  }

  #orClosed<T>(work: Promise<T>, operation: string, subject: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#ends.delete(end);
        reject(new EdgeError('zenoh.closed', { operation, subject }));
      };
      this.#ends.add(end);
      work.then(resolve, reject).finally(() => this.#ends.delete(end));
    });
  }

  #check(operation: string, keyExpr: string): void {
    if (this.#closed) throw new EdgeError('zenoh.closed', { operation, subject: keyExpr });
    const fault = keyExprFault(keyExpr);
    if (fault === undefined) return;
    throw new EdgeError('zenoh.failed', {
      operation,
      subject: keyExpr,
      message: `the key expression ${fault}`,
      retryable: false,
    });
  }
}
