import type { EngineApi, LanguageModel } from '../../../contract/core.ts';

/** A model server that this daemon runs, with the model behind it. */
export type RunningEngine = {
  readonly api: EngineApi;
  /** The model that it serves, behind its gate; others as they are. */
  wrap(model: LanguageModel): LanguageModel;
  start(): void;
  stop(): Promise<void>;
};

/** The model server that is configured now; none, where none is. One change at a time, as its caller sees to it. */
export class EngineShelf {
  #now: RunningEngine | undefined;
  #key: string | undefined;
  #started = false;

  get api(): EngineApi | undefined {
    return this.#now?.api;
  }

  readonly wrap = (model: LanguageModel): LanguageModel => this.#now?.wrap(model) ?? model;

  /**
   * The server with this key from now on; the same key is the same server, which keeps running. `make` comes first:
   * where it rejects, the former server keeps running. The new one is started by `start`.
   */
  async take(key: string, make: () => Promise<RunningEngine | undefined>): Promise<void> {
    if (key === this.#key) return;
    const made = await make();
    const former = this.#now;
    this.#now = undefined;
    // Both may want the same port and the same memory.
    await former?.stop();
    this.#now = made;
    this.#key = key;
    if (this.#started) this.#now?.start();
  }

  start(): void {
    this.#started = true;
    this.#now?.start();
  }

  async stop(): Promise<void> {
    this.#started = false;
    await this.#now?.stop();
  }
}
