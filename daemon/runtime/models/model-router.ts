import {
  type BlobStore,
  type Budget,
  type Clock,
  EdgeError,
  type IdSource,
  type LanguageModel,
  type ModelRequest,
  type ModelsApi,
  type ModelTest,
  type ModelView,
  type NewEvent,
  type Timer,
} from '../../../contract/core.ts';
import type { ModelsOfRun } from '../attempt/active-run.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import { AnswerCache } from './answer-cache.ts';
import { ModelEntry, type ModelSpec, type StateChange } from './model-entry.ts';
import { RunModel } from './run-model.ts';
import type { ShedGate } from './shed-gate.ts';

/** A model as it is wanted from now on. The same key is the same model: it keeps its state and its figures. */
export type WantedModel = {
  readonly name: string;
  readonly key: string;
  make(): Promise<ModelSpec>;
};

/** How often a model that was taken out is looked at for running calls, and how long at most; milliseconds. */
const RETIRE_LOOK_MS = 1_000;
const RETIRE_MS = 600_000;

export type RouterOptions = {
  /** In the order in which they are asked where nothing else is said. Names are unique. `take` replaces them. */
  readonly models: readonly ModelSpec[];
  readonly hooks: PolicyGate;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly blobs: BlobStore | undefined;
  /** What tenants may spend; asked before each call. Absent: no limit. */
  readonly budget: Budget | undefined;
  /** Answers that would come again the same; 0: none are kept. */
  readonly cacheBytes: number;
  /** How often all servers are asked how they are, milliseconds; 0: only on demand. */
  readonly healthEveryMs: number;
  /** For what happens to models beside any run. Best effort: a log that takes nothing stops no call. */
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  /** Where models on this host give way to the control loops; absent: they never do. */
  readonly shed?: ShedGate;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * The models of this daemon, shared by all runs: who is up, who rests, who waits for whom. Each run sees them as one
 * `LanguageModel` (`RunModel`), judged and logged under that run.
 */
export class ModelRouter implements ModelsApi {
  readonly options: RouterOptions;
  #entries: readonly ModelEntry[];
  readonly #keys = new Map<ModelEntry, string>();
  readonly #retired = new Map<ModelEntry, Timer>();
  #cache: AnswerCache;
  #timer: Timer | undefined;
  #running = false;
  #noneLeft = false;

  /** Throws `config.invalid` for names that are not unique. */
  constructor(options: RouterOptions) {
    this.options = options;
    refuseTwins(options.models.map(({ model }) => model.info.name));
    this.#entries = options.models.map((spec) => this.#entryOf(spec));
    this.#cache = this.#newCache();
  }

  get entries(): readonly ModelEntry[] {
    return this.#entries;
  }

  get cache(): AnswerCache {
    return this.#cache;
  }

  /**
   * These models from now on, in this order. What is unchanged keeps running; running calls at a model that is taken
   * out come to their end. Rejects where one cannot be made: then nothing changed.
   */
  async take(wanted: readonly WantedModel[]): Promise<void> {
    refuseTwins(wanted.map(({ name }) => name));
    const former = this.#entries;
    const made: ModelEntry[] = [];
    const kept = (key: string) => former.find((entry) => this.#keys.get(entry) === key);
    let next: ModelEntry[];
    try {
      next = await Promise.all(
        wanted.map(async ({ key, make }) => {
          const known = kept(key);
          if (known) return known;
          const entry = this.#entryOf(await make());
          made.push(entry);
          this.#keys.set(entry, key);
          return entry;
        }),
      );
    } catch (thrown) {
      await Promise.allSettled(made.map(({ spec }) => spec.model.close()));
      throw thrown;
    }
    this.#entries = next;
    if (made.length > 0) this.#cache = this.#newCache();
    for (const entry of former) if (!next.includes(entry)) this.#retire(entry);
    if (this.#running) await Promise.all(made.map((entry) => this.#look(entry)));
  }

  /** Models for one run; undefined where none is configured. */
  readonly forRun: ModelsOfRun = (run) =>
    this.entries.length === 0 ? undefined : (new RunModel(this, run) satisfies LanguageModel);

  start(): void {
    const { clock, healthEveryMs } = this.options;
    this.#running = true;
    if (healthEveryMs <= 0) return;
    const look = () => void this.refresh();
    this.#timer = clock.every(healthEveryMs, look);
    look();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#running = false;
    for (const timer of this.#retired.values()) timer.cancel();
    const all = [...this.entries, ...this.#retired.keys()];
    await Promise.allSettled(all.map(({ spec }) => spec.model.close()));
  }

  models(): readonly ModelView[] {
    return this.entries.map((entry) => entry.view());
  }

  async refresh(): Promise<readonly ModelView[]> {
    await Promise.all(this.entries.map((entry) => this.#look(entry)));
    return this.models();
  }

  async #look(entry: ModelEntry): Promise<void> {
    try {
      this.changed(entry, entry.seen(await entry.spec.model.health()));
    } catch (thrown) {
      this.#broken(entry, thrown);
    }
  }

  async test(name: string, request: ModelRequest): Promise<ModelTest> {
    const entry = this.#entry(name);
    const { clock } = this.options;
    const began = clock.monotonicMs();
    try {
      const answer = await entry.spec.model.complete(request);
      const durationMs = clock.monotonicMs() - began;
      entry.figures.answered(answer, durationMs, entry.spec.model.info);
      this.changed(entry, entry.answered());
      return { answer, durationMs };
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'model.failed', 'complete', name);
      this.failed(entry, error);
      throw error;
    }
  }

  async wake(name: string): Promise<void> {
    await this.#entry(name).wake();
  }

  /** Requests that wait for a model: here, and at its server. What runs are held back by. */
  queueDepth(): number {
    return this.models().reduce((sum, { waiting, health }) => sum + waiting + (health?.queueDepth ?? 0), 0);
  }

  /** A change of state goes into the log once. */
  changed(entry: ModelEntry, change: StateChange | undefined): void {
    if (change === undefined) return;
    if (change.state === 'up') this.#noneLeft = false;
    this.#tell(entry.name, change.state, change.reason);
  }

  /** A call of it failed. Where the call did not reach it, its health is asked at once. */
  failed(entry: ModelEntry, error: EdgeError): void {
    this.changed(entry, entry.failed(error));
    if (!entry.inDoubt) return;
    entry.spec.model.health().then(
      (health) => this.changed(entry, entry.confirmed(health)),
      (thrown: unknown) => this.#broken(entry, thrown),
    );
  }

  /** No model answered a call. */
  noneLeft(reason: string): void {
    if (this.#noneLeft) return;
    this.#noneLeft = true;
    this.#tell('*', 'none_left', reason);
  }

  #entryOf(spec: ModelSpec): ModelEntry {
    return new ModelEntry(spec, this.options.clock, this.options.shed);
  }

  #newCache(): AnswerCache {
    return new AnswerCache(this.options.cacheBytes, () => this.options.ids.next<string>());
  }

  /** Closed when no call uses it. */
  #retire(entry: ModelEntry): void {
    const { clock } = this.options;
    const since = clock.monotonicMs();
    this.#keys.delete(entry);
    const timer = clock.every(RETIRE_LOOK_MS, () => {
      const busy = entry.slots.taken + entry.slots.waiting > 0;
      if (busy && clock.monotonicMs() - since < RETIRE_MS) return;
      timer.cancel();
      this.#retired.delete(entry);
      entry.spec.model.close().catch(() => {});
    });
    this.#retired.set(entry, timer);
  }

  #broken(entry: ModelEntry, thrown: unknown): void {
    const facts = { model: entry.name, error: String(thrown) };
    this.options.report('the health of a model broke its contract', facts);
  }

  #tell(model: string, state: StateChange['state'] | 'none_left', reason: string): void {
    const payload = { model, state, reason: reason.slice(0, 512) };
    this.options
      .emit([{ kind: 'model.state', payload }])
      .catch((thrown: unknown) =>
        this.options.report('a state of a model could not be logged', { ...payload, error: String(thrown) }),
      );
  }

  #entry(name: string): ModelEntry {
    const entry = this.entries.find((one) => one.name === name);
    if (entry) return entry;
    throw new EdgeError('model.not_found', {
      operation: 'find model',
      subject: name,
      hint: `configured: ${this.entries.map((one) => one.name).join(', ')}`,
    });
  }
}

function refuseTwins(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new EdgeError('config.invalid', {
    operation: 'load models',
    subject: twice,
    message: 'two models have this name',
  });
}
