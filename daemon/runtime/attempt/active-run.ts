import {
  EdgeError,
  LIMITS,
  type NewEvent,
  type RunContext,
  type RunOutcome,
  type Timer,
  type UnwrittenRun,
  withDeadline,
} from '../../../contract/index.ts';
import { endsOfOpenCalls } from '../gate/call-records.ts';
import { ToolGate } from '../gate/tool-gate.ts';
import { ToolJournal } from '../gate/tool-journal.ts';
import { RunApprovals } from '../governance/run-approvals.ts';
import { ObservedReads } from '../robot/observed-reads.ts';
import { HeldEnd } from '../runs/held-end.ts';
import { LogRefusals } from '../runs/log-refusals.ts';
import { budgeted } from '../runs/run-budget.ts';
import { msLeftOf } from '../runs/run-deadline.ts';
import { RunMessages } from '../runs/run-messages.ts';
import { refusalOf } from '../runs/run-refusal.ts';
import { refuseForeign } from './harness-kinds.ts';
import { offeredTools } from './offered-tools.ts';
import type { RunParts } from './run-parts.ts';
import { RunPause } from './run-pause.ts';
import { RunRobot } from './run-robot.ts';
import { RunTakeover } from './run-takeover.ts';
import { GatedTools } from './run-tools.ts';
import { GatedToolBox } from './tool-box.ts';

export type { ModelsOfRun, RunParts } from './run-parts.ts';

type Ending = {
  readonly why: 'cancel' | 'deadline' | 'shutdown';
  readonly reason: string;
  /** The principal that asked for it. */
  readonly by?: string | undefined;
};

export type Halt = 'ends' | 'pauses' | 'paused';

/** After an abort a harness has this long to settle. Its tool calls settle first, and they stop the robot. */
const HARNESS_SETTLE_MS = LIMITS.RUN_SETTLE_MS + LIMITS.MOTION_CANCEL_MS + 200;

/**
 * One attempt at a run, from `run.started` to `run.finished`. On a cancel and at its deadline the run is aborted,
 * then the robot is stopped, and then the end is logged. A harness that does not return in time is abandoned: its
 * late calls are refused. On a shutdown the run stays unfinished in the log, and a new attempt follows at the next
 * start.
 */
