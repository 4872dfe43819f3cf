import type { EngineShelf, RunningEngine } from './engine-shelf.ts';
import type { ModelRouter, WantedModel } from './model-router.ts';

/** What one reading of the configuration says of models. */
export type ModelsPlan = {
  readonly engine: { readonly key: string; readonly make: () => Promise<RunningEngine | undefined> };
  /** Asked for after the engine is there: the model that it serves is behind it. */
  readonly models: () => readonly WantedModel[];
};

/** Models and the server of this daemon, taken again whenever the configuration is; one reading at a time. */
export class LiveModels {
  readonly #router: ModelRouter;
  readonly #engine: EngineShelf;
  #last: Promise<unknown> = Promise.resolve();

  constructor(router: ModelRouter, engine: EngineShelf) {
    this.#router = router;
    this.#engine = engine;
  }

  /** Rejects where a model cannot be made; the former models then stay in use. */
  take(plan: ModelsPlan): Promise<void> {
    const done = this.#last.then(async () => {
      await this.#engine.take(plan.engine.key, plan.engine.make);
      await this.#router.take(plan.models());
    });
    this.#last = done.catch(() => {});
    return done;
  }

  start(): void {
    this.#engine.start();
    this.#router.start();
  }

  async stop(): Promise<void> {
    await this.#last;
    await this.#router.stop();
    await this.#engine.stop();
  }
}
