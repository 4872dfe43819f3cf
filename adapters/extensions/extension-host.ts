import {
  type Application,
  type Clock,
  EdgeError,
  type ExtensionFactory,
  type ExtensionsApi,
  type ExtensionView,
  type NewEvent,
  type RunContext,
  type Tool,
  wordsOf,
} from '../../contract/core.ts';
import type { CallNote } from '../../io/call-note.ts';
import { type ExtensionFile, readExtensionFolder } from './extension-files.ts';
import { isMarked, loadModule } from './load-module.ts';
import { type ExtensionParts, LoadedExtension } from './loaded-extension.ts';
import { type OpenSession, owner, type SessionDoor } from './session-scope.ts';

export type HostParts = {
  readonly apps: readonly Pick<Application, 'name' | 'folder'>[];
  readonly clock: Clock;
  /** What is being called, for the successor after the death of this process; undefined: no call is made. */
  readonly note?: CallNote | undefined;
  readonly emit: (event: NewEvent<'extension.state'>) => void;
  readonly report: ExtensionParts['report'];
  /** Says something to a run; settles when it is durable. */
  readonly say: (
    session: Pick<OpenSession, 'runId' | 'intent'>,
    text: string,
    kind: 'steer' | 'follow_up',
  ) => Promise<void>;
  readonly load?: (path: string) => Promise<ExtensionFactory>;
};

/** An extension that is not there: it could not be loaded, or must not be. */
type Missing = Pick<ExtensionView, 'extension' | 'state' | 'reason' | 'sha256'>;

type Loading = { readonly one?: LoadedExtension; readonly isolated?: true; readonly why?: string };
type Taken = Loading & { readonly file: ExtensionFile; readonly old: LoadedExtension | undefined };

/** The shape in which Pi takes an extension for one session. */
export type SessionExtension = { readonly name: string; readonly factory: (door: SessionDoor) => void };

