import {
  type Application,
  EdgeError,
  LIMITS,
  type RemoteDefinition,
  RUNTIME_LIMITS,
  type RunContext,
  type RunFromRuntime,
  type RunMessage,
  type RunOutcome,
  type RuntimeRunView,
  type Timer,
} from '../../../contract/index.ts';
import { safeCopy } from '../intents/json-safety.ts';
import { RemoteCalls } from './remote-calls.ts';
import { RemoteEvents } from './remote-events.ts';
import type { RemoteRuntimes } from './remote-runtimes.ts';
import type { RunSink, RuntimeSession } from './runtime-session.ts';
import { fittingCalls, wireAnswer } from './wire-answers.ts';

/** Pauses a run while its runtime is lost. */
export type RunPauses = {
  /** Leaves a run as it is that somebody paused already. */
  pause(runId: string, reason: string): Promise<unknown>;
  /** Ends that pause only: what a person paused stays paused. */
  resume(runId: string): Promise<unknown>;
};

export type RemoteRunParts = {
  readonly app: Pick<Application, 'name' | 'version'>;
  readonly remote: RemoteDefinition;
  readonly context: RunContext;
  readonly runtimes: RemoteRuntimes;
  readonly pauses: RunPauses | undefined;
};

type Said = { readonly message_id: string; readonly kind: string; readonly text: string };

/** What a `finish` may say in its summary. */
const SUMMARY_BYTES_MAX = 64 * 1024;
/** Calls of a `spawn`: they leave room for the tools. */
const SPAWN_CALLS_BYTES = 256 * 1024;
const SPAWN_TEXT_BYTES = 192 * 1024;

/**
 * One run in a foreign runtime: it waits for the runtime, spawns the agent, and answers its calls. When the runtime is
 * lost, motions are stopped at once; what the run does then is said by its application. A new session of the runtime
 * gets the run again with its calls so far.
 */
export class RemoteRun {
  readonly #parts: RemoteRunParts;
  readonly #calls: RemoteCalls;
  readonly #events: RemoteEvents;
  readonly #said: Said[] = [];
  readonly #ended = Promise.withResolvers<RunOutcome>();
  readonly #sink: RunSink;
  #over = false;
  #session: RuntimeSession | undefined;
  #state: RuntimeRunView['state'] = 'waiting';
  #patience: Timer | undefined;
  #spawning: Timer | undefined;
  #paused = false;
  #stream = '';

