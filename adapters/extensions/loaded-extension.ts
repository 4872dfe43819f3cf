import {
  type Clock,
  EdgeError,
  type ExtensionEvent,
  type ExtensionEventBody,
  type ExtensionFactory,
  type ExtensionTool,
  type ExtensionView,
  LIMITS,
  STOP_TOOLS,
  type Tool,
  type ToolScope,
  withDeadline,
  wordsOf,
} from '../../contract/core.ts';
import type { CallNote } from '../../io/call-note.ts';
import { toolOf } from './extension-tool.ts';
import { judged, shownTo } from './hook-rules.ts';
import { Registrations } from './registrations.ts';
import { contextOf, type OpenSession, owner, type SessionDoor, scope } from './session-scope.ts';

/** What only ends motion, by the names that models see. */
const STOPS: ReadonlySet<string> = new Set(STOP_TOOLS.map((name) => name.replace('.', '_')));

export type ExtensionParts = {
  readonly app: string;
  /** File, relative to the folder of the application. */
  readonly name: string;
  readonly sha256: string;
  readonly clock: Clock;
  readonly note: CallNote | undefined;
  readonly isolated: (extension: LoadedExtension, reason: string) => void;
  readonly report: (
    level: 'info' | 'warn' | 'error',
    message: string,
    facts: Record<string, unknown>,
  ) => void;
  /** The session of a run, while it is open. */
  readonly sessionOf: (runId: string) => OpenSession | undefined;
};

/**
 * One load of one extension. Whatever of it is called is raced against a deadline; its faults are counted, and so many
 * in a row of one hook, tool or command take it out: hooks are skipped, tools and commands refused.
 */
export class LoadedExtension {
  readonly name: string;
  readonly sha256: string;
  readonly #parts: ExtensionParts;
  readonly #registered: Registrations;
  readonly #inARow = new Map<string, number>();
  #tools: readonly Tool[] = [];
  #out: string | undefined;
  #faults = 0;
  /** What is wrong with a newer version of it. */
  newer = '';

  constructor(parts: ExtensionParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.sha256 = parts.sha256;
    this.#registered = new Registrations(parts.name);
  }

  /** Its key in the note of what is being called. */
  get key(): string {
    return `${this.#parts.app}/${this.name}`;
  }

