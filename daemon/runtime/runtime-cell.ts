import {
  type Application,
  type BlobStore,
  type Cell,
  type CellContext,
  EdgeError,
  type Harness,
  type IdSource,
  type Intent,
  isFinished,
  METHODS,
  type NewEvent,
  type PolicyContext,
  type PolicyHook,
  type RunDetails,
  type RunFilter,
  type RunState,
  type RunTools,
  type RuntimeApi,
  type RuntimeStatus,
  type Submitted,
  TOPICS,
  type Tool,
  type WorkCounter,
} from '../../contract/index.ts';
import type { ModelsOfRun } from './active-run.ts';
import { decisionText } from './decisions.ts';
import { FlowHarness } from './flow/flow-harness.ts';
import { IdempotencyKeys } from './idempotency-keys.ts';
import { type Admitted, IntentDesk, intentBody, keyOf, refusedEvent } from './intent-desk.ts';
import { PolicyGate } from './policy-gate.ts';
import { RobotProxy } from './robot-proxy.ts';
import { type Loaded, RunScheduler } from './run-scheduler.ts';
import { RunStore, toDetails } from './run-store.ts';
import { toolsOf } from './tool-names.ts';

export type RuntimeOptions = {
  /** Name of this robot, as `targets` of intents name it. */
  readonly robot: string;
  readonly apps: readonly Application[];
  readonly hooks: readonly PolicyHook[];
  readonly ids: IdSource;
  /** For applications whose harness is not `flow`. */
  readonly harnesses?: Partial<Record<Harness['kind'], (app: Application) => Harness>>;
  /** How the execution cell records; `off` where it is not given. */
  readonly recording?: RunTools['recording'];
  /** Tools beside those of the applications themselves: of this house, of MCP servers. Asked at each start of a run. */
  readonly tools?: () => readonly Tool[];
  readonly models?: ModelsOfRun;
  readonly blobs?: BlobStore;
  /** Runs of one application at a time; 1 where it is not given. */
  readonly runsPerApp?: number;
};

/** The runtime cell: intents in, runs out, every step in the log first. It is the RuntimeApi itself. */
export class RuntimeCell implements Cell, RuntimeApi {
  readonly name = 'runtime';
  readonly #context: CellContext;
  readonly #desk: IntentDesk;
  readonly #keys = new IdempotencyKeys<Submitted>();
  readonly #store: RunStore;
  readonly #scheduler: RunScheduler;
  readonly #apps: readonly string[];
  readonly #ids: IdSource;
  #ready = false;
  #opening = 0;
  #appending = 0;
  #written = 0;

