import { AsyncLocalStorage } from 'node:async_hooks';
import { EdgeError, type ExtensionContext, type Intent, type Robot } from '../../contract/core.ts';

/** The part of Pi's API of one session that extensions of this daemon reach. */
export type SessionDoor = {
  on(event: string, handler: (event: never, context: never) => unknown): unknown;
  appendEntry(customType: string, data?: unknown): void;
};

/** A run, while a session of it is open. */
export type OpenSession = {
  readonly app: string;
  readonly runId: string;
  readonly intent: Intent;
  readonly signal: AbortSignal;
  /** What an extension says to the run: durable and counted once. */
  readonly say: (text: string, kind: 'steer' | 'follow_up', extension: string) => void;
  /** What the tools of the run do to the world, by the name that models see. */
  readonly effects?: ReadonlyMap<string, string>;
  /** By extension. */
  readonly doors: Map<string, SessionDoor>;
  /** Pi's own view, once the session has started. */
  view: Readonly<Record<string, unknown>> | undefined;
};

/** Whose code is running, also where it left something behind that fails later. */
export const owner = new AsyncLocalStorage<{ blame(thrown: unknown): void }>();

/** Whose hook, tool or command is running: what it says to "the session" is for that one. */
export const scope = new AsyncLocalStorage<OpenSession>();

/** Throws `extension.failed` where nothing of a session is running. */
export function sessionNow(extension: string, method: string): OpenSession {
  const session = scope.getStore();
  if (session) return session;
  throw new EdgeError('extension.failed', {
    operation: method,
    subject: extension,
    message: `${method} is for hooks, tools and commands of a session; none is running`,
  });
}

export type ContextParts = {
  readonly session: OpenSession;
  readonly extension: string;
  readonly notify: (message: string, kind: string) => void;
  readonly signal?: AbortSignal;
  readonly robot?: Robot | undefined;
};

/** Members of Pi's contexts and sessions that would act beside the log, the gate or the order of a run. */
const REFUSED = new Set([
  ...['abort', 'shutdown', 'compact', 'reload', 'newSession', 'fork', 'navigateTree', 'switchSession'],
  ...['modelRegistry', 'waitForIdle', 'getSystemPromptOptions', 'scopedModels'],
]);

export function contextOf({ session, extension, notify, signal, robot }: ContextParts): ExtensionContext {
  const manager = session.view?.['sessionManager'] as ExtensionContext['sessionManager'];
  const context: ExtensionContext = {
    app: session.app,
    runId: session.runId,
    intent: structuredClone(session.intent),
    mode: 'print',
    hasUI: false,
    signal: signal ?? session.signal,
    robot,
    ui: refusing(
      { notify: (message: string, kind = 'info') => notify(String(message).slice(0, 1_024), String(kind)) },
      extension,
      'ui.',
      () => true,
    ),
    sessionManager: manager && {
      getEntries: () => structuredClone(manager.getEntries()),
      getBranch: () => structuredClone(manager.getBranch()),
      getLeafId: () => manager.getLeafId(),
    },
  };
  return refusing(context, extension, '', (name) => REFUSED.has(name));
}

/** An object whose missing members say that they are missing here. */
export function refusing<T extends object>(
  target: T,
  extension: string,
  prefix: string,
  isRefused: (name: string) => boolean,
): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      if (typeof name === 'string' && !Object.hasOwn(object, name) && name !== 'then' && isRefused(name))
        return () => {
          throw notHere(`${prefix}${name}`, extension);
        };
      return Reflect.get(object, name, receiver) as unknown;
    },
  });
}

export function notHere(method: string, extension: string): EdgeError {
  return new EdgeError('extension.failed', {
    operation: method,
    subject: extension,
    message: `${method} of Pi is not there on a robot`,
    hint: 'see docs/extensions.md for what is',
  });
}
