import {
  type Application,
  type CellBus,
  type Clock,
  EdgeError,
  fromWireTime,
  type Harness,
  type IdSource,
  isFinished,
  type NewEvent,
  type RunTools,
  type Timer,
} from '../../contract/index.ts';
import { ActiveRun, type RunParts } from './active-run.ts';
import type { PolicyGate } from './policy-gate.ts';
import type { RobotProxy } from './robot-proxy.ts';
import { RunQueue, type Waiting } from './run-queue.ts';
import type { RunStore } from './run-store.ts';
import type { RunView } from './run-view.ts';

/** A run whose events the log refused (a full disk) is taken up again after this, milliseconds. */
const UNWRITTEN_RETRY_MS = 3_000;
/** How often waiting runs are looked at for deadlines that passed. */
const EXPIRY_SWEEP_MS = 1_000;

export type Loaded = { readonly app: Application; readonly harness: Harness };

export type SchedulerParts = {
  readonly store: RunStore;
  readonly loaded: ReadonlyMap<string, Loaded>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  readonly robot: RobotProxy;
  readonly bus: Pick<CellBus, 'request'>;
  readonly recording: RunTools['recording'];
  readonly tools: RunParts['tools'];
  readonly models: RunParts['models'];
  readonly blobs: RunParts['blobs'];
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Runs of one application at a time. */
  readonly runsPerApp: number;
};

/**
 * First form: each application has its slots, its waiting runs go by priority, then age. Runs that a restart
 * cut off take their slots before anything new begins.
 */
export class RunScheduler {
  readonly queue = new RunQueue();
  readonly #parts: SchedulerParts;
  readonly #active = new Map<string, { readonly run: ActiveRun; readonly app: string }>();
  #stopping = false;
  #sweeper: Timer | undefined;
  /** Of runs that wait for a log that takes events again. */
  readonly #retries = new Set<Timer>();

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Takes up what the log left unfinished. */
  async resume(): Promise<void> {
    for (const view of this.#parts.store.unfinished()) {
      if (!this.#parts.loaded.has(view.app)) await this.#settleHomeless(view);
      else if (view.startedTs !== undefined) this.#begin(view);
      else this.queue.add(waiting(view));
    }
    this.#fill();
    this.#sweeper = this.#parts.clock.every(EXPIRY_SWEEP_MS, () => this.#sweep());
  }

  /** A run that is durable in the log. */
  add(view: RunView): void {
    this.queue.add(waiting(view));
    this.#fill();
  }

  /** Ends a run and settles when its end is durable. */
  async cancel(runId: string, reason: string): Promise<void> {
    if (this.queue.remove(runId)) {
      const error = new EdgeError('run.cancelled', { operation: 'cancel', subject: runId, message: reason });
      try {
        return await this.#settle(runId, 'cancelled', error);
      } catch (thrown) {
        this.#putBack(runId);
        throw thrown;
      }
    }
    await this.#active.get(runId)?.run.end('cancel', reason);
  }

  /** Aborts what runs; it stays unfinished in the log. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sweeper?.cancel();
    for (const retry of this.#retries) retry.cancel();
    await Promise.allSettled(
      [...this.#active.values()].map(({ run }) => run.end('shutdown', 'the cell stops')),
    );
  }

  /** Runs that could begin at this moment and have not: more than none for long means that this cell hangs. */
  startable(): number {
    return this.#stopping ? 0 : this.queue.startable((app) => this.#hasSlot(app));
  }

  active(): number {
    return this.#active.size;
  }

  #hasSlot(app: string): boolean {
    let used = 0;
    for (const run of this.#active.values()) if (run.app === app) used++;
    return used < this.#parts.runsPerApp;
  }

  #fill(): void {
    while (!this.#stopping) {
      const next = this.queue.take((app) => this.#hasSlot(app));
      if (!next) return;
      const view = this.#parts.store.get(next.runId);
      if (view) this.#begin(view);
    }
  }

  #begin(view: RunView): void {
    const { loaded, store, runsPerApp: _, ...parts } = this.#parts;
    const { app, harness } = loaded.get(view.app)!;
    const runId = view.state.run_id;
    const run = new ActiveRun({ ...parts, view, app, harness, told: store.told(view) });
    this.#active.set(runId, { run, app: app.name });
    run.run().then(
      () => {
        this.#active.delete(runId);
        this.#fill();
      },
      (thrown: unknown) => {
        this.#unwritten(runId, thrown);
        this.#retry(runId);
      },
    );
  }

  /** The log refused a run: it keeps its slot, its robot stands, and it goes on when the log does. */
  #retry(runId: string): void {
    if (this.#stopping) return;
    const timer = this.#parts.clock.after(UNWRITTEN_RETRY_MS, () => {
      this.#retries.delete(timer);
      this.#active.delete(runId);
      const view = this.#parts.store.get(runId);
      if (view && !isFinished(view.state.status)) this.#begin(view);
      else this.#fill();
    });
    this.#retries.add(timer);
  }

  /** Its end could not be written: it waits on. */
  #putBack(runId: string): void {
    const view = this.#parts.store.get(runId);
    if (view && !isFinished(view.state.status)) this.queue.add(waiting(view));
  }

  /** Runs whose deadline passed while they waited end now, not when their turn would have come. */
  #sweep(): void {
    for (const { runId, expires } of this.queue.takeExpired(this.#parts.clock.now())) {
      const message = `the deadline ${expires} passed before the run began`;
      const error = new EdgeError('intent.expired', { operation: 'start', subject: runId, message });
      this.#settle(runId, 'failed', error).catch((thrown: unknown) => {
        this.#unwritten(runId, thrown);
        this.#putBack(runId);
      });
    }
  }

  /** The application of this run is not loaded any more. */
  async #settleHomeless(view: RunView): Promise<void> {
    const error = new EdgeError('run.interrupted', {
      operation: 'resume',
      subject: view.app,
      message: `application ${view.app} is not loaded any more`,
      retryable: false,
    });
    await this.#settle(view.state.run_id, 'failed', error);
  }

  /** The end of a run that does not run. */
  async #settle(runId: string, status: 'failed' | 'cancelled', error: EdgeError): Promise<void> {
    const reason = error.message.slice(0, 512);
    await this.#parts.append([
      {
        kind: 'run.finished',
        run_id: runId,
        payload: { status, reason, summary: {}, error: error.toBody() },
      },
    ]);
  }

  /** The log refused the end: the run stays unfinished there and goes on later, at the latest after a restart. */
  #unwritten(runId: string, thrown: unknown): void {
    const error = EdgeError.from(thrown, 'internal.fault', 'run', runId);
    this.#parts.report('a run could not be written to its end', { run_id: runId, error: error.toBody() });
  }
}

function waiting(view: RunView): Waiting {
  const { deadline, priority } = view.intent;
  const expires = deadline === undefined ? undefined : fromWireTime(deadline);
  return { runId: view.state.run_id, app: view.app, priority, expires };
}
