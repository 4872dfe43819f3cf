import {
  type Application,
  type AppsApi,
  type AppView,
  type CellContext,
  EdgeError,
  type NewEvent,
  type Timer,
  TOPICS,
  type Tool,
  withDeadline,
} from '../../../contract/core.ts';
import { keyOf } from './package-key.ts';

/** The packages that lie on the disk of this robot. */
export type AppShelf = {
  readonly apps: readonly { readonly app: Application }[];
  /** Reads everything again. Never throws. */
  read(): void;
  /** Before `read`, in another thread where that takes long; absent: nothing is ahead. Never rejects. */
  prepare?(): Promise<void>;
  views(): readonly AppView[];
  version(name: string, digest: string): Application | undefined;
  trim(needed: Iterable<string>): void;
};

/** The MCP servers of one package. */
export type AppServers = {
  start(): void;
  servers(): readonly { readonly server: string }[];
  refresh(server: string): Promise<unknown>;
  tools(app: string): readonly Tool[];
  stop(): Promise<void>;
};

export type PackagesParts = {
  readonly context: Pick<CellContext, 'clock' | 'bus' | 'report' | 'emit'>;
  readonly builtIn: readonly Application[];
  readonly shelf: AppShelf;
  /** What keeps modules out that ended the cell. */
  readonly guard: { forgive(name: string): void; close(): void };
  /** Whether folders are looked at for changes. */
  readonly watch: boolean;
  /** A text that changes when something in the folders does. Never throws. */
  stamp(): string;
  /** An application that came with the daemon, as people look at it. */
  builtInView(app: Application): AppView;
  /** The servers that a package brings, not started; undefined: none. */
  servers(app: Application): Promise<AppServers | undefined>;
};

/** How long the servers of packages may take to say their tools before nothing waits for them, milliseconds. */
const MCP_READY_MS = 3_000;
/** How often folders are looked at for what changed, milliseconds. */
const WATCH_MS = 2_000;

/** What has to know of applications that come and go. Each keeps what runs started with. */
export type AppTakers = {
  /** Before anything can use them: those of today, and those of runs. */
  ready(apps: readonly Application[]): Promise<void>;
  /** From now on these are those of today. Throws `config.invalid`, then nothing changed. */
  take(today: readonly Application[]): void;
  /** Those of runs that are not over. */
  inUse(): readonly Application[];
  /** Those of today that take no intents, each with the reason. */
  refused(): ReadonlyMap<string, EdgeError>;
};