  /** Throws `config.invalid` when an application cannot be loaded: its flow has a fault, its harness is missing. */
  constructor(context: CellContext, options: RuntimeOptions) {
    this.#context = context;
    this.#ids = options.ids;
    this.#apps = options.apps.map((app) => app.name);
    const { clock, bus } = context;
    const { ids, robot } = options;
    const hooks = new PolicyGate(options.hooks, clock);
    this.#desk = new IntentDesk({ robot, clock, ids, hooks }, options.apps);
    this.#store = new RunStore(context.log.reader(), ({ intent, state }) => {
      const key = keyOf(intent);
      if (key !== undefined) this.#keys.remember(key, intentBody(intent), state.run_id);
    });
    this.#scheduler = new RunScheduler({
      store: this.#store,
      loaded: load(options),
      clock,
      ids,
      hooks,
      robot: new RobotProxy(bus, clock, ids),
      bus,
      recording: options.recording ?? 'off',
      tools: (app) => toolsOf(app, options.tools?.() ?? []),
      models: options.models,
      blobs: options.blobs,
      append: (events) => this.#append(events),
      report: (message, facts) => context.report('error', message, facts),
      runsPerApp: options.runsPerApp ?? 1,
    });
  }

  async start(): Promise<void> {
    await this.#store.load();
    this.#context.bus.handle(METHODS.runtime.status, async () => this.status());
    await this.#scheduler.resume();
    this.#ready = true;
  }

  async stop(): Promise<void> {
    this.#ready = false;
    await this.#scheduler.stop();
    this.#store.close();
  }

  /** A run that waits for its robot is not work of this cell; a run that could begin and an append are. */
  work(): readonly WorkCounter[] {
    const waiting = this.#scheduler.startable() + this.#appending;
    return [{ name: 'events', done: this.#written, waiting }];
  }

  async submit(request: unknown, context: PolicyContext): Promise<Submitted> {
    let admitted: Admitted;
    try {
      this.#refuseUnlessReady();
      admitted = this.#desk.admit(request, context);
    } catch (thrown) {
      return await this.#refuse(request, thrown, []);
    }
    const key = keyOf(admitted.intent);
    if (key === undefined) return await this.#open(request, admitted);
    // A repeated request gets its run, also when the queue is full or its deadline has passed since.
    const known = this.#keys.find(key, intentBody(admitted.intent));
    if (known.kind === 'other') return await this.#refuse(request, duplicate(admitted.intent), []);
    if (known.kind === 'opening') return { ...(await known.opening), duplicate: true };
    if (known.kind === 'opened') return this.#again(known.runId);
    const opening = this.#open(request, admitted);
    this.#keys.begin(key, intentBody(admitted.intent), opening);
    return await opening;
  }

  async cancel(runId: string, reason: string): Promise<RunState> {
    const view = this.#view(runId);
    if (!isFinished(view.state.status)) await this.#scheduler.cancel(runId, reason);
    return this.#view(runId).state;
  }

  runs(filter?: RunFilter): readonly RunDetails[] {
    return this.#store.list(filter).map(toDetails);
  }

  run(runId: string): RunDetails {
    return toDetails(this.#view(runId));
  }

  decisions(runId: string): string {
    this.#view(runId);
    return decisionText(this.#store.events(runId));
  }

  status(): RuntimeStatus {
    const unfinished = this.#store.unfinished();
    const phase: Record<string, string> = {};
    for (const view of unfinished) if (view.phase !== undefined) phase[view.state.run_id] = view.phase;
    return { ready: this.#ready, runs: unfinished.map((view) => view.state), apps: this.#apps, phase };
  }

  async #open(request: unknown, admitted: Admitted): Promise<Submitted> {
    try {
      this.#desk.refuseExpired(admitted.intent);
      this.#scheduler.queue.reserve(this.#opening);
    } catch (thrown) {
      return await this.#refuse(request, thrown, []);
    }
    this.#opening++;
    try {
      const judged = await this.#desk.judge(admitted);
      if (!judged.accepted) return await this.#refuse(request, judged.error, judged.events);
      const { intent, app } = judged;
      const runId = this.#ids.next<string>();
      const { name, harness } = app;
      await this.#append([
        ...judged.events,
        { kind: 'intent.accepted', run_id: runId, payload: { intent, app: name } },
        { kind: 'run.queued', run_id: runId, payload: { intent_id: intent.intent_id, app: name, harness } },
      ]);
      const view = this.#view(runId);
      this.#scheduler.add(view);
      return { intent, run: view.state, duplicate: false };
    } finally {
      this.#opening--;
    }
  }

  #again(runId: string): Submitted {
    const view = this.#view(runId);
    return { intent: view.intent, run: view.state, duplicate: true };
  }

  /** Writes the refusal down, then throws it. A log that cannot be written does not hide the reason. */
  async #refuse(request: unknown, thrown: unknown, events: readonly NewEvent[]): Promise<never> {
    const error = EdgeError.from(thrown, 'internal.fault', 'submit', 'intent');
    try {
      await this.#append([...events, refusedEvent(request, error)]);
    } catch (failure) {
      const { code, message } = EdgeError.from(failure, 'log.failed', 'append', 'runtime');
      this.#context.report('error', 'a refused intent could not be logged', { code, message });
    }
    throw error;
  }

  #refuseUnlessReady(): void {
    if (this.#ready) return;
    throw new EdgeError('cell.unavailable', {
      operation: 'submit',
      subject: this.name,
      message: 'the runtime is starting or stopping',
    });
  }

  #view(runId: string) {
    const view = this.#store.get(runId);
    if (view) return view;
    throw new EdgeError('run.not_found', { operation: 'find run', subject: runId });
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    this.#appending++;
    try {
      const durable = await this.#context.log.append(events);
      this.#store.apply(durable);
      this.#written += durable.length;
      const last = durable.at(-1);
      if (last) this.#context.bus.broadcast(TOPICS.logGrew, { lastSeq: last.seq });
    } finally {
      this.#appending--;
    }
  }
}

function load(options: RuntimeOptions): Map<string, Loaded> {
  const loaded = new Map<string, Loaded>();
  for (const app of options.apps) {
    if (loaded.has(app.name)) throw broken(app, 'two applications have this name');
    loaded.set(app.name, { app, harness: harnessOf(app, options) });
  }
  return loaded;
}

function harnessOf(app: Application, options: RuntimeOptions): Harness {
  const own = options.harnesses?.[app.harness];
  if (own) return own(app);
  if (app.harness !== 'flow') throw broken(app, `there is no ${app.harness} harness here`);
  if (!app.flow) throw broken(app, 'its harness is flow and it has no flow');
  return new FlowHarness(app.flow);
}

function broken(app: Application, message: string): EdgeError {
  return new EdgeError('config.invalid', { operation: 'load application', subject: app.name, message });
}

function duplicate(intent: Intent): EdgeError {
  return new EdgeError('intent.duplicate', {
    operation: 'submit',
    subject: intent.type,
    message: `/idempotency_key: ${intent.idempotency_key} was used for another intent`,
    hint: 'use a new key for a new intent',
  });
}
