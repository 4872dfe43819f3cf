import { type Clock, EdgeError, type KeySpace, type Timer, withDeadline } from '../../contract/core.ts';

export type KeySpaceStatus = {
  readonly driver: string;
  readonly connected: boolean;
  readonly reason: string;
};

/** Who lives on the session: declared again in each one. */
export type KeySpaceUser = {
  readonly name: string;
  /** May reject: it is then tried again in a while, and no other user notices. */
  attach(keySpace: KeySpace): Promise<unknown>;
  /** The session is gone; nothing has to be undeclared. */
  detach?(): void;
};

export type KeySpaceKeeperOptions = {
  readonly clock: Clock;
  /** Known when a session is open. */
  readonly driver: () => string;
  /** Opens the key space; may fail for good (`zenoh.unavailable`) or for now. */
  open(): Promise<KeySpace>;
  /** Absent: always. Where nothing asks for it, a session that cannot be opened is no fault of this host. */
  isAsked?(): boolean;
  readonly users: readonly KeySpaceUser[];
  /** Called once per new reason. */
  onFault(error: EdgeError): void;
};

const RETRY_MS = 5_000;
const UNASKED = 'nothing asks for it, and this host has no driver: auraison doctor';
/** A session that is lost may not even be closed; it is not waited for longer, milliseconds. */
const CLOSE_MS_MAX = 3_000;

/**
 * Keeps the one session of this robot open, for all who use it: queryables, routes. A host without a driver says
 * so and keeps working; a session that is lost is opened again, and everybody is declared in the new one.
 */
export class KeySpaceKeeper {
  readonly #options: KeySpaceKeeperOptions;
  readonly #faults = new Map<string, string>();
  #keySpace: KeySpace | undefined;
  #reason = 'not started';
  /** What was reported last. */
  #told = '';
  #retry: Timer | undefined;
  #opening = false;
  /** What is being opened is out of date already. */
  #stale = false;
  /** When the session now open was opened, by the monotonic clock. */
  #openedMs = -Infinity;
  #closed = false;

  constructor(options: KeySpaceKeeperOptions) {
    this.#options = options;
  }

  status(): KeySpaceStatus {
    const [fault] = this.#faults.values();
    return {
      driver: this.#options.driver(),
      connected: this.#keySpace !== undefined && fault === undefined,
      reason: fault ?? this.#reason,
    };
  }

  /** Why this robot is not as it should be; undefined: it is, or nothing asks for a session. */
  fault(): string | undefined {
    const { connected, reason } = this.status();
    return connected || this.#isIdle() ? undefined : reason;
  }

  /** The session, while one is open; not to be kept: it may be replaced. */
  keySpace(): KeySpace | undefined {
    return this.#keySpace;
  }

  /** Tries once; on failure it keeps trying in the background. Never rejects. */
  async start(): Promise<void> {
    if (this.#closed || this.#keySpace || this.#opening) return;
    this.#opening = true;
    let keySpace: KeySpace;
    try {
      keySpace = await this.#options.open();
    } catch (thrown) {
      this.#failed(EdgeError.from(thrown, 'zenoh.failed', 'open key space', 'zenoh'), RETRY_MS);
      return;
    } finally {
      this.#opening = false;
    }
    if (this.#closed) return this.#end(keySpace);
    if (this.#stale) {
      this.#stale = false;
      await this.#end(keySpace);
      return this.start();
    }
    this.#told = '';
    this.#keySpace = keySpace;
    this.#openedMs = this.#options.clock.monotonicMs();
    this.#reason = '';
    await Promise.all(this.#options.users.map((user) => this.#attach(user, keySpace)));
  }

  /** The session `lost` is no longer usable: a new one is opened. Ignored for one that was replaced already. */
  async reopen(lost: KeySpace, reason: string): Promise<void> {
    if (this.#keySpace !== lost || this.#closed) return;
    this.#keySpace = undefined;
    this.#faults.clear();
    this.#reason = reason;
    for (const user of this.#options.users) user.detach?.();
    // One that is lost as soon as it is open is not opened again as fast as this host can.
    const { clock } = this.#options;
    const delayMs = clock.monotonicMs() - this.#openedMs < RETRY_MS ? RETRY_MS : 0;
    await this.#end(lost);
    this.#failed(
      new EdgeError('zenoh.closed', { operation: 'keep session', subject: 'zenoh', message: reason }),
      delayMs,
    );
  }

  /** A new session in place of the one there is: what it is opened with has changed. Never rejects. */
  async renew(reason: string): Promise<void> {
    if (this.#closed) return;
    if (this.#opening) this.#stale = true;
    this.#retry?.cancel();
    const old = this.#keySpace;
    if (old) {
      this.#keySpace = undefined;
      this.#faults.clear();
      this.#reason = reason;
      for (const user of this.#options.users) user.detach?.();
      await this.#end(old);
    }
    await this.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    const keySpace = this.#keySpace;
    this.#keySpace = undefined;
    for (const user of this.#options.users) user.detach?.();
    await keySpace?.close();
    this.#faults.clear();
    this.#reason = 'closed';
  }

  async #attach(user: KeySpaceUser, keySpace: KeySpace): Promise<void> {
    if (this.#closed || this.#keySpace !== keySpace) return;
    try {
      await user.attach(keySpace);
      this.#faults.delete(user.name);
    } catch (thrown) {
      if (this.#closed || this.#keySpace !== keySpace) return;
      const error = EdgeError.from(thrown, 'zenoh.failed', 'declare', user.name);
      // It refuses everybody from now on: another try in it is of no use.
      if (error.code === 'zenoh.closed') return this.reopen(keySpace, error.message);
      const isNews = this.#faults.get(user.name) !== error.message;
      this.#faults.set(user.name, error.message);
      if (isNews) this.#options.onFault(error);
      this.#options.clock.after(RETRY_MS, () => void this.#attach(user, keySpace));
    }
  }

  /** It never was open, and nothing of the configuration asks for it. */
  #isIdle(): boolean {
    return this.#openedMs === -Infinity && this.#options.isAsked?.() === false;
  }

  async #end(keySpace: KeySpace): Promise<void> {
    const closing = keySpace.close();
    closing.catch(() => {});
    await withDeadline(this.#options.clock, CLOSE_MS_MAX, closing, 'close', 'zenoh').catch(() => {});
  }

  #failed(error: EdgeError, delayMs: number): void {
    if (this.#closed) return;
    const isNews = error.message !== this.#told;
    this.#told = error.message;
    this.#reason = this.#isIdle() ? UNASKED : error.message;
    if (isNews && !this.#isIdle()) this.#options.onFault(error);
    // A missing driver stays missing; everything else may pass.
    if (error.code === 'zenoh.unavailable') return;
    this.#retry = this.#options.clock.after(delayMs, () => void this.start());
  }
}
