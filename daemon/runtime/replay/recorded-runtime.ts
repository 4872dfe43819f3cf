import {
  type AgentEvent,
  type Application,
  type Clock,
  EdgeError,
  type EventPayload,
  type Harness,
  parseJson,
  type RuntimeLink,
} from '../../../contract/index.ts';
import { RemoteHarness } from '../remote/remote-harness.ts';
import { RemoteRuntimes } from '../remote/remote-runtimes.ts';

type Json = Readonly<Record<string, unknown>>;

/** What ends the words of a verdict: who decided again, and who did not. */
export const DECIDED_THEN = 'what the runtime decided is taken from the record';

/**
 * The harness of a run that a foreign runtime executed, without the runtime: its calls, phases and entries come again in
 * the order of the log, as messages of `contract/RUNTIME.md`, and the daemon does its part again. `before`: what the run
 * wrote before this attempt; `events`: what it wrote in it.
 */
export function recordedRuntime(
  app: Application,
  before: readonly AgentEvent[],
  events: readonly AgentEvent[],
): Harness {
  const { runtime } = app.remote!;
  const runtimes = new RemoteRuntimes({
    ...{ robot: 'replay', clock: timeless(), identities: [{ name: runtime, token: 'replay' }] },
    ...{ heartbeatMs: 60_000, keepMs: 60_000, sessionId: () => 'replay', report: () => {} },
  });
  const link = new RecordedLink(before, events);
  runtimes.connect(runtime, link);
  link.greet();
  return new RemoteHarness(app, runtimes);
}

/**
 * Refuses a run whose end came from the connection of its runtime, of which the log holds no more than the end. Throws
 * `run.not_supported`.
 */
export function refuseLostRuntime(runId: string, events: readonly AgentEvent[]): void {
  const last = events.findLast((event) => event.kind === 'run.finished');
  const code = last?.payload.error?.code;
  if (code !== 'runtime.lost' && code !== 'runtime.refused') return;
  throw new EdgeError('run.not_supported', {
    ...{ operation: 'replay', subject: runId },
    message: `the run ended by its connection to the runtime (${code}), which is not in the record`,
    hint: 'auraison run diff, run trace and policy rejudge work on its record',
  });
}

/** The recorded runtime's side of a connection. */
class RecordedLink implements RuntimeLink {
  readonly peer = 'replay';
  readonly #before: readonly AgentEvent[];
  readonly #events: readonly AgentEvent[];
  readonly #waiting = new Map<string, () => void>();
  #take: (text: string) => void = () => {};
  #seq = 0;
  #closed = false;

  constructor(before: readonly AgentEvent[], events: readonly AgentEvent[]) {
    this.#before = before;
    this.#events = events;
  }

  greet(): void {
    this.#raw({ type: 'hello', versions: [1], agents: ['*'], capabilities: ['stream', 'messages'] });
  }

  send(text: string): void {
    const message = parseJson(text) as Json & { readonly seq?: number };
    queueMicrotask(() => this.#hear(message));
  }

  close(): void {
    this.#closed = true;
  }

  onText(take: (text: string) => void): void {
    this.#take = take;
  }

  onClose(): void {}

  #hear(message: Json & { readonly seq?: number }): void {
    if (this.#closed) return;
    if (message.seq !== undefined) this.#raw({ type: 'ack', received: message.seq });
    const { type, run, call, batch } = message;
    if (type === 'spawn') this.#say({ type: 'spawned', run });
    if (type === 'invoke') void this.#work(String(run));
    if (type === 'result') this.#waiting.get(`call ${call}`)?.();
    if (type === 'noted') this.#waiting.get(`batch ${batch}`)?.();
  }

  /** Says what the record says, and waits where the runtime had waited by then. */
  async #work(run: string): Promise<void> {
    const calls = new Map<string, EventPayload<'tool.called'>>();
    for (const event of [...this.#before, ...this.#events])
      if (event.kind === 'tool.called') calls.set(event.payload.call_id, event.payload);
    const open = new Map<string, Promise<void>>();
    const ask = ({ call_id, origin_id: call, tool, args }: EventPayload<'tool.called'>) => {
      if (call === undefined) return;
      open.set(call_id, this.#answer(`call ${call}`));
      this.#say({ type: 'call', run, call, tool, args });
    };
    for (const [index, event] of this.#events.entries()) {
      if (event.kind === 'tool.called') ask(event.payload);
      else if (event.kind === 'tool.returned') {
        const { call_id } = event.payload;
        const known = calls.get(call_id);
        // An earlier attempt left it open: called again it is repeated, or answered with `run.interrupted`.
        if (known && !open.has(call_id) && !isForgotten(known, event.payload)) ask(known);
        await open.get(call_id);
      } else if (event.kind === 'run.phase' || event.kind === 'session.entry')
        await this.#note(run, `${index}`, event);
      else if (event.kind === 'run.finished') this.#finish(run, event.payload);
    }
  }

  async #note(run: string, batch: string, event: AgentEvent<'run.phase' | 'session.entry'>): Promise<void> {
    const noted = this.#answer(`batch ${batch}`);
    const { kind, payload } = event;
    this.#say({ type: 'events', run, batch, events: [{ kind, payload: saidIn({ ...payload }) }] });
    await noted;
  }

  /** What ended the run otherwise (a person, a deadline) does so again. */
  #finish(run: string, { status, reason, summary, score, error }: EventPayload<'run.finished'>): void {
    if (error !== undefined) return;
    this.#say({
      ...{ type: 'finish', run, status, reason },
      ...(summary === undefined ? {} : { summary }),
      ...(score === undefined ? {} : { score }),
    });
  }

  #answer(key: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(key, resolve));
  }

  #say(message: Json): void {
    this.#raw({ ...message, seq: ++this.#seq });
  }

  #raw(message: Json): void {
    if (!this.#closed) this.#take(JSON.stringify(message));
  }
}

/** It could have been repeated, and was not called again: the next call of the runtime ended it. */
function isForgotten(
  { replay }: EventPayload<'tool.called'>,
  { error }: EventPayload<'tool.returned'>,
): boolean {
  return replay === 'safe' && error?.code === 'run.interrupted';
}

/** What a runtime says of an event; the daemon adds the rest. */
function saidIn({ previous: _, session_id: __, ...said }: Record<string, unknown>): Record<string, unknown> {
  return said;
}

/** No heartbeat is missed and no second is full: the messages of a whole run may come within one. */
function timeless(): Clock {
  const never = { cancel: () => {} };
  let ms = 0;
  const monotonicMs = () => {
    ms += 1_000;
    return ms;
  };
  return { now: () => 0n, monotonicMs, after: () => never, every: () => never };
}
