import {
  type Application,
  type BlobStore,
  type CellBus,
  type Clock,
  EdgeError,
  type ErrorBody,
  type EventKind,
  fromWireTime,
  type Harness,
  type IdSource,
  type Intent,
  type LanguageModel,
  LIMITS,
  type Nanoseconds,
  type NewEvent,
  type Robot,
  type RunContext,
  type RunOutcome,
  type RunTools,
  type Timer,
  type Tool,
  toMs,
  withDeadline,
} from '../../contract/index.ts';
import { ObservedRobot } from './observed-robot.ts';
import { PauseGate } from './pause-gate.ts';
import type { PolicyGate } from './policy-gate.ts';
import { RunMessages } from './run-messages.ts';
import { RunRobot } from './run-robot.ts';
import type { Told } from './run-store.ts';
import { GatedTools } from './run-tools.ts';
import type { RunView } from './run-view.ts';
import { GatedToolBox } from './tool-box.ts';
import { type Instead, ToolGate } from './tool-gate.ts';
import { ToolJournal } from './tool-journal.ts';

export type RunParts = {
  readonly view: RunView;
  readonly app: Application;
  readonly harness: Harness;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  /** With the robot time of its newest answer. */
  readonly robot: Robot & { lastTime(): Nanoseconds | undefined };
  readonly bus: Pick<CellBus, 'request'>;
  readonly recording: RunTools['recording'];
  /** Tools that this application may have; asked once per attempt. */
  readonly tools: (app: Application) => readonly Tool[];
  readonly models: ModelsOfRun | undefined;
  readonly blobs: BlobStore | undefined;
  readonly told: Told;
  /** For a replay: answers calls in place of the world. */
  readonly instead?: Instead;
  /** Appends and folds; resolves when durable. */
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/** Models as one run sees them: judged by the hooks, counted against its tenant, in the log. */
export type ModelsOfRun = (run: {
  readonly runId: string;
  readonly intent: Intent;
  readonly app: Application;
  readonly signal: AbortSignal;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
}) => LanguageModel | undefined;

type Ending = { readonly why: 'cancel' | 'deadline' | 'shutdown'; readonly reason: string };

/** What a harness may write itself; the life of the run and its tool calls belong to this cell. */
const HARNESS_KINDS: ReadonlySet<EventKind> = new Set([
  'run.phase',
  'session.entry',
  'model.called',
  'model.returned',
  'extension.state',
]);

/** From an abort to leaving a harness behind: its tool calls settle first, and they stop the robot. */
const HARNESS_SETTLE_MS = LIMITS.RUN_SETTLE_MS + LIMITS.ROBOT_STOP_MS + 200;

/** The longest delay a timer takes without wrapping around. */
const TIMER_MS_MAX = 2_147_483_647;

/**
 * One attempt at a run: from `run.started` to `run.finished`, whatever the harness does. On cancel and on
 * its deadline the run is aborted, the robot is stopped, and only then the end is written. A harness that
 * does not let go is left behind: its late calls are refused. On shutdown the run stays unfinished in the
 * log and goes on at the next start.
 */
export class ActiveRun {
  readonly #parts: RunParts;
  readonly #abort = new AbortController();
  readonly #pause = new PauseGate();
  readonly messages: RunMessages;
  #ending: Ending | undefined;
  #closed = false;
  #done: Promise<void> | undefined;
  #observed: ObservedRobot | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.messages = new RunMessages(parts.told.messages);
  }

  /** Settles when the attempt is over and its end is durable; rejects only if that could not be written. */
  run(): Promise<void> {
    this.#done ??= this.#execute();
    return this.#done;
  }

  /** Aborts and waits for the end. */
  async end(why: Ending['why'], reason: string): Promise<void> {
    this.#ending ??= { why, reason };
    this.#abort.abort(
      new EdgeError('run.cancelled', { operation: why, subject: this.#runId, message: reason }),
    );
    await this.#done;
  }

  /** The robot stands and the pause is durable when this settles. What is under way ends as a stopped robot ends it. */
  async pause(reason: string): Promise<void> {
    if (this.#pause.shut || this.#ending) return;
    this.#pause.close();
    await this.#safeState('the run is paused');
    await this.#status('paused', 'running', reason);
  }

  async proceed(reason: string): Promise<void> {
    if (!this.#pause.shut) return;
    await this.#status('running', 'paused', reason);
    this.#pause.open();
  }

  async #status(status: 'paused' | 'running', previous: 'paused' | 'running', reason: string): Promise<void> {
    await this.#append([
      {
        kind: 'run.status',
        run_id: this.#runId,
        payload: { status, previous, reason: reason.slice(0, 512) },
      },
    ]);
  }

  get #runId(): string {
    return this.#parts.view.state.run_id;
  }

  async #execute(): Promise<void> {
    const { view, app } = this.#parts;
    const resumed = view.startedTs !== undefined;
    const refusal = this.#refusal(resumed);
    if (refusal)
      return await this.#finish({ status: 'failed', reason: refusal.message, summary: {} }, refusal);
    const attempt = resumed ? view.state.attempt + 1 : 1;
    const from = resumed && view.phase !== undefined ? { resumed_from: view.phase } : {};
    await this.#parts.append([{ kind: 'run.started', run_id: this.#runId, payload: { attempt, ...from } }]);
    // A motion of the attempt before may still be under way: its robot has not heard of the cut.
    if (resumed) await this.#stopRobot('the run is resumed').catch(() => undefined);
    const timer = this.#armDeadline(app.deadlineMs);
    try {
      await this.#attempt(attempt);
    } finally {
      timer.cancel();
      this.#closed = true;
    }
  }

  async #attempt(attempt: number): Promise<void> {
    const gate = this.#gate();
    let outcome: RunOutcome;
    let fault: EdgeError | undefined;
    try {
      if (this.#ending) throw this.#over();
      outcome = await this.#outcome(this.#context(attempt, gate));
    } catch (thrown) {
      fault = EdgeError.from(thrown, 'internal.fault', 'execute', this.#parts.app.name);
      outcome = { status: 'failed', reason: fault.message, summary: {} };
    }
    // Whatever was left moving stands still before the world hears that the run is over.
    if (this.#ending || outcome.status !== 'succeeded' || gate.busy) await this.#safeState();
    if (this.#ending?.why === 'shutdown') return;
    await gate.close('the run is over');
    if (this.#ending) await this.#finishEnded(this.#ending);
    else await this.#finish(outcome, fault);
  }

  /** The harness's outcome, or a rejection soon after an abort that it ignores. */
  #outcome(context: RunContext): Promise<RunOutcome> {
    const work = Promise.resolve().then(() => this.#parts.harness.execute(context));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        // Stopping does not wait for the harness: it may be deaf.
        if (this.#ending?.why !== 'shutdown')
          this.#stopRobot(this.#ending?.reason ?? 'aborted').catch(() => undefined);
        withDeadline(this.#parts.clock, HARNESS_SETTLE_MS, work, 'abort', this.#runId).then(resolve, reject);
      };
      work.then(resolve, reject);
      if (this.#abort.signal.aborted) onAbort();
      else this.#abort.signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #context(attempt: number, gate: ToolGate): RunContext {
    const { view, app, clock, robot, bus, recording, models, blobs, told } = this.#parts;
    const { signal } = this.#abort;
    const { intent } = view;
    const guarded = new ObservedRobot(new RunRobot(gate, robot, signal), {
      runId: this.#runId,
      clock,
      blobs,
    });
    this.#observed = guarded;
    const tools = this.#parts.tools(app);
    const emit = (events: readonly NewEvent[]) => this.#emit(events);
    const resume = view.phase === undefined ? undefined : { phase: view.phase, facts: view.facts };
    return {
      runId: this.#runId,
      intent,
      attempt,
      signal,
      clock,
      robot: guarded,
      tools: new GatedTools(gate, bus, clock, recording),
      toolBox: new GatedToolBox({ runId: this.#runId, intent, clock, gate, blobs, tools }),
      model: models?.({ runId: this.#runId, intent, app, signal, emit: (events) => this.#append(events) }),
      session: told.session,
      onMessage: (handler) => this.messages.onMessage(handler),
      unpaused: () => this.#pause.pass(signal),
      resume: attempt === 1 ? undefined : resume,
      emit,
    };
  }

  #gate(): ToolGate {
    const { view, clock, ids, hooks, robot } = this.#parts;
    return new ToolGate({
      runId: this.#runId,
      intent: view.intent,
      clock,
      ids,
      hooks,
      journal: new ToolJournal(view.calls),
      signal: this.#abort.signal,
      emit: (events) => this.#append(events),
      robotTime: () => robot.lastTime(),
      unpaused: () => this.#pause.pass(this.#abort.signal),
      stopRobot: (reason) => this.#stopRobot(reason),
      instead: this.#parts.instead,
    });
  }

  /** What the harness says goes under its own run and within its own kinds. */
  async #emit(events: readonly NewEvent[]): Promise<void> {
    for (const event of events) {
      if (HARNESS_KINDS.has(event.kind)) continue;
      throw new EdgeError('internal.fault', {
        operation: 'emit',
        subject: event.kind,
        message: `a harness may not write ${event.kind}`,
      });
    }
    if (this.#abort.signal.aborted) throw this.#over();
    await this.#append(events.map((event) => ({ ...event, run_id: this.#runId })));
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    if (this.#closed) throw this.#over();
    await this.#parts.append([...(this.#observed?.take() ?? []), ...events]);
  }

  #over(): EdgeError {
    return new EdgeError('run.cancelled', {
      operation: 'emit',
      subject: this.#runId,
      message: 'the run is over',
    });
  }

  async #finishEnded(ending: Ending): Promise<void> {
    const status = ending.why === 'cancel' ? 'cancelled' : 'failed';
    const code = ending.why === 'cancel' ? 'run.cancelled' : 'deadline.exceeded';
    const error = new EdgeError(code, { operation: 'execute', subject: this.#runId, message: ending.reason });
    await this.#finish({ status, reason: ending.reason, summary: {} }, error);
  }

  async #finish(outcome: RunOutcome, error?: EdgeError): Promise<void> {
    const body: { error?: ErrorBody } = error ? { error: error.toBody() } : {};
    const score = outcome.score === undefined ? {} : { score: Math.min(1, Math.max(0, outcome.score)) };
    await this.#append([
      {
        kind: 'run.finished',
        run_id: this.#runId,
        payload: {
          status: outcome.status,
          reason: outcome.reason.slice(0, 512),
          ...score,
          summary: { ...outcome.summary },
          ...body,
        },
      },
    ]);
    this.#closed = true;
  }

  /** Why this run may not begin or go on. */
  #refusal(resumed: boolean): EdgeError | undefined {
    const { view, app, clock } = this.#parts;
    const interrupted = (message: string) =>
      new EdgeError('run.interrupted', { operation: 'resume', subject: this.#runId, message });
    if (resumed && app.afterCut === 'fail')
      return interrupted('a restart cut it off and its application does not resume');
    if (view.idleAttempts >= LIMITS.RUN_IDLE_ATTEMPTS_MAX) {
      return interrupted(`${view.idleAttempts} attempts in a row ended before they did anything`);
    }
    if (resumed && view.state.attempt >= LIMITS.RUN_ATTEMPTS_MAX) {
      return interrupted(`it was cut off ${view.state.attempt} times`);
    }
    if (view.intent.deadline !== undefined && fromWireTime(view.intent.deadline) <= clock.now()) {
      const message = `the deadline ${view.intent.deadline} passed before the run ${resumed ? 'went on' : 'began'}`;
      return new EdgeError('intent.expired', { operation: 'start', subject: this.#runId, message });
    }
    return undefined;
  }

  #armDeadline(appMs: number): Timer {
    const { view, clock } = this.#parts;
    const own = view.intent.deadline;
    const left = own === undefined ? appMs : Math.min(appMs, toMs(fromWireTime(own) - clock.now()));
    return clock.after(Math.min(Math.max(0, left), TIMER_MS_MAX), () => {
      this.end('deadline', 'the deadline of the run passed').catch(() => undefined);
    });
  }

  /** Best effort within its deadline; the execution cell stops the robot by itself when commands cease. */
  async #safeState(reason = 'the run is over'): Promise<void> {
    try {
      await this.#stopRobot(reason);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.unreachable', 'stop', 'robot');
      this.#parts.report('the robot did not confirm its stop', {
        run_id: this.#runId,
        error: error.toBody(),
      });
    }
  }

  #stopRobot(reason: string): Promise<void> {
    const { clock, robot } = this.#parts;
    return withDeadline(clock, LIMITS.ROBOT_STOP_MS, robot.stop(reason), 'robot.stop', 'robot');
  }
}
