import {
  type Application,
  type Clock,
  EdgeError,
  fromWireTime,
  type Harness,
  type IdSource,
  type NewEvent,
  type Timer,
} from '../../contract/index.ts';
import { ActiveRun } from './active-run.ts';
import type { PolicyGate } from './policy-gate.ts';
import type { RobotProxy } from './robot-proxy.ts';
import { RunQueue, type Waiting } from './run-queue.ts';
import type { RunStore } from './run-store.ts';
import type { RunView } from './run-view.ts';

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
      return await this.#settle(runId, 'cancelled', error);
    }
    await this.#active.get(runId)?.run.end('cancel', reason);
  }

  /** Aborts what runs; it stays unfinished in the log. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sweeper?.cancel();
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
    const { loaded, clock, ids, hooks, robot, append, report } = this.#parts;
    const { app, harness } = loaded.get(view.app)!;
    const runId = view.state.run_id;
    const run = new ActiveRun({ view, app, harness, clock, ids, hooks, robot, append, report });
    this.#active.set(runId, { run, app: app.name });
    run
      .run()
      .catch((thrown: unknown) => this.#unwritten(runId, thrown))
      .finally(() => {
        this.#active.delete(runId);
        this.#fill();
      });
  }

  /** Runs whose deadline passed while they waited end now, not when their turn would have come. */
  #sweep(): void {
    for (const { runId, expires } of this.queue.takeExpired(this.#parts.clock.now())) {
      const message = `the deadline ${expires} passed before the run began`;
      const error = new EdgeError('intent.expired', { operation: 'start', subject: runId, message });
      this.#settle(runId, 'failed', error).catch((thrown: unknown) => this.#unwritten(runId, thrown));
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

  /** The log refused the end: the run stays unfinished there and goes on at the next start. */
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
