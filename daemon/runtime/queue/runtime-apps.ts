import type { Application, EdgeError } from '../../../contract/index.ts';
import type { IntentDesk } from '../intents/intent-desk.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { LoadedApps } from './loaded-apps.ts';

type Parts = {
  readonly loaded: LoadedApps;
  readonly desk: IntentDesk;
  readonly store: RunStore;
  /** Applications of today that cannot do their work, each with the reason. */
  readonly check: () => ReadonlyMap<string, EdgeError>;
};

/** The applications of a runtime: those of today, and the versions that runs keep. */
export class RuntimeApps {
  readonly #parts: Parts;
  #refused: ReadonlyMap<string, EdgeError> = new Map();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Those that take no intents, each with the reason. */
  get refused(): ReadonlyMap<string, EdgeError> {
    return this.#refused;
  }

  check(): void {
    this.#refused = this.#parts.check();
  }

  /** Those of today that take intents. */
  names(): readonly string[] {
    return this.#parts.loaded.apps().flatMap(({ name }) => (this.#refused.has(name) ? [] : name));
  }

  /** Those of today that take intents, whole. */
  serving(): readonly Application[] {
    return this.#parts.loaded.apps().filter(({ name }) => !this.#refused.has(name));
  }

  /**
   * From now on these are the applications; runs keep what they started with. Throws `config.invalid`, then nothing
   * changed.
   */
  take(apps: readonly Application[]): void {
    const { loaded, desk, store } = this.#parts;
    loaded.take(apps);
    desk.serve(apps);
    this.check();
    loaded.forget(store.unfinished());
  }

  /** Those of runs that are not over, in the versions that these keep. */
  inUse(): readonly Application[] {
    const { loaded, store } = this.#parts;
    return [...new Set(store.unfinished().flatMap((view) => loaded.of(view)?.app ?? []))];
  }

  /** That of a run, in its version; undefined where no such run or version is here. */
  of(runId: string): Application | undefined {
    const { loaded, store } = this.#parts;
    const view = store.get(runId);
    return view && loaded.of(view)?.app;
  }
}