/** Application packages in the runtime cell: read at start, read again when they change. */
export class Packages implements AppsApi {
  readonly #parts: PackagesParts;
  readonly #mcp = new Map<string, AppServers>();
  #takers: AppTakers | undefined;
  #told: ReadonlyMap<string, string> = new Map();
  #timer: Timer | undefined;
  #stamp: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: PackagesParts) {
    this.#parts = parts;
    // Before they are read: a change from now on is seen as one.
    this.#stamp = parts.stamp();
    parts.shelf.read();
  }

  /** Those of today. */
  today(): readonly Application[] {
    return this.#parts.shelf.apps.map(({ app }) => app);
  }

  /** A version that was kept; undefined: it is gone. */
  versionOf(name: string, digest: string): Application | undefined {
    return this.#parts.shelf.version(name, digest);
  }

  /** Tools of the MCP servers that a package brings. */
  tools(app: Application): readonly Tool[] {
    return this.#mcp.get(keyOf(app))?.tools(app.name) ?? [];
  }

  apps(): readonly AppView[] {
    const refused = this.#takers?.refused();
    return [
      ...this.#parts.builtIn.map((app) => this.#parts.builtInView(app)),
      ...this.#parts.shelf.views(),
    ].map((view) => {
      const error = view.state === 'loaded' && view.reason === '' ? refused?.get(view.name) : undefined;
      return error ? { ...view, state: 'bad', reason: wordsOfFault(error) } : view;
    });
  }

  /** Why a package that would serve this type of intent takes no intents; undefined where no package would serve it. */
  whyNot(type: string): string | undefined {
    const view = this.apps().find(({ state, intents }) => state !== 'loaded' && intents.includes(type));
    return view && `${view.name} is ${view.state}: ${view.reason}`;
  }

  /** Before runs continue: servers of all that may be used. */
  async ready(apps: readonly Application[]): Promise<void> {
    const fresh: Promise<unknown>[] = [];
    for (const app of apps) {
      const key = keyOf(app);
      if (app.digest === undefined || this.#mcp.has(key)) continue;
      const servers = await this.#parts.servers(app);
      if (!servers) continue;
      this.#mcp.set(key, servers);
      servers.start();
      fresh.push(...servers.servers().map(({ server }) => servers.refresh(server)));
    }
    // What its tools are is known before its first run, unless a server is slow: then they come later.
    const known = Promise.allSettled(fresh);
    await withDeadline(this.#parts.context.clock, MCP_READY_MS, known, 'list tools', 'packages').catch(
      () => {},
    );
  }

  async start(takers: AppTakers): Promise<void> {
    this.#takers = takers;
    await this.#tell();
    const { bus, clock } = this.#parts.context;
    bus.onBroadcast(TOPICS.configChanged, () => void this.reloadApps().catch(() => {}));
    // A package that was installed while this cell started: no command could ask it to reload.
    const now = this.#parts.stamp();
    if (now !== this.#stamp) this.#readChanged(now);
    if (!this.#parts.watch) return;
    this.#timer = clock.every(WATCH_MS, () => this.#look());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#last.catch(() => {});
    await Promise.all([...this.#mcp.values()].map((servers) => servers.stop()));
    this.#parts.guard.close();
  }

  /** One after the other. */
  reloadApps(name?: string): Promise<readonly AppView[]> {
    const done = this.#last.then(() => {
      if (name !== undefined) this.#parts.guard.forgive(name);
      return this.#reload();
    });
    this.#last = done.catch(() => {});
    return done.then((views) => {
      if (name === undefined || views.some((view) => view.name === name)) return views;
      throw new EdgeError('api.not_found', {
        operation: 'reload applications',
        subject: name,
        message: `expected the name of an application, found ${name}`,
        hint: 'auraison app list shows the names',
      });
    });
  }

  async #reload(): Promise<readonly AppView[]> {
    const takers = this.#takers;
    if (!takers) {
      // Asked before the start is over: the start reads again.
      this.#stamp = '';
      return this.apps();
    }
    await this.#parts.shelf.prepare?.();
    const before = this.today();
    this.#parts.shelf.read();
    const today = this.today();
    // The former ones stay ready until nothing can start with them.
    await takers.ready([...today, ...before, ...takers.inUse()]);
    takers.take([...this.#parts.builtIn, ...today]);
    const used = [...today, ...takers.inUse()];
    await takers.ready(used);
    await this.#forget(used);
    await this.#tell();
    return this.apps();
  }

  async #forget(used: readonly Application[]): Promise<void> {
    const keys = new Set(used.map(keyOf));
    for (const [key, servers] of this.#mcp) {
      if (keys.has(key)) continue;
      this.#mcp.delete(key);
      await servers.stop();
    }
    try {
      this.#parts.shelf.trim(used.flatMap(({ digest }) => digest ?? []));
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'trim', 'apps').message;
      this.#parts.context.report('warn', 'old versions of packages could not be deleted', { error });
    }
  }

  /** A change that is still being written is seen twice: it counts when two looks in a row saw the same. */
  #look(): void {
    const now = this.#parts.stamp();
    const settled = now === this.#seen;
    this.#seen = now;
    if (settled && now !== this.#stamp) this.#readChanged(now);
  }
  #seen = '';

  #readChanged(stamp: string): void {
    this.#stamp = stamp;
    void this.reloadApps().catch((thrown: unknown) =>
      this.#parts.context.report('error', 'packages could not be read again', {
        error: EdgeError.from(thrown, 'internal.fault', 'reload', 'apps').message,
      }),
    );
  }

  /** Each change once, in the log of events and in that of the daemon. Never rejects. */
  async #tell(): Promise<void> {
    // What comes with the daemon is no news, unless something is wrong with it.
    const views = this.apps().filter(
      ({ source, state }) =>
        source !== 'built-in' && state !== 'off' && (source !== 'shipped' || state === 'bad'),
    );
    const now = new Map(
      views.map((view) => [
        `${view.folder}`,
        JSON.stringify([view.name, view.digest, view.state, view.reason]),
      ]),
    );
    const changed = views.filter(({ folder }) => this.#told.get(folder) !== now.get(folder));
    const gone = [...this.#told].filter(([folder]) => !now.has(folder));
    this.#told = now;
    for (const { name, folder, state, reason } of changed) {
      if (reason !== '')
        this.#parts.context.report('error', `application package ${name}: ${reason}`, { folder });
      else this.#parts.context.report('info', `application package ${name} is ${state}`, { folder });
    }
    const events: NewEvent[] = [
      ...changed.map(stateEvent),
      ...gone.map(([, was]) => goneEvent((JSON.parse(was) as [string])[0])),
    ];
    if (events.length === 0) return;
    await this.#parts.context.emit(events).catch((error: Error) =>
      this.#parts.context.report('error', 'what became of packages could not be logged', {
        error: error.message,
      }),
    );
  }
}

function wordsOfFault({ message, hint }: EdgeError): string {
  return hint === '' ? message : `${message} (${hint})`;
}

function stateEvent({ name, version, digest, state, reason }: AppView): NewEvent<'app.state'> {
  const isBad = state === 'bad' || reason !== '';
  return {
    kind: 'app.state',
    payload: {
      app: nameOf(name),
      version,
      ...(digest === '' ? {} : { digest }),
      state: isBad ? 'bad' : 'loaded',
      reason: reason.slice(0, 512),
    },
  };
}

function goneEvent(name: string): NewEvent<'app.state'> {
  const payload = {
    app: nameOf(name),
    version: '',
    state: 'removed',
    reason: 'it no longer exists',
  } as const;
  return { kind: 'app.state', payload };
}

/** The folder of a bad package may have any name. */
function nameOf(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._/-]/g, '_').replace(/^[^A-Za-z0-9]+/, '');
  return plain.slice(0, 128) || 'unnamed';
}
