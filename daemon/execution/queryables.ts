import { type Clock, EdgeError, type KeySpace, type Timer } from '../../contract/core.ts';

export type QueryablesStatus = {
  readonly driver: string;
  readonly connected: boolean;
  readonly reason: string;
};

export type QueryablesOptions = {
  readonly clock: Clock;
  readonly driver: string;
  /** Opens the key space; may fail for good (`zenoh.unavailable`) or for now. */
  open(): Promise<KeySpace>;
  /** Declares what this robot answers; called once per opened key space. */
  serve(keySpace: KeySpace): Promise<unknown>;
  /** Told once per new reason. */
  onFault(error: EdgeError): void;
};

const RETRY_MS = 5_000;

/** Keeps the robot's key space open and its queryables declared; a host without a driver says so and goes on. */
export class Queryables {
  readonly #options: QueryablesOptions;
  #keySpace: KeySpace | undefined;
  #reason = 'not started';
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: QueryablesOptions) {
    this.#options = options;
  }

  status(): QueryablesStatus {
    return { driver: this.#options.driver, connected: this.#keySpace !== undefined, reason: this.#reason };
  }

  /** Tries once; on failure it goes on trying in the background. Never rejects. */
  async start(): Promise<void> {
    let keySpace: KeySpace | undefined;
    try {
      keySpace = await this.#options.open();
      await this.#options.serve(keySpace);
      if (this.#closed) return await keySpace.close();
      this.#keySpace = keySpace;
      this.#reason = '';
    } catch (thrown) {
      await keySpace?.close().catch(() => {});
      this.#failed(EdgeError.from(thrown, 'zenoh.failed', 'open key space', 'zenoh'));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#keySpace?.close();
    this.#keySpace = undefined;
    this.#reason = 'closed';
  }

  #failed(error: EdgeError): void {
    const news = this.#reason !== error.message;
    this.#reason = error.message;
    if (news) this.#options.onFault(error);
    // A missing driver does not appear by itself; everything else may pass.
    if (this.#closed || error.code === 'zenoh.unavailable') return;
    this.#retry = this.#options.clock.after(RETRY_MS, () => void this.start());
  }
}