export class ActiveRun {
  readonly #parts: RunParts;
  readonly #abort = new AbortController();
  readonly pauses: RunPause;
  readonly #takeover: RunTakeover;
  readonly messages: RunMessages;
  /** The gate of this attempt. */
  #door: ToolGate | undefined;
  #ending: Ending | undefined;
  #closed = false;
  /** True when the harness is done: no new call starts. */
  #leaving = false;
  #done: Promise<void> | undefined;
  #observed: ObservedReads | undefined;
  #torn: Error | undefined;
  /** False: it was not confirmed that the robot stands at the end of the run. */
  #standing = true;
  #posted: Promise<void> = Promise.resolve();
  /** True when the harness is done or has failed. */
  #outcomeKnown = false;
  readonly #refusals = new LogRefusals();
  readonly #end: HeldEnd;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.messages = new RunMessages(parts.told.messages);
    this.pauses = new RunPause({
      runId: this.#runId,
      clock: parts.clock,
      paused: parts.view.state.status === 'paused',
      over: () => this.ending,
      stopRobot: () => this.#safeState('the run is paused'),
      busy: () => this.#door?.busy === true,
      append: (events) => this.#append(events),
    });
    this.#takeover = new RunTakeover({
      pause: this.pauses,
      execution: parts,
      moved: () => this.#door?.moved === true,
      over: () => this.ending,
    });
    this.#end = new HeldEnd({ ...parts, runId: this.#runId });
  }

  /** An end that was ordered and is not in the log yet, also where the log broke the attempt off. */
  get ordered(): Ending | undefined {
    return this.#ending?.why === 'shutdown' ? undefined : this.#ending;
  }

  /** The end of the run while the log refuses it. */
  get unwritten(): UnwrittenRun | undefined {
    return this.#end.waiting;
  }

  /** True while the run is being ended, and after that. */
  get ending(): boolean {
    return this.#ending !== undefined || this.#leaving;
  }

  /** Why nothing should start to move because of this run. `ends`: its end is not durable yet. */
  get halt(): Halt | undefined {
    if (this.ending || this.#outcomeKnown) return 'ends';
    if (!this.pauses.shut) return undefined;
    return this.pauses.pending ? 'pauses' : 'paused';
  }

  /** Settles when the attempt is over and its end is durable. Rejects where the log refused events of the attempt. */
  run(): Promise<void> {
    this.#done ??= this.#execute();
    return this.#done;
  }

  /** Aborts the run and waits for its end. Rejects where the log refuses the end; the write is still tried again. */
  async end(why: Ending['why'], reason: string, by?: string): Promise<void> {
    this.#ending ??= { why, reason, by };
    this.#abort.abort(
      new EdgeError('run.cancelled', { operation: why, subject: this.#runId, message: reason }),
    );
    if (why === 'shutdown') this.#end.giveUp();
    else void this.#parts.endChildren?.(`the run that asked for it is over: ${reason}`).catch(() => {});
    await Promise.race([this.#done, this.#end.refused]);
  }

  /** When this settles, the robot stands and the pause is durable. Running motions end as stopped. */
  pause(reason: string, by?: string): Promise<void> {
    return this.pauses.pause(reason, by);
  }

  /** A holder of a higher rank has taken the robot: the run pauses, at once or before its next motion. */
  takenOver(reason: string): Promise<void> {
    return this.#takeover.taken(reason);
  }

  proceed(reason: string, by?: string): Promise<void> {
    return this.pauses.proceed(reason, by);
  }

  get #runId(): string {
    return this.#parts.view.state.run_id;
  }

  async #execute(): Promise<void> {
    const { view, app } = this.#parts;
    const resumed = view.startedTs !== undefined;
    const refusal = refusalOf(view, app, this.#parts.clock.now());
    if (refusal) {
      // A motion of the previous attempt may still be running, and its calls have no end in the log yet.
      if (resumed) this.#standing = await this.#safeState(refusal.message);
      await this.#append(endsOfOpenCalls(view, refusal.message));
      return await this.#finish({ status: 'failed', reason: refusal.message, summary: {} }, refusal);
    }
    const attempt = resumed ? view.state.attempt + 1 : 1;
    const from = resumed && view.phase !== undefined ? { resumed_from: view.phase } : {};
    await this.#parts.append([
      { kind: 'run.started', run_id: this.#runId, payload: { attempt, ...from } },
      ...(view.state.status === 'paused' ? [this.pauses.event('paused', 'running', view.reason)] : []),
    ]);
    // A motion of the previous attempt may still be running: the robot does not know of the restart.
    if (resumed) await this.#stopRobot('the run is resumed').catch(() => undefined);
    const timer = this.#armDeadline();
    try {
      await this.#attempt(attempt);
    } finally {
      timer.cancel();
      this.#closed = true;
    }
  }

  async #attempt(attempt: number): Promise<void> {
    const approvals = this.#approvals();
    const gate = this.#gate(approvals);
    this.#door = gate;
    let outcome: RunOutcome;
    let fault: EdgeError | undefined;
    try {
      if (this.#ending) throw this.#over();
      // A run that was paused at the restart stays paused.
      await this.pauses.pass(this.#abort.signal);
      const refused = await approvals?.beforeFirstStep();
      if (refused) throw refused;
      outcome = await this.#outcome(await this.#context(attempt, gate));
      // A success while paused is reported when the run continues, unless the run is ended before.
      if (outcome.status === 'succeeded') await this.pauses.pass(this.#abort.signal).catch(() => {});
    } catch (thrown) {
      fault = EdgeError.from(thrown, 'internal.fault', 'execute', this.#parts.app.name);
      outcome = { status: 'failed', reason: fault.message, summary: {} };
    }
    this.#outcomeKnown = true;
    // Motions that were left behind are stopped before the end of the run is reported.
    const busy = gate.busy;
    gate.shut('the run is over');
    // After a success it is too late for a pause.
    this.#leaving = outcome.status === 'succeeded';
    if (this.#ending || outcome.status !== 'succeeded' || busy) this.#standing = await this.#safeState();
    if (this.#ending?.why === 'shutdown') return;
    this.#leaving = true;
    await this.#endChildren();
    // If the log refused events, the attempt is repeated from the last logged event. An end that was ordered is kept.
    await this.#posted;
    const spoilt = this.#torn ?? this.#refusals.cutOff(fault);
    if (this.ordered || !spoilt) this.#end.hold();
    await gate.close('the run is over');
    if (this.ordered) await this.#finishEnded(this.ordered);
    else if (spoilt) throw spoilt;
    else await this.#finish(outcome, fault);
  }

  /** Ends the runs that this run asked for: they never outlive it. */
  async #endChildren(): Promise<void> {
    const reason = `the run that asked for it is over${this.#ending ? `: ${this.#ending.reason}` : ''}`;
    await this.#parts.endChildren?.(reason).catch((thrown: unknown) => {
      const error = EdgeError.from(thrown, 'internal.fault', 'cancel', this.#runId).toBody();
      this.#parts.report('runs that a run asked for did not end in time', { run_id: this.#runId, error });
    });
  }

  /** The outcome of the harness, or a rejection soon after an abort that the harness ignores. */
  #outcome(context: RunContext): Promise<RunOutcome> {
    const work = Promise.resolve().then(() => this.#parts.harness.execute(context));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        // The stop does not wait for the harness, which may never answer.
        if (this.#ending?.why !== 'shutdown')
          this.#stopRobot(this.#ending?.reason ?? 'aborted').catch(() => undefined);
        withDeadline(this.#parts.clock, HARNESS_SETTLE_MS, work, 'abort', this.#runId).then(resolve, reject);
      };
      work.then(resolve, reject);
      if (this.#abort.signal.aborted) onAbort();
      else this.#abort.signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async #context(attempt: number, gate: ToolGate): Promise<RunContext> {
    const { view, app, clock, robot, bus, recording, models, blobs, told, purse } = this.#parts;
    const { signal } = this.#abort;
    const { intent } = view;
    const tools = this.#parts.tools(app, view);
    const first = await offeredTools(this.#runId, tools, blobs);
    const parts = { runId: this.#runId, clock, blobs, first };
    const reads = new ObservedReads(robot, parts);
    this.#observed = reads;
    const box = new GatedToolBox({ runId: this.#runId, intent, clock, gate, blobs, tools, robot });
    const resume = view.phase === undefined ? undefined : { phase: view.phase, facts: view.facts };
    return {
      runId: this.#runId,
      intent,
      attempt,
      signal,
      clock,
      robot: new RunRobot(gate, robot, reads, signal, clock),
      tools: new GatedTools(gate, { bus, clock }, recording, box),
      toolBox: box,
      model: budgeted(
        models?.({ runId: this.#runId, intent, app, signal, emit: (events) => this.#post(events) }),
        view,
        purse,
      ),
      session: told.session,
      inherited: told.inherited,
      onMessage: (handler) => this.messages.onMessage(handler),
      unpaused: () => this.pauses.pass(signal),
      pausedMs: () => this.pauses.pausedMs,
      resume: attempt === 1 ? undefined : resume,
      branch: view.branch,
      round: view.round,
      past: view.calls,
      emit: (events) => this.#emit(events),
    };
  }

  #approvals(): RunApprovals | undefined {
    const { view, approvals: desk } = this.#parts;
    if (!desk) return undefined;
    return new RunApprovals({
      ...{ desk, runId: this.#runId, intent: view.intent, signal: this.#abort.signal },
      append: (events) => this.#append(events),
      rest: async () => void (await this.#safeState('a person is asked')),
      paused: () => this.pauses.shut,
    });
  }

  #gate(approvals: RunApprovals | undefined): ToolGate {
    const { view, clock, ids, hooks, robot, stops } = this.#parts;
    return new ToolGate({
      runId: this.#runId,
      intent: view.intent,
      ...{ clock, ids, hooks, stops, agentOf: robot.agentOf },
      journal: new ToolJournal(view.calls),
      signal: this.#abort.signal,
      emit: (events) => this.#end.note(events, (now) => this.#append(now)),
      robotTime: () => robot.lastTime(),
      unpaused: () => this.pauses.pass(this.#abort.signal),
      pausedMs: () => this.pauses.pausedMs,
      motionTurn: this.#parts.motionTurn,
      beforeMotion: () => this.#takeover.beforeMotion(),
      waitForRobot: (refusal, signal) => this.#takeover.waitForRobot(refusal, signal),
      stopRobot: (reason) => this.#stopRobot(reason),
      stopEverything: (reason) => this.#stopEverything(reason),
      approvals,
      instead: this.#parts.instead,
    });
  }

  /** Appends events of the harness under the id of its run. Only the kinds of a harness are allowed. */
  async #emit(events: readonly NewEvent[]): Promise<void> {
    refuseForeign(events);
    if (this.#abort.signal.aborted) throw this.#over();
    await this.#append(events.map((event) => ({ ...event, run_id: this.#runId })));
  }

  /** For callers that do not wait. A refusal breaks the attempt off, since the log might accept later events. */
  async #post(events: readonly NewEvent[]): Promise<void> {
    const appended = this.#append(events);
    const noted = appended.catch((thrown: Error) => {
      this.#torn ??= thrown;
    });
    const before = this.#posted;
    this.#posted = noted.then(() => before);
    await appended;
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    if (this.#closed) throw this.#over();
    if (this.#torn) throw this.#torn;
    try {
      await this.#parts.append([...(this.#observed?.take() ?? []), ...events]);
    } catch (thrown) {
      throw this.#refusals.note(thrown, this.#runId);
    }
  }

  #over(): EdgeError {
    const message = 'the run is over';
    return new EdgeError('run.cancelled', { operation: 'emit', subject: this.#runId, message });
  }

  async #finishEnded(ending: Ending): Promise<void> {
    const status = ending.why === 'cancel' ? 'cancelled' : 'failed';
    const code = ending.why === 'cancel' ? 'run.cancelled' : 'deadline.exceeded';
    const error = new EdgeError(code, { operation: 'execute', subject: this.#runId, message: ending.reason });
    await this.#finish({ status, reason: ending.reason, summary: {} }, error);
  }

  async #finish(outcome: RunOutcome, error?: EdgeError): Promise<void> {
    this.#leaving = true;
    await this.#end.write(this.#observed?.take() ?? [], outcome, error, {
      ...(this.ordered?.by === undefined ? {} : { by: this.ordered.by }),
      ...(this.#standing ? {} : { stop_confirmed: false }),
    });
    this.#closed = true;
  }

  #armDeadline(): Timer {
    const { view, app, clock } = this.#parts;
    return clock.after(msLeftOf(view, app, clock.now()), () => {
      this.end('deadline', 'the deadline of the run passed').catch(() => undefined);
    });
  }

  /**
   * Tries to stop the robot within a deadline. False: it was not confirmed that the robot stands. The execution cell
   * also stops it when commands cease.
   */
  async #safeState(reason = 'the run is over'): Promise<boolean> {
    try {
      await this.#stopRobot(reason);
      return true;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.unreachable', 'stop', 'robot');
      this.#parts.report('the robot did not confirm its stop', {
        run_id: this.#runId,
        error: error.toBody(),
      });
      return false;
    }
  }

  #stopEverything(reason: string): Promise<void> {
    const { clock, robot } = this.#parts;
    const stopped = robot.stopEverything?.(reason) ?? robot.stop(reason);
    return withDeadline(clock, LIMITS.ROBOT_STOP_MS, stopped, 'robot.stop', 'robot');
  }

  #stopRobot(reason: string): Promise<void> {
    const { clock, robot } = this.#parts;
    return withDeadline(clock, LIMITS.ROBOT_STOP_MS, robot.stop(reason), 'robot.stop', 'robot');
  }
}
