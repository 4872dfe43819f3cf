import { type Application, EdgeError, type Harness } from '../../../contract/index.ts';
import { FlowHarness } from '../flow/flow-harness.ts';
import { looped } from '../loop/loop-harness.ts';

export type Loaded = { readonly app: Application; readonly harness: Harness };

export type LoadParts = {
  readonly apps: readonly Application[];
  /** For applications whose harness is not `flow`. */
  readonly harnesses?: Partial<Record<Harness['kind'], (app: Application) => Harness>>;
  /** An older version of a package. Undefined: it was not kept. */
  readonly versionOf?: ((name: string, digest: string) => Application | undefined) | undefined;
};

/** Which application a run belongs to; `digest` of a package, in the version that it started with. */
export type WhoseRun = { readonly app: string; readonly digest?: string | undefined };

/**
 * Applications, each with its harness. The current ones are found by name. A run of a package keeps the version that it
 * started with, also when another version has replaced it or the package is gone.
 */
export class LoadedApps {
  readonly #parts: LoadParts;
  readonly #today = new Map<string, Loaded>();
  readonly #versions = new Map<string, Loaded>();

  /** Throws `config.invalid` where an application cannot be loaded. */
  constructor(parts: LoadParts) {
    this.#parts = parts;
    this.take(parts.apps);
  }

  /** Replaces the current applications. Throws `config.invalid`, and then changes nothing. */
  take(apps: readonly Application[]): void {
    const next = new Map<string, Loaded>();
    for (const app of apps) {
      if (next.has(app.name)) throw broken(app, 'two applications have this name');
      const same = this.#today.get(app.name);
      next.set(app.name, same?.app === app ? same : this.#load(app));
    }
    this.#today.clear();
    for (const [name, loaded] of next) {
      this.#today.set(name, loaded);
      const { digest } = loaded.app;
      if (digest !== undefined) this.#versions.set(keyOf({ app: name, digest }), loaded);
    }
  }

  apps(): readonly Application[] {
    return [...this.#today.values()].map(({ app }) => app);
  }

  has(name: string): boolean {
    return this.#today.has(name);
  }

  get(name: string): Application | undefined {
    return this.#today.get(name)?.app;
  }

  /** The application of this run and its harness. Undefined: it is no longer loaded. */
  of(run: WhoseRun): Loaded | undefined {
    const { app, digest } = run;
    if (digest === undefined) return this.#today.get(app);
    const known = this.#versions.get(keyOf(run));
    if (known) return known;
    const kept = this.#parts.versionOf?.(app, digest);
    if (!kept) return undefined;
    const loaded = this.#load(kept);
    this.#versions.set(keyOf(run), loaded);
    return loaded;
  }

  /** Forgets versions that are neither current nor used by one of these runs. */
  forget(runs: readonly WhoseRun[]): void {
    const needed = new Set(
      [...runs, ...this.apps().map(({ name, digest }) => ({ app: name, digest }))].map(keyOf),
    );
    for (const key of this.#versions.keys()) if (!needed.has(key)) this.#versions.delete(key);
  }

  #load(app: Application): Loaded {
    return { app, harness: looped(app, this.#harnessOf(app)) };
  }

  #harnessOf(app: Application): Harness {
    const own = this.#parts.harnesses?.[app.harness];
    if (own) return own(app);
    if (app.harness !== 'flow') throw broken(app, `there is no ${app.harness} harness here`);
    if (!app.flow) throw broken(app, 'its harness is flow and it has no flow');
    return new FlowHarness(app.flow);
  }
}

function keyOf({ app, digest }: WhoseRun): string {
  return `${app}@${digest}`;
}

function broken(app: Application, message: string): EdgeError {
  return new EdgeError('config.invalid', { operation: 'load application', subject: app.name, message });
}