  constructor(parts: RemoteRunParts) {
    this.#parts = parts;
    const { context } = parts;
    this.#calls = new RemoteCalls({ context, wandering: (error) => this.#fail(error) });
    this.#events = new RemoteEvents({
      context,
      openCalls: () => this.#calls.open,
      newPhase: () => this.#calls.newPhase(),
    });
    this.#sink = {
      take: (message) => this.#take(message),
      lost: () => this.#onLost(),
      back: () => this.#onBack(),
      gone: () => this.#onGone(),
    };
  }

  /** Rejects with `runtime.lost`, `runtime.refused`, or what aborted the run. */
  async run(): Promise<RunOutcome> {
    const { context, runtimes, remote } = this.#parts;
    const { signal } = context;
    const onAbort = () => this.#fail(signal.reason as Error);
    const hide = runtimes.show(remote.runtime, () => this.#view());
    const unwatch = runtimes.watch(remote.runtime, () => this.#seek());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    let code = 'done';
    try {
      context.onMessage((message) => this.#message(message));
      this.#seek();
      if (!this.#session) this.#wait();
      return await this.#ended.promise;
    } catch (thrown) {
      code = EdgeError.from(thrown, 'internal.fault', 'execute', context.runId).code;
      throw thrown;
    } finally {
      this.#over = true;
      hide();
      unwatch();
      signal.removeEventListener('abort', onAbort);
      this.#patience?.cancel();
      this.#spawning?.cancel();
      this.#leave(code);
    }
  }

  #view(): RuntimeRunView {
    const { context, app, remote } = this.#parts;
    return {
      ...{ run_id: context.runId, app: app.name, agent: remote.agent, state: this.#state },
      ...{ calls: this.#calls.total, open_calls: this.#calls.open, said: this.#stream },
    };
  }

  /** Takes the session of the runtime, if there is one and this run has none. */
  #seek(): void {
    const { runtimes, remote, context } = this.#parts;
    if (this.#over || this.#session) return;
    const session = runtimes.session(remote.runtime, remote.agent);
    if (!session) return;
    this.#session = session;
    this.#unwait();
    session.attach(context.runId, this.#sink);
    this.#state = 'spawning';
    session.post(this.#spawn());
    this.#armSpawn(session);
  }

  #armSpawn(session: RuntimeSession): void {
    const ms = RUNTIME_LIMITS.SPAWN_MS;
    this.#spawning?.cancel();
    this.#spawning = this.#parts.context.clock.after(ms, () => {
      if (this.#state !== 'spawning' || this.#session !== session || !session.connected) return;
      this.#fail(this.#refused(`it did not answer a spawn within ${ms} ms`));
    });
  }

  #spawn(): Record<string, unknown> {
    const { context, app, remote } = this.#parts;
    const { intent, attempt, toolBox, runId } = context;
    const resume = this.#events.now;
    const { calls, leftOut } = fittingCalls(this.#calls.history(), SPAWN_CALLS_BYTES);
    const tools = toolBox
      .specs()
      .map(({ name, description, input, effect }) => ({ name, description, input, effect }));
    const { instructions } = remote;
    return {
      ...{ type: 'spawn', run: runId, attempt, agent: remote.agent },
      app: { name: app.name, version: app.version },
      ...(instructions === undefined ? {} : { instructions: instructions.slice(0, SPAWN_TEXT_BYTES / 4) }),
      ...{ tools: fittingTools(tools), calls, calls_left_out: leftOut, messages: this.#said },
      ...(intent.deadline === undefined ? {} : { deadline: intent.deadline }),
      ...(resume ? { resume } : {}),
    };
  }

  #take(message: RunFromRuntime): void {
    if (this.#over) return;
    switch (message.type) {
      case 'spawned':
        this.#onSpawned(message.error);
        return;
      case 'call':
        void this.#onCall(message);
        return;
      case 'cancel':
        this.#calls.cancel(message.call);
        return;
      case 'events':
        void this.#onEvents(message);
        return;
      case 'stream':
        this.#stream = (this.#stream + message.text).slice(-RUNTIME_LIMITS.STREAM_SHOWN_CHARS);
        return;
      case 'finish':
        void this.#onFinish(message);
        return;
    }
  }

  #onSpawned(error: string | undefined): void {
    if (this.#state !== 'spawning') return;
    this.#spawning?.cancel();
    if (error !== undefined) {
      this.#fail(this.#refused(`it does not execute the run: ${error}`));
      return;
    }
    this.#state = 'working';
    const { context, remote } = this.#parts;
    const { type, params } = context.intent;
    this.#session?.post({
      ...{ type: 'invoke', run: context.runId, intent: { type, params }, text: remote.prompt(params, type) },
    });
  }

  async #onCall({ call, tool, args }: Extract<RunFromRuntime, { type: 'call' }>): Promise<void> {
    const session = this.#session;
    const ended = await this.#calls.call(call, tool, args);
    // Another session gets the answer when it asks again.
    if (this.#over || this.#session !== session) return;
    session?.post({ type: 'result', run: this.#parts.context.runId, call, ...wireAnswer(ended) });
  }

  async #onEvents(message: Extract<RunFromRuntime, { type: 'events' }>): Promise<void> {
    const session = this.#session;
    const { error } = await this.#events.write(message);
    if (this.#over || this.#session !== session) return;
    const { run, batch } = message;
    session?.post({
      ...{ type: 'noted', run, batch, ok: error === undefined },
      ...(error ? { error: error.toBody() } : {}),
    });
  }

  async #onFinish({ status, reason, summary, score }: Extract<RunFromRuntime, { type: 'finish' }>) {
    if (this.#state !== 'working') return;
    try {
      const plain = safeCopy(summary ?? {}, SUMMARY_BYTES_MAX, 'summary') as Record<string, unknown>;
      await this.#events.settled();
      const words = reason.toWellFormed();
      this.#ended.resolve({
        ...{ status, reason: words, summary: plain },
        ...(score === undefined ? {} : { score }),
      });
    } catch (thrown) {
      this.#fail(EdgeError.from(thrown, 'runtime.refused', 'finish', this.#parts.context.runId));
    }
  }

  /** Settles when the runtime has taken it, or will get it with its next `spawn`. */
  #message(message: RunMessage & { readonly messageId: string }): Promise<void> {
    const { kind, messageId } = message;
    const session = this.#session;
    if ((kind !== 'steer' && kind !== 'follow_up') || session?.can('messages') === false)
      return Promise.reject(
        new EdgeError('run.not_supported', {
          ...{ operation: 'message', subject: this.#parts.context.runId },
          message: `the runtime ${this.#parts.remote.runtime} takes no such messages`,
        }),
      );
    const said = { message_id: messageId, kind, text: message.text };
    this.#said.push(said);
    if (this.#said.length > LIMITS.RUN_MESSAGES_WAITING_MAX) this.#said.shift();
    if (!session) return Promise.resolve();
    const run = this.#parts.context.runId;
    return new Promise((resolve) =>
      session.post({ type: 'channel', run, channel: 'person', ...said }, resolve),
    );
  }

  #onLost(): void {
    const { remote, pauses, context } = this.#parts;
    const error = this.#lostError();
    this.#calls.stopMotions(error);
    this.#spawning?.cancel();
    if (remote.lost === 'fail') {
      this.#fail(error);
      return;
    }
    this.#wait();
    if (remote.lost !== 'pause' || !pauses || this.#paused) return;
    this.#paused = true;
    pauses.pause(context.runId, error.message).catch(() => {});
  }

  #onBack(): void {
    this.#unwait();
    if (this.#state === 'spawning' && this.#session) this.#armSpawn(this.#session);
  }

  #onGone(): void {
    if (this.#over) return;
    this.#session = undefined;
    this.#state = 'waiting';
    this.#onLost();
    // A runtime that was started again may be there already.
    this.#seek();
  }

  #wait(): void {
    const { context, remote } = this.#parts;
    const waitMs = remote.lost === 'fail' ? 0 : remote.waitMs;
    this.#patience ??= context.clock.after(waitMs, () => this.#fail(this.#lostError()));
  }

  #unwait(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    if (!this.#paused) return;
    this.#paused = false;
    this.#parts.pauses?.resume(this.#parts.context.runId).catch(() => {});
  }

  #leave(code: string): void {
    const { context } = this.#parts;
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    session.detach(context.runId, this.#sink);
    const { aborted, reason } = context.signal;
    // The run continues after the daemon's next start: the runtime hears of that by its lost connection.
    if (aborted && reason instanceof EdgeError && reason.operation === 'shutdown') return;
    const words = aborted && reason instanceof Error ? reason.message : 'the run is over';
    session.post({ type: 'destroy', run: context.runId, code, reason: words.slice(0, 512) });
  }

  #fail(error: Error): void {
    this.#ended.reject(error);
  }

  #lostError(): EdgeError {
    const { runtimes, remote, context } = this.#parts;
    return new EdgeError('runtime.lost', {
      ...{ operation: 'execute', subject: context.runId },
      message: runtimes.absence(remote.runtime, remote.agent),
      hint: `start the runtime; auraison runtimes show ${remote.runtime} says what is known of it`,
    });
  }

  #refused(what: string): EdgeError {
    const { remote, context } = this.#parts;
    const message = `runtime ${remote.runtime}: ${what}`;
    return new EdgeError('runtime.refused', { operation: 'execute', subject: context.runId, message });
  }
}

/** Where schemas of many tools do not fit into the frame, those of the last ones are left out. */
function fittingTools<T extends { readonly input: unknown }>(tools: readonly T[]): readonly unknown[] {
  let left = RUNTIME_LIMITS.FRAME_BYTES_MAX / 2;
  return tools.map((tool) => {
    left -= Buffer.byteLength(JSON.stringify(tool));
    if (left > 0) return tool;
    const { input: _, ...bare } = tool;
    return bare;
  });
}
