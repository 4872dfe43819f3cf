import {
  EdgeError,
  fromWireTime,
  isFinished,
  LIMITS,
  type RunLoad,
  type Timer,
  toMs,
  type UnwrittenRun,
  withDeadline,
} from '../../../contract/index.ts';
import { ActiveRun } from '../attempt/active-run.ts';
import { endsOfOpenCalls } from '../gate/call-records.ts';
import { leftOf } from '../runs/run-budget.ts';
import type { RunView } from '../runs/run-view.ts';
import { BranchTurns } from './branch-turns.ts';
import { PressureWatch } from './pressure-watch.ts';
import { type Conditions, RunQueue, type Waiting } from './run-queue.ts';
import { queueRules } from './run-sharing.ts';
import type { SchedulerParts } from './scheduler-parts.ts';
import { TornRuns } from './torn-runs.ts';

/** How often waiting runs are checked for changes that come with time alone, milliseconds. */
const SWEEP_MS = 1_000;
/** Reason of a run whose parent is over. */
const ORPHANED = 'the run that asked for it is over';

type End = 'failed' | 'cancelled';

export type { SchedulerParts } from './scheduler-parts.ts';

/**
 * Starts runs in the order of the queue, and ends them. When a run ends, the runs that it asked for end too. Runs that
 * a restart interrupted get their slots before new runs start.
 */