  /** Reads the module and calls its factory. Rejects with what is wrong with it. */
  async load(read: () => Promise<ExtensionFactory>): Promise<void> {
    this.#parts.note?.know(this.key, this.sha256);
    const load = async () => {
      const factory = await read();
      await factory(this.#registered.api());
    };
    const loading = this.#parts.note?.loads(this.key);
    await this.#bounded(LIMITS.EXTENSION_LOAD_MS, 'load', load).finally(() => loading?.());
    this.#registered.close();
    this.#tools = [...this.#registered.tools.values()].map((tool) =>
      toolOf(tool, (one, args, at) => this.#runTool(one, args, at)),
    );
  }

  get tools(): readonly Tool[] {
    return this.#out === undefined ? this.#tools : [];
  }

  command(name: string): ((args: string, session: OpenSession) => Promise<void>) | undefined {
    const found = this.#registered.commands.get(name);
    if (!found || this.#out !== undefined) return undefined;
    return async (args, session) => {
      const ask = () => found.handler(args, this.#context(session));
      await this.#guarded(`/${name}`, LIMITS.EXTENSION_CALL_MS, session, ask);
    };
  }

  /** Hangs its hooks on a session of Pi. */
  attach(session: OpenSession, door: SessionDoor): void {
    session.doors.set(this.name, door);
    for (const [event, handlers] of this.#registered.hooks)
      door.on(event, async (body: ExtensionEventBody) =>
        // Nothing holds up a stop. Extensions learn of it by its result.
        event === 'tool_call' && STOPS.has(String(body['toolName']))
          ? undefined
          : await this.#hook(event, [...handlers], withEffect(event, body, session), session),
      );
  }

  /** Something that it left behind has failed: a timer, a promise that nothing awaits. */
  blame(thrown: unknown): void {
    this.#count('what it left behind', thrown);
  }

  view(): ExtensionView {
    const { hooks, commands } = this.#registered;
    return {
      app: this.#parts.app,
      extension: this.name,
      state: this.#out === undefined ? 'loaded' : 'isolated',
      reason: this.#out ?? this.newer,
      tools: this.tools.map(({ spec }) => spec.name),
      commands: this.#out === undefined ? [...commands.keys()] : [],
      hooks: [...hooks.keys()],
      sha256: this.sha256,
      faults: this.#faults,
    };
  }

  /** Handlers of one event one after the other; the last answer that counts stands, a block ends it. */
  async #hook(
    event: ExtensionEvent,
    handlers: readonly ((body: never, context: never) => unknown)[],
    body: ExtensionEventBody,
    session: OpenSession,
  ): Promise<unknown> {
    let answer: Record<string, unknown> | undefined;
    for (const handler of handlers) {
      if (this.#out !== undefined) return answer;
      try {
        const ask = async () => {
          const own = handler as (body: unknown, context: unknown) => unknown;
          return judged(event, await own(shownTo(body), this.#context(session)));
        };
        const said = await this.#guarded(`on ${event}`, LIMITS.EXTENSION_HOOK_MS, session, ask);
        answer = said ?? answer;
        if (answer?.['block'] === true) return answer;
      } catch (thrown) {
        // A guard that fails lets nothing through until it is out.
        if (event === 'tool_call')
          return { block: true, reason: `the hook of ${this.name} failed: ${wordsOf(thrown)}` };
      }
    }
    return answer;
  }

  async #runTool(
    tool: ExtensionTool,
    args: Readonly<Record<string, unknown>>,
    at: ToolScope,
  ): Promise<unknown> {
    if (this.#out !== undefined) throw this.#fault(tool.name, `its extension is isolated: ${this.#out}`);
    const session: OpenSession = this.#parts.sessionOf(at.runId) ?? {
      ...{ app: this.#parts.app, runId: at.runId, intent: at.intent, signal: at.signal },
      ...{ say: () => {}, doors: new Map(), view: undefined },
    };
    const { effect = 'write', deadlineMs = LIMITS.EXTENSION_CALL_MS } = tool.edge ?? {};
    const context = this.#context(session, at.signal, effect === 'actuate' ? at.robot : undefined);
    const ask = () => tool.execute(at.callId, args, at.signal, undefined, context);
    return await this.#guarded(`ext.${tool.name}`, deadlineMs, session, ask, at.signal);
  }

  /** Runs code of the extension; counts how it went. */
  async #guarded<T>(
    what: string,
    ms: number,
    session: OpenSession,
    ask: () => T | Promise<T>,
    signal = session.signal,
  ): Promise<T> {
    try {
      const answer = await this.#bounded(ms, what, () => scope.run(session, ask));
      this.#inARow.delete(what);
      return answer;
    } catch (thrown) {
      // An extension may fail while it stops.
      const told = signal.aborted && !isLate(signal.reason);
      if (!told) this.#count(what, thrown);
      throw thrown;
    }
  }

  #count(what: string, thrown: unknown): void {
    const { report, app, isolated } = this.#parts;
    const why = wordsOf(thrown).slice(0, 400);
    const row = (this.#inARow.get(what) ?? 0) + 1;
    this.#inARow.set(what, row);
    this.#faults++;
    report('warn', 'an extension failed', { app, extension: this.name, in: what, error: why, row });
    if (row < LIMITS.EXTENSION_FAULTS_MAX || this.#out !== undefined) return;
    this.#out = `${row} faults in a row in ${what}, the last: ${why}`.slice(0, 512);
    isolated(this, this.#out);
  }

  async #bounded<T>(ms: number, what: string, ask: () => T | Promise<T>): Promise<T> {
    const { clock, note } = this.#parts;
    const owned = () => owner.run(this, ask);
    const begun = note ? note.begin(this.key, owned) : { result: owned(), over: () => {} };
    try {
      return await withDeadline(clock, ms, Promise.resolve(begun.result), what, this.name);
    } finally {
      begun.over();
    }
  }

  #context(session: OpenSession, signal?: AbortSignal, robot?: ToolScope['robot']) {
    const notify = (message: string, kind: string) =>
      this.#parts.report(kind === 'error' ? 'error' : kind === 'warning' ? 'warn' : 'info', message, {
        app: session.app,
        extension: this.name,
        run: session.runId,
      });
    return contextOf({ session, extension: this.name, notify, robot, ...(signal ? { signal } : {}) });
  }

  #fault(subject: string, message: string): EdgeError {
    return new EdgeError('extension.failed', { operation: 'call', subject, message });
  }
}

function isLate(reason: unknown): boolean {
  return reason instanceof EdgeError && reason.code === 'deadline.exceeded';
}

/** A guard knows by its effect whether a call may move the robot, whatever its tool is named. */
function withEffect(event: string, body: ExtensionEventBody, { effects }: OpenSession): ExtensionEventBody {
  const effect = event === 'tool_call' ? effects?.get(String(body['toolName'])) : undefined;
  return effect === undefined ? body : { ...body, effect };
}