/** Extensions of all applications of this robot: found, loaded, taken out, read again. */
export class ExtensionHost implements ExtensionsApi {
  readonly #parts: HostParts;
  readonly #loaded = new Map<string, readonly LoadedExtension[]>();
  readonly #missing = new Map<string, readonly Missing[]>();
  readonly #sessions = new Map<string, OpenSession>();
  #apps: HostParts['apps'];
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#apps = parts.apps;
  }

  /** Before the first run. An extension that is broken is a state, never an error. */
  async start(): Promise<void> {
    for (const { name } of this.#apps) await this.#read(name, false);
  }

  /**
   * From now on these are the applications; settles when what is new was read. Sessions keep what they started with.
   */
  async takeApps(apps: HostParts['apps']): Promise<void> {
    const before = new Set(this.#apps.map(({ name }) => name));
    this.#apps = apps;
    for (const name of before) {
      if (apps.some((app) => app.name === name)) continue;
      this.#loaded.delete(name);
      this.#missing.delete(name);
    }
    for (const { name } of apps) if (!before.has(name)) await this.#read(name, false);
  }

  stop(): void {
    this.#parts.note?.close();
  }

  extensions(): readonly ExtensionView[] {
    return this.#apps.flatMap(({ name }) => [
      ...(this.#loaded.get(name) ?? []).map((one) => ({ ...one.view(), app: plain(name) })),
      ...(this.#missing.get(name) ?? []).map((one) => ({
        ...{ app: plain(name), tools: [], commands: [], hooks: [], faults: 0 },
        ...one,
      })),
    ]);
  }

  async reloadExtensions(app: string): Promise<readonly ExtensionView[]> {
    const keys = this.#apps.flatMap(({ name }) => (plain(name) === app ? name : []));
    if (keys.length === 0)
      throw new EdgeError('api.not_found', {
        operation: 'reload extensions',
        subject: app.slice(0, 128),
        message: 'there is no such application',
      });
    for (const key of keys) await this.#read(key, true);
    return this.extensions().filter((one) => one.app === app);
  }

  /** The configuration was read again: what has changed is too. Never rejects. */
  async refresh(): Promise<void> {
    try {
      for (const { name } of this.#apps) await this.#read(name, false);
    } catch (thrown) {
      this.#parts.report('error', 'extensions could not be read again', { error: wordsOf(thrown) });
    }
  }

  /** An uncaught error: true where an extension has left it behind, and it was counted against it. */
  takesStray(thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin): boolean {
    const whose = owner.getStore();
    if (!whose) return false;
    // A rejection may belong to the daemon or to the extension. A throw belongs to the extension only where it comes
    // from its file.
    const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
    if (origin === 'uncaughtException' && stack !== '' && !isMarked(stack)) return false;
    whose.blame(thrown);
    return true;
  }

  tools(app: string): readonly Tool[] {
    return (this.#loaded.get(app) ?? []).flatMap((one) => one.tools);
  }

  /** What a session of a run hangs on; `release` ends it. */
  open(app: string, context: RunContext): readonly SessionExtension[] {
    const loaded = this.#loaded.get(app) ?? [];
    if (loaded.length === 0) return [];
    const { runId, intent, signal } = context;
    const session: OpenSession = {
      ...{ app, runId, intent, signal, doors: new Map(), view: undefined },
      effects: effectsOf(context),
      say: (text, kind, extension) => {
        this.#parts.say({ runId, intent }, text, kind).catch((thrown: unknown) => {
          const error = wordsOf(thrown);
          this.#parts.report('warn', 'what an extension said was not taken', {
            app,
            extension,
            runId,
            error,
          });
        });
      },
    };
    this.#sessions.set(runId, session);
    const first: SessionExtension = {
      name: 'auraison',
      factory: (door) =>
        void door.on('session_start', (_event, view) => {
          session.view = view;
        }),
    };
    return [
      first,
      ...loaded.map((one) => ({ name: one.name, factory: (door: SessionDoor) => one.attach(session, door) })),
    ];
  }

  release(runId: string): void {
    this.#sessions.delete(runId);
  }

  /** The command that a person has called by `/<name> …`; undefined: that was no command of an extension. */
  command(app: string, runId: string, text: string): (() => Promise<void>) | undefined {
    const [, name = '', args = ''] = /^\/([a-z][a-z0-9_-]*)(?:\s+([\s\S]*))?$/.exec(text.trim()) ?? [];
    const session = this.#sessions.get(runId);
    if (name === '' || !session) return undefined;
    for (const one of this.#loaded.get(app) ?? []) {
      const found = one.command(name);
      if (found) return async () => await found(args, session);
    }
    return undefined;
  }

  /** One after the other: a reload sees what the one before it has done. */
  #read(app: string, again: boolean): Promise<void> {
    const done = this.#last.then(() => this.#readNow(app, again));
    this.#last = done.catch(() => {});
    return done;
  }

  async #readNow(app: string, again: boolean): Promise<void> {
    const folder = this.#apps.find(({ name }) => name === app)?.folder;
    if (folder === undefined) return;
    const before = this.#loaded.get(app) ?? [];
    let found: ReturnType<typeof readExtensionFolder>;
    try {
      found = readExtensionFolder(folder);
    } catch (thrown) {
      for (const one of before) one.newer = wordsOf(thrown);
      this.#miss(app, [], { extension: 'extensions', sha256: '' }, wordsOf(thrown), 'failed');
      return;
    }
    const missing: Missing[] = [];
    const former = new Map((this.#missing.get(app) ?? []).map((one) => [one.extension, one]));
    this.#missing.set(app, missing);
    const take = async (file: ExtensionFile): Promise<Taken | undefined> => {
      const old = before.find(({ name }) => name === file.name);
      const known = former.get(file.name);
      const same = (old ?? known)?.sha256 === found.sha256;
      if (same && old && (!again || old.view().state === 'loaded')) return { file, old, one: old };
      if (same && known && !again) return void missing.push(known);
      return { file, old, ...(await this.#load(app, file, found.sha256, again)) };
    };
    const early = new Map<ExtensionFile, Taken | undefined>();
    // One after the other: if this process ends too, it is known which of them ended it.
    for (const file of found.files)
      if (this.#parts.note?.isSuspected(`${app}/${file.name}`)) early.set(file, await take(file));
    const taken = await Promise.all(
      found.files.map((file) => (early.has(file) ? early.get(file) : take(file))),
    );
    const next: LoadedExtension[] = [];
    for (const each of taken) {
      if (!each) continue;
      const one = this.#chosen(app, each, next, missing, found.sha256);
      if (one) next.push(one);
    }
    this.#loaded.set(app, next);
    for (const { name } of before)
      if (!found.files.some((file) => file.name === name))
        this.#tell(app, name, 'unloaded', 'its file is gone');
  }

  /** The new version, the old one where that is broken, or nothing. */
  #chosen(
    app: string,
    { file, old, one, isolated, why }: Taken,
    beside: readonly LoadedExtension[],
    missing: Missing[],
    sha256: string,
  ): LoadedExtension | undefined {
    if (one && one === old) return old;
    const fault = why ?? (one && twice(one, beside));
    if (one && fault === undefined) {
      this.#tell(app, file.name, 'loaded', old ? 'a new version' : '');
      return one;
    }
    if (!old) {
      const state = isolated ? 'isolated' : 'failed';
      this.#miss(app, missing, { extension: file.name, sha256 }, fault ?? '', state);
      return undefined;
    }
    old.newer = `the former version stays in use: ${fault}`;
    this.#tell(app, file.name, 'failed', old.newer);
    return old;
  }

  async #load(app: string, file: ExtensionFile, sha256: string, again: boolean): Promise<Loading> {
    const { clock, note, report, load = loadModule } = this.#parts;
    const one = new LoadedExtension({
      ...{ app, name: file.name, sha256, clock, note, report },
      isolated: (_extension, reason) => this.#tell(app, file.name, 'isolated', reason),
      sessionOf: (runId) => this.#sessions.get(runId),
    });
    if (again) note?.forgive(one.key);
    if (note?.isolated(one.key, sha256))
      return { isolated: true, why: 'it was being called when the runtime cell died; change or reload it' };
    try {
      await one.load(() => load(file.path));
      return { one };
    } catch (thrown) {
      return { why: wordsOf(thrown) };
    }
  }

  #miss(
    app: string,
    missing: Missing[],
    which: Pick<Missing, 'extension' | 'sha256'>,
    reason: string,
    state: 'failed' | 'isolated',
  ): void {
    missing.push({ ...which, state, reason });
    this.#missing.set(app, missing);
    this.#tell(app, which.extension, state, reason);
  }

  #tell(
    app: string,
    extension: string,
    state: 'loaded' | 'failed' | 'isolated' | 'unloaded',
    reason: string,
  ): void {
    const { emit, report } = this.#parts;
    const bad = state === 'failed' || state === 'isolated';
    report(bad ? 'error' : 'info', `extension ${state}`, { app: plain(app), extension, reason });
    emit({
      kind: 'extension.state',
      payload: { app: plain(app), extension: extension.slice(0, 256), state, reason: reason.slice(0, 512) },
    });
  }
}

/** A package is known by its name and version; people know it by its name. */
function plain(key: string): string {
  return key.split('/')[0]!;
}

/** Tools are found by their names: what is wrong with a second one of the same. */
function twice(one: LoadedExtension, beside: readonly LoadedExtension[]): string | undefined {
  const taken = new Set(beside.flatMap(({ tools }) => tools.map(({ spec }) => spec.name)));
  const found = one.tools.find(({ spec }) => taken.has(spec.name));
  return found && `another extension has a tool ${found.spec.name} already`;
}

/** What each tool of the run does to the world, by the name that a model and a hook see. */
function effectsOf({ toolBox }: RunContext): ReadonlyMap<string, string> {
  const specs = toolBox.specs();
  return new Map(specs.map(({ name, effect }) => [name.replace(/[^A-Za-z0-9_-]/g, '_'), effect]));
}