export class RunScheduler {
  readonly queue: RunQueue;
  readonly #parts: SchedulerParts;
  readonly #pressure: PressureWatch;
  readonly #active = new Map<string, ActiveRun>();
  /** Waiting runs whose pause is being logged. */
  readonly #holding = new Set<string>();
  /** Runs that end without having started, while their ends are being logged. */
  readonly #settling = new Map<string, Promise<void>>();
  #stopping = false;
  #sweeper: Timer | undefined;
  readonly #torn: TornRuns;
  readonly #turns: BranchTurns;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.queue = new RunQueue(queueRules(parts.sharing, parts.loaded));
    this.#torn = new TornRuns(parts.clock);
    this.#turns = new BranchTurns(parts, (runId) => this.#active.get(runId));
    this.#pressure = new PressureWatch(parts.sharing.gauges, parts.clock);
  }

  /** Resumes the runs that are unfinished in the log. */
  async resume(): Promise<void> {
    const { store, loaded } = this.#parts;
    const now = this.#parts.clock.monotonicMs();
    for (const view of store.lives())
      if (view.startedTs !== undefined && !view.branch)
        this.queue.began(view.app, this.#monotonic(view.startedTs), now);
    const views = store.unfinished();
    for (const view of views) {
      if (!loaded.of(view)) await this.#settleHomeless(view);
      else if (view.startedTs === undefined) this.queue.add(this.#waiting(view));
      else this.#enter(view);
    }
    for (const view of views) if (this.queue.holds(view.state.run_id)) this.#begin(view);
    for (const view of views) await this.#endOrphan(view);
    this.#fill();
    this.#sweeper = this.#parts.clock.every(SWEEP_MS, () => this.#sweep());
  }

  /** Adds a run that is durable in the log. Its parent may have ended meanwhile. */
  add(view: RunView): void {
    this.queue.add(this.#waiting(view));
    const parent = view.state.parent_run_id;
    if (parent !== undefined && !this.goesOn(parent))
      void this.cancel(view.state.run_id, ORPHANED).catch(() => {});
    else this.#fill();
  }

  /** Whether a run is running and not about to end. */
  goesOn(runId: string): boolean {
    return this.#active.get(runId)?.ending === false;
  }

  /** Ends a run and the runs that it asked for. Settles when its end is durable. */
  async cancel(runId: string, reason: string, by?: string): Promise<void> {
    if (this.queue.remove(runId)) {
      const error = new EdgeError('run.cancelled', { operation: 'cancel', subject: runId, message: reason });
      return await this.#settleOrPutBack(runId, 'cancelled', error, by);
    }
    await (this.#settling.get(runId) ?? this.#active.get(runId)?.end('cancel', reason, by));
  }

  /** When this settles, the robot stands and the pause is durable. For a waiting run only the pause is durable. */
  async pause(runId: string, reason: string, by?: string): Promise<void> {
    const run = this.#active.get(runId);
    if (run) return await run.pause(reason, by);
    if (!this.queue.has(runId) || this.#parts.store.get(runId)?.state.status === 'paused') return;
    this.#holding.add(runId);
    try {
      await this.#status(runId, 'paused', 'queued', reason, by);
    } finally {
      this.#holding.delete(runId);
    }
  }

  /** A holder of a higher rank has the robot: active runs pause, at once or before their next motion. */
  async takenOver(reason: string): Promise<void> {
    const runs = [...this.#active].map(([runId, run]) =>
      run.takenOver(reason).catch((thrown: unknown) => {
        const error = EdgeError.from(thrown, 'log.failed', 'pause', runId).toBody();
        this.#parts.report('a run that was taken over could not be paused', { run_id: runId, error });
      }),
    );
    await Promise.all(runs);
  }

  async proceed(runId: string, reason: string, by?: string): Promise<void> {
    const run = this.#active.get(runId);
    if (run) return await run.proceed(reason, by);
    if (!this.queue.has(runId) || this.#parts.store.get(runId)?.state.status !== 'paused') return;
    await this.#status(runId, 'queued', 'paused', reason, by);
    this.#fill();
  }

  /** Messages of people to a run in progress. */
  messages(runId: string): ActiveRun['messages'] | undefined {
    return this.#active.get(runId)?.messages;
  }

  /** What a waiting run waits for, or a run that the log refused. Undefined: the run does not wait. */
  why(runId: string): string | undefined {
    const unwritten = this.#unwritten().find(({ run_id }) => run_id === runId);
    if (unwritten) {
      const { end, reason, tries } = unwritten;
      const what = end === undefined ? 'waits for the log' : `${end}, and waits for the log to take its end`;
      return `${what} (tried ${tries} times): ${reason}`.slice(0, 512);
    }
    return this.queue.has(runId) ? this.queue.why(runId, this.#conditions(true)) : undefined;
  }

  load(): RunLoad {
    const unwritten = this.#unwritten();
    const paused = this.#parts.store
      .unfinished()
      .filter(({ state }) => state.status === 'paused')
      .map(({ state, reason }) => ({ run_id: state.run_id, reason }));
    return {
      ...(paused.length === 0 ? {} : { paused }),
      ...(unwritten.length === 0 ? {} : { unwritten }),
      active: this.#active.size,
      waiting: this.queue.size,
      runsMax: this.#parts.sharing.runsMax,
      held: this.#pressure.held(),
      pressure: this.#pressure.readings(),
    };
  }

  /** Runs that the log refused: those whose end is not written, and those whose attempt is repeated. */
  #unwritten(): readonly UnwrittenRun[] {
    const ends = [...this.#active.values()].flatMap(({ unwritten }) => unwritten ?? []);
    return [...ends, ...this.#torn.waiting()];
  }

  /** Aborts the active runs. They stay unfinished in the log. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sweeper?.cancel();
    this.#torn.stop();
    await Promise.allSettled([...this.#active.values()].map((run) => run.end('shutdown', 'the cell stops')));
  }

  /** Number of runs that could start now. If it stays above 0 for long, this cell hangs. */
  startable(): number {
    return this.#stopping ? 0 : this.queue.startable(this.#conditions());
  }

  #conditions(look = false): Conditions {
    return {
      nowMs: this.#parts.clock.monotonicMs(),
      held: (runId) => this.#held(runId),
      pressure: look || this.queue.waitingAgent() ? this.#pressure.held() : undefined,
    };
  }

  #held(runId: string): string | undefined {
    const { store } = this.#parts;
    const view = store.get(runId);
    if (!view) return undefined;
    if (this.#holding.has(runId) || view.state.status === 'paused') return 'for a person to resume it';
    const paused = store.ancestors(view).find((id) => store.get(id)?.state.status === 'paused');
    return paused === undefined ? undefined : `run ${paused}, which asked for it, is paused`;
  }

  #fill(): void {
    while (!this.#stopping) {
      const next = this.queue.take(this.#conditions());
      if (!next) return;
      const view = this.#parts.store.get(next.runId);
      if (view) this.#begin(view);
    }
  }

  #enter(view: RunView): void {
    this.queue.enter(this.#waiting(view));
  }

  /** Starts a run whose slot is taken. */
  #begin(view: RunView): ActiveRun {
    const { loaded, store, sharing: _, ...parts } = this.#parts;
    const { app, harness } = loaded.of(view)!;
    const runId = view.state.run_id;
    const spent = (): RunView => store.get(runId) ?? view;
    const run = new ActiveRun({
      ...parts,
      robot: parts.robot.of(runId, app.harness !== 'flow'),
      view,
      app,
      harness,
      told: store.told(view),
      motionTurn: this.#turns.of(view),
      purse: {
        turns: () => spent().spent.turns,
        left: (turns) => {
          const now = spent();
          const made = { ...now.spent, turns: Math.max(turns, now.spent.turns) };
          return leftOf({ ...now, spent: made }, (of) => store.children(of.state.run_id));
        },
      },
      endChildren: (reason) => this.#endChildren(runId, reason),
    });
    this.#active.set(runId, run);
    run.run().then(
      () => this.#over(runId),
      (thrown: unknown) => {
        this.#tellUnwritten(runId, thrown);
        this.#retry(runId, run, thrown);
      },
    );
    return run;
  }

  /** Settles when the children are over, at the latest after a deadline. A child that does not answer ends later. */
  async #endChildren(runId: string, reason: string): Promise<void> {
    const open = this.#parts.store.children(runId).filter(({ state }) => !isFinished(state.status));
    if (open.length === 0) return;
    const ends = Promise.allSettled(open.map(({ state }) => this.cancel(state.run_id, reason)));
    await withDeadline(this.#parts.clock, LIMITS.RUN_CHILDREN_SETTLE_MS, ends, 'cancel', runId);
  }

  /** Ends a run whose parent is over: a restart may have come between the end of the parent and that of the child. */
  async #endOrphan(view: RunView): Promise<void> {
    const parent = view.state.parent_run_id;
    if (parent === undefined || isFinished(this.#parts.store.get(view.state.run_id)!.state.status)) return;
    const status = this.#parts.store.get(parent)?.state.status;
    if (status === undefined || isFinished(status)) await this.cancel(view.state.run_id, ORPHANED);
  }

  /**
   * The log refused events of a run. The run keeps its slot, its robot stands, and it continues when the log accepts.
   */
  #retry(runId: string, run: ActiveRun, thrown: unknown): void {
    if (this.#stopping) return;
    this.#torn.hold(runId, thrown, () => {
      const view = this.#parts.store.get(runId);
      if (!view || isFinished(view.state.status)) return this.#over(runId);
      const next = this.#begin(view);
      // The run was ended meanwhile, and the log refused that end. The order still counts.
      if (run.ordered) next.end(run.ordered.why, run.ordered.reason, run.ordered.by).catch(() => {});
    });
  }

  #over(runId: string): void {
    this.#active.delete(runId);
    this.#torn.forget(runId);
    this.queue.leave(runId);
    this.#fill();
  }

  /**
   * Called once a second. Runs whose deadline passed while they waited end now. Runs that wait for each other in a
   * circle end, one at a time. Limits that depend on time are checked again.
   */
  #sweep(): void {
    for (const { runId, expires } of this.queue.takeExpired(this.#parts.clock.now())) {
      const message = `the deadline ${expires} passed before the run started`;
      const error = new EdgeError('intent.expired', { operation: 'start', subject: runId, message });
      this.#settleOrPutBack(runId, 'failed', error).catch((thrown: unknown) =>
        this.#tellUnwritten(runId, thrown),
      );
    }
    this.#untie();
    this.#fill();
  }

  #untie(): void {
    const parents = new Map(
      [...this.#active.keys()].map((id) => [id, this.#parts.store.get(id)?.state.parent_run_id]),
    );
    const runId = this.queue.knot(this.#conditions(), parents);
    if (runId === undefined || !this.queue.remove(runId)) return;
    const error = new EdgeError('run.limit', {
      operation: 'start',
      subject: runId,
      message: 'it waits for runs that wait for it: each holds a slot or a key that the other needs',
    });
    this.#settleOrPutBack(runId, 'failed', error).catch((thrown: unknown) =>
      this.#tellUnwritten(runId, thrown),
    );
  }

  /** Writes the end of a run that left the queue. If that fails, the run waits again. */
  async #settleOrPutBack(runId: string, status: End, error: EdgeError, by?: string): Promise<void> {
    const settling = this.#settle(runId, status, error, by);
    this.#settling.set(runId, settling);
    try {
      await settling;
    } catch (thrown) {
      const view = this.#parts.store.get(runId);
      if (view && !isFinished(view.state.status)) this.queue.add(this.#waiting(view));
      throw thrown;
    } finally {
      this.#settling.delete(runId);
    }
  }

  /** Ends a run whose application is no longer loaded. */
  async #settleHomeless(view: RunView): Promise<void> {
    const error = new EdgeError('run.interrupted', {
      operation: 'resume',
      subject: view.app,
      message:
        view.digest === undefined
          ? `application ${view.app} is no longer loaded`
          : `application ${view.app} is not here in the version that the run started with (${view.digest.slice(0, 12)})`,
      retryable: false,
    });
    if (view.startedTs !== undefined)
      await this.#parts.robot
        .of(view.state.run_id)
        .stop(error.message)
        .catch(() => undefined);
    await this.#parts.append(endsOfOpenCalls(view, error.message));
    await this.#settle(view.state.run_id, 'failed', error);
  }

  /** Writes the end of a run that is not running. */
  async #settle(runId: string, status: End, error: EdgeError, by?: string): Promise<void> {
    const told = { status, reason: error.message.slice(0, 512), summary: {}, error: error.toBody() };
    const payload = { ...told, ...(by === undefined ? {} : { by }) };
    await this.#parts.append([{ kind: 'run.finished', run_id: runId, payload }]);
  }

  /**
   * Reports that the log refused an end. The run stays unfinished in the log, and continues after a restart at the
   * latest.
   */
  #tellUnwritten(runId: string, thrown: unknown): void {
    const error = EdgeError.from(thrown, 'internal.fault', 'run', runId);
    this.#parts.report('a run could not be written to its end', { run_id: runId, error: error.toBody() });
  }

  async #status(
    runId: string,
    status: 'paused' | 'queued',
    previous: 'paused' | 'queued',
    reason: string,
    by?: string,
  ): Promise<void> {
    const payload = { status, previous, reason: reason.slice(0, 512), ...(by === undefined ? {} : { by }) };
    await this.#parts.append([{ kind: 'run.status', run_id: runId, payload }]);
  }

  #waiting(view: RunView): Waiting {
    const { deadline, priority } = view.intent;
    return {
      runId: view.state.run_id,
      app: view.app,
      key: view.concurrencyKey,
      agent: view.state.harness === 'pi',
      ancestors: this.#parts.store.ancestors(view),
      branch: view.branch !== undefined,
      priority,
      sinceMs: this.#monotonic(view.queuedTs),
      expires: deadline === undefined ? undefined : fromWireTime(deadline),
    };
  }

  /** Converts a wall time of the log to the monotonic time of this process. A time in the future counts as now. */
  #monotonic(ts: string): number {
    const { clock } = this.#parts;
    return clock.monotonicMs() - Math.max(0, toMs(clock.now() - fromWireTime(ts)));
  }
}
