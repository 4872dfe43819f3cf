import { type CellBus, METHODS } from '../../contract/core.ts';
import type { RecallDesk } from './recall-desk.ts';

/** Answers the calls of recall. Its code, its index and its model are loaded by the first of them: an idle robot has none of it. */
export class RecallOnUse {
  readonly #load: () => Promise<RecallDesk>;
  #desk: Promise<RecallDesk> | undefined;

  constructor(load: () => Promise<RecallDesk>) {
    this.#load = load;
  }

  serve(bus: Pick<CellBus, 'handle'>): void {
    const { recall, recallAgain, recallStatus, recallRebuild } = METHODS.memory;
    bus.handle(recall, async (body) => (await this.#loaded()).ask(body));
    bus.handle(recallAgain, async (body) => (await this.#loaded()).again(body));
    bus.handle(recallStatus, async () => (await this.#loaded()).status());
    bus.handle(recallRebuild, async () => (await this.#loaded()).rebuild());
  }

  async stop(): Promise<void> {
    await (await this.#desk?.catch(() => undefined))?.stop();
  }

  #loaded(): Promise<RecallDesk> {
    this.#desk ??= this.#load().catch((error: unknown) => {
      // The next call tries again.
      this.#desk = undefined;
      throw error;
    });
    return this.#desk;
  }
}
