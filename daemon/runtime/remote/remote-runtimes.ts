import {
  type Clock,
  EdgeError,
  RUNTIME_CLOSE,
  RUNTIME_LIMITS,
  RUNTIME_VERSION,
  type RuntimeHello,
  type RuntimeLink,
  type RuntimeProgram,
  type RuntimeRunView,
  type RuntimesApi,
  type RuntimeView,
} from '../../../contract/index.ts';
import { openConnection } from './opening.ts';
import { RuntimeSession } from './runtime-session.ts';

export type RemoteRuntimesParts = {
  readonly robot: string;
  readonly clock: Clock;
  readonly identities: readonly { readonly name: string; readonly token: string }[];
  readonly heartbeatMs: number;
  /** How long a session without a connection is kept, milliseconds. */
  readonly keepMs: number;
  /** The program of a runtime that this daemon starts; undefined: it is started elsewhere. */
  readonly programOf?: (name: string) => RuntimeProgram | undefined;
  /** A fresh id that cannot be guessed. */
  readonly sessionId: () => string;
  readonly report: (
    level: 'info' | 'warn',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
};

/** One configured name. */
type Place = {
  readonly name: string;
  session: RuntimeSession | undefined;
  connections: number;
  resumed: number;
  refused: number;
  reason: string;
  /** Runs that want this runtime, connected or not. */
  readonly runs: Set<() => RuntimeRunView>;
  /** Called when there is a new session. */
  readonly waiting: Set<() => void>;
};

/** Foreign runtimes: those that are configured, and their sessions. */
export class RemoteRuntimes implements RuntimesApi {
  readonly #parts: RemoteRuntimesParts;
  readonly #places: ReadonlyMap<string, Place>;

  constructor(parts: RemoteRuntimesParts) {
    this.#parts = parts;
    this.#places = new Map(
      parts.identities.map(({ name }) => [
        name,
        {
          ...{ name, session: undefined, connections: 0, resumed: 0, refused: 0, reason: '' },
          ...{ runs: new Set<() => RuntimeRunView>(), waiting: new Set<() => void>() },
        },
      ]),
    );
  }

  identities() {
    return this.#parts.identities;
  }

  connect(name: string, link: RuntimeLink): void {
    const place = this.#place(name);
    openConnection(link, {
      ...{ name, clock: this.#parts.clock },
      admit: (hello) => this.#admit(place, hello, link),
      refused: (error) => {
        place.refused++;
        place.reason = error.message;
        this.#parts.report('warn', 'a runtime was refused', { runtime: name, reason: error.message });
      },
    });
  }

  runtimes(): readonly RuntimeView[] {
    return [...this.#places.values()].map((place) => this.#view(place));
  }

  disconnect(name: string, reason: string): RuntimeView {
    const place = this.#place(name);
    place.session?.end(RUNTIME_CLOSE.disconnected, reason);
    return this.#view(place);
  }

  #view(place: Place): RuntimeView {
    const program = this.#parts.programOf?.(place.name);
    return { ...viewOf(place), ...(program ? { program } : {}) };
  }

  /** Ends all connections: the daemon stops, and sessions do not outlive it. */
  stop(): void {
    for (const { session } of this.#places.values()) session?.end(RUNTIME_CLOSE.leaving, 'the daemon stops');
  }

  /** The session that can execute runs of this agent now. Throws `runtime.not_found`. */
  session(name: string, agent: string): RuntimeSession | undefined {
    const { session } = this.#place(name);
    return session?.connected && session.has(agent) ? session : undefined;
  }

  /** Calls `there` whenever a session is new or connected again, until the answer is called. */
  watch(name: string, there: () => void): () => void {
    const { waiting } = this.#place(name);
    waiting.add(there);
    return () => waiting.delete(there);
  }

  /** Shows a run among those of its runtime, until the answer is called. */
  show(name: string, view: () => RuntimeRunView): () => void {
    const { runs } = this.#place(name);
    runs.add(view);
    return () => runs.delete(view);
  }

  /** Why no runtime is there. */
  absence(name: string, agent: string): string {
    const { session, reason } = this.#place(name);
    if (session?.connected)
      return `runtime ${name} is connected and has no agent ${agent}: ${session.hello.agents.join(', ')}`;
    return `runtime ${name} is not connected${reason === '' ? '' : ` (${reason})`}`;
  }

  #admit(place: Place, hello: RuntimeHello, link: RuntimeLink): RuntimeSession {
    const { resume } = hello;
    const former = place.session;
    const fits = resume !== undefined && former?.id === resume.session && former.fits(resume.received);
    if (!fits) former?.end(RUNTIME_CLOSE.replaced, 'another connection of this runtime took over');
    const session = fits ? former : this.#open(place, hello);
    place.session = session;
    place.connections++;
    if (fits) place.resumed++;
    link.send(JSON.stringify(this.#welcome(place.name, session, fits)));
    session.use(link, hello, fits ? resume.received : 0);
    this.#parts.report('info', fits ? 'a runtime is back' : 'a runtime is connected', {
      ...{ runtime: place.name, peer: link.peer, agents: hello.agents.slice(0, 8) },
    });
    for (const there of [...place.waiting]) there();
    return session;
  }

  #open(place: Place, hello: RuntimeHello): RuntimeSession {
    const { clock, heartbeatMs, keepMs, sessionId } = this.#parts;
    const session: RuntimeSession = new RuntimeSession(
      {
        ...{ id: sessionId(), name: place.name, clock, heartbeatMs, keepMs },
        over: (reason) => {
          place.reason = reason;
          if (place.session === session) place.session = undefined;
        },
      },
      hello,
    );
    return session;
  }

  #welcome(name: string, session: RuntimeSession, resumed: boolean) {
    const { robot, heartbeatMs, keepMs } = this.#parts;
    return {
      ...{ type: 'welcome', version: RUNTIME_VERSION, name, robot, session: session.id, resumed },
      ...{ received: session.received, heartbeat_ms: heartbeatMs, keep_ms: keepMs },
      limits: {
        frame_bytes: RUNTIME_LIMITS.FRAME_BYTES_MAX,
        window_messages: RUNTIME_LIMITS.WINDOW_MESSAGES,
        window_bytes: RUNTIME_LIMITS.WINDOW_BYTES,
        calls_at_once: RUNTIME_LIMITS.CALLS_AT_ONCE,
      },
    };
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place) return place;
    throw new EdgeError('runtime.not_found', {
      operation: 'find runtime',
      subject: name.slice(0, 64),
      hint: `add [[runtimes.accept]] with name = "${name.slice(0, 64)}"; there are: ${[...this.#places.keys()].join(', ') || 'none'}`,
    });
  }
}

function viewOf({ name, session, connections, resumed, refused, reason, runs }: Place): RuntimeView {
  const { hello, peer = '', id = '', waiting } = session ?? {};
  return {
    ...{ name, peer, connections, resumed, refused, reason, session: id },
    state: session === undefined ? 'absent' : session.connected ? 'connected' : 'lost',
    version: hello?.runtime?.version ?? '',
    language: hello?.runtime?.language ?? '',
    agents: hello?.agents ?? [],
    waiting_messages: waiting?.messages ?? 0,
    waiting_bytes: waiting?.bytes ?? 0,
    runs: [...runs].map((view) => view()),
  };
}
