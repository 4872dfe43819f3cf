import { type Clock, EdgeError, type KeySpace, type Timer } from '../../contract/core.ts';

export type KeySpaceStatus = {
  readonly driver: string;
  readonly connected: boolean;
  readonly reason: string;
};

/** Who lives on the session: declared anew in each one. */
export type KeySpaceUser = {
  readonly name: string;
  /** May reject: it is then tried again in a while, and nobody else notices. */
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
  readonly users: readonly KeySpaceUser[];
  /** Told once per new reason. */
  onFault(error: EdgeError): void;
};

const RETRY_MS = 5_000;

/**
 * Keeps the one session of this robot open, for all who use it: queryables, routes. A host without a driver says
 * so and goes on; a session that is lost is opened again, and everybody is declared in the new one.
 */
export class KeySpaceKeeper {
  readonly #options: KeySpaceKeeperOptions;
  readonly #faults = new Map<string, string>();
  #keySpace: KeySpace | undefined;
  #reason = 'not started';
  #retry: Timer | undefined;
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

  /** The session, while one is open; not to be kept: it may be replaced. */
  keySpace(): KeySpace | undefined {
    return this.#keySpace;
  }

  /** Tries once; on failure it goes on trying in the background. Never rejects. */
  async start(): Promise<void> {
    if (this.#closed || this.#keySpace) return;
    try {
      const keySpace = await this.#options.open();
      if (this.#closed) return await keySpace.close();
      this.#keySpace = keySpace;
      this.#reason = '';
      await Promise.all(this.#options.users.map((user) => this.#attach(user, keySpace)));
    } catch (thrown) {
      this.#failed(EdgeError.from(thrown, 'zenoh.failed', 'open key space', 'zenoh'));
    }
  }

  /** The session `lost` is of no use any more: a new one is opened. Ignored for one that was replaced already. */
  async reopen(lost: KeySpace, reason: string): Promise<void> {
    if (this.#keySpace !== lost || this.#closed) return;
    this.#keySpace = undefined;
    this.#faults.clear();
    this.#reason = reason;
    for (const user of this.#options.users) user.detach?.();
    await lost.close().catch(() => {});
    this.#failed(
      new EdgeError('zenoh.closed', { operation: 'keep session', subject: 'zenoh', message: reason }),
    );
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
      const isNews = this.#faults.get(user.name) !== error.message;
      this.#faults.set(user.name, error.message);
      if (isNews) this.#options.onFault(error);
      this.#options.clock.after(RETRY_MS, () => void this.#attach(user, keySpace));
    }
  }

  #failed(error: EdgeError): void {
    const isNews = this.#reason !== error.message || error.code === 'zenoh.closed';
    this.#reason = error.message;
    if (isNews) this.#options.onFault(error);
    // A missing driver does not appear by itself; everything else may pass.
    if (this.#closed || error.code === 'zenoh.unavailable') return;
    const delayMs = error.code === 'zenoh.closed' ? 0 : RETRY_MS;
    this.#retry = this.#options.clock.after(delayMs, () => void this.start());
  }
}
