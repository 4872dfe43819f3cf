import type { Committer } from './committer.ts';
import type { Draft } from './draft.ts';
import { edgeError } from './edge-error.ts';
import { type Committed, type LogHead, LogStore, type StoreInput } from './log-store.ts';

/** Commits on the calling thread: it stands still while the disk works. Saves the memory of a thread. */
export class CallerCommitter implements Committer {
  readonly #input: StoreInput;
  #store: LogStore | undefined;
  readonly dead = false;

  constructor(input: StoreInput) {
    this.#input = input;
  }

  async open(): Promise<LogHead> {
    return this.#guard('log.open', () => {
      this.#store = LogStore.open(this.#input);
      return this.#store.head();
    });
  }

  async commit(drafts: readonly Draft[]): Promise<Committed> {
    return this.#guard('log.append', () => this.#store!.commit(drafts));
  }

  async close(): Promise<void> {
    this.#guard('log.close', () => this.#store?.close());
  }

  #guard<T>(operation: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw edgeError(thrown, operation, this.#input.path);
    }
  }
}
