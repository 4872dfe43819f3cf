import {
  type Application,
  type Cell,
  type CellContext,
  EdgeError,
  type IdSource,
  isFinished,
  METHODS,
  type NewEvent,
  type PolicyContext,
  type RunDetails,
  type RunFilter,
  type RunState,
  type RuntimeApi,
  type RuntimeStatus,
  type Submitted,
  stopRobot,
  TOPICS,
  type WorkCounter,
} from '../../contract/index.ts';
import { branchTool } from './control/branch-tool.ts';
import { Branches } from './control/branches.ts';
import { loopToolsOf, Rounds } from './control/rounds.ts';
import { RunControl } from './control/run-control.ts';
import { subRunTools } from './control/sub-run-tools.ts';
import { SubRuns } from './control/sub-runs.ts';
import { refusedApps } from './flow/flow-tools-check.ts';
import { appMoves } from './gate/app-moves.ts';
import { toolsOf } from './gate/tool-names.ts';
import { ApprovalDesk } from './governance/approval-desk.ts';
import type { Governance } from './governance/governance.ts';
import { concurrencyKey } from './intents/concurrency-key.ts';
import { duplicate, IdempotencyKeys } from './intents/idempotency-keys.ts';
import {
  type Admitted,
  IntentDesk,
  intentBody,
  type Judged,
  keyOf,
  questionOf,
  refusedEvent,
  wordsToAgent,
} from './intents/intent-desk.ts';
import { PolicyGate } from './law/policy-gate.ts';
import { preempted } from './law/preempted.ts';
import { loopToolNames } from './loop/loop-harness.ts';
import { planTools } from './planning/plan-tools.ts';
import { PLANNER } from './planning/planner-app.ts';
import { LoadedApps } from './queue/loaded-apps.ts';
import { RunScheduler } from './queue/run-scheduler.ts';
import { DEFAULT_SHARING } from './queue/run-sharing.ts';
import { RuntimeApps } from './queue/runtime-apps.ts';
import { RobotProxy } from './robot/robot-proxy.ts';
import { decisionParts } from './runs/decisions.ts';
import { lesserBudget } from './runs/run-budget.ts';
import { messageEvent } from './runs/run-message-event.ts';
import type { Opening } from './runs/run-opening.ts';
import { RunStore, toDetails } from './runs/run-store.ts';
import type { RunView } from './runs/run-view.ts';
import { blobsNamed } from './runs/session-blobs.ts';
import type { RuntimeOptions } from './runtime-options.ts';
import { Stops } from './stop-count.ts';

/** Takes intents and executes them as runs. Every step is logged before it happens. */
export class RuntimeCell implements Cell, RuntimeApi {
  readonly name = 'runtime';
  readonly #context: CellContext;
  readonly #desk: IntentDesk;
  readonly #keys = new IdempotencyKeys<Submitted>();
  readonly #store: RunStore;
  readonly #scheduler: RunScheduler;
  /** The current applications, and older versions that runs still use. */
  readonly apps: RuntimeApps;
  readonly #readyVersions: RuntimeOptions['readyVersions'];
  /** Pause, resume, messages, sessions, forks. */
  readonly control: RunControl;
  /** Questions to people, and who may answer them. */
  readonly approvals: ApprovalDesk;
  readonly #governance: Governance | undefined;
  readonly stops: Stops;
  readonly #hooks: PolicyGate;
  readonly #ids: IdSource;
  readonly #appMoves: (app: Application | undefined) => boolean;
  #ready = false;
  /** Number of intents that are being judged, by application. */
  readonly #opening = new Map<string, number>();
  #appending = 0;
  #written = 0;

  /** Throws `config.invalid` when an application cannot be loaded: its flow has a fault, or its harness is missing. */
  constructor(context: CellContext, options: RuntimeOptions) {
    this.#context = context;
    this.#ids = options.ids;
    const { clock, bus } = context;
    this.stops = new Stops(clock, bus);
    const { ids, robot } = options;
    const loaded = new LoadedApps(options);
    this.#readyVersions = options.readyVersions;
    const hooks = new PolicyGate(options.hooks, clock);
    this.#hooks = hooks;
    this.#governance = options.governance;
    const append: RuntimeCell['append'] = (events) => this.#append(events);
    const report = (message: string, facts: Parameters<typeof context.report>[2]) =>
      context.report('error', message, facts);
    const rolesOf = (who: PolicyContext) => options.governance?.rolesOf(who) ?? who.roles;
    this.approvals = new ApprovalDesk({ clock, ids, hooks, rolesOf, append, report });
    this.#desk = new IntentDesk({ robot, clock, ids, hooks, whyNot: options.whyNot }, options.apps);
    this.#store = new RunStore(context.log.reader(), ({ intent, state }) => {
      const key = keyOf(intent);
      if (key !== undefined) this.#keys.remember(key, intentBody(intent), state.run_id);
    });
    this.#scheduler = new RunScheduler({
      ...{ store: this.#store, loaded, clock, ids, hooks, bus },
      robot: new RobotProxy(bus, clock, ids),
      recording: options.recording ?? 'off',
      tools: (app, view) => toolsOf(app, house(app), loopToolNames(app, view)),
      models: options.models,
      blobs: options.blobs,
      approvals: this.approvals,
      stops: this.stops,
      append,
      report,
      sharing: { ...DEFAULT_SHARING, ...options.sharing },
    });
    const scheduler = this.#scheduler;
    const submit = (request: unknown, who: PolicyContext, opening: Opening) =>
      this.#submit(request, who, opening);
    const ofRuns = {
      store: this.#store,
      clock,
      appOf: (view: RunView) => loaded.of(view)?.app,
      goesOn: (runId: string) => scheduler.goesOn(runId),
      cancel: (runId: string, reason: string) => scheduler.cancel(runId, reason),
    };
    const children = new SubRuns({ ...ofRuns, submit });
    const ofParts = { ...ofRuns, ids, append, add: (view: RunView) => scheduler.add(view) };
    const branches = new Branches(ofParts);
    const rounds = new Rounds({ ...ofParts, blobs: options.blobs, children });
    const forRuns = [...subRunTools(children), ...(loaded.has(PLANNER) ? planTools(children) : [])];
    const subRuns = [...forRuns, ...loopToolsOf(rounds), branchTool(branches)];
    const opens = new Set(forRuns.flatMap(({ spec }) => (spec.effect === 'read' ? [] : spec.name)));
    const house = (app: Application) => [...subRuns, ...(options.tools?.(app) ?? [])];
    const check = () => refusedApps(loaded.apps(), house, context.report);
    this.#appMoves = (app) => !app || appMoves(app, house(app), opens);
    this.apps = new RuntimeApps({ loaded, desk: this.#desk, store: this.#store, check });
    this.control = new RunControl({
      ...ofRuns,
      scheduler,
      hooks,
      ids,
      submit,
      append,
      details: (view) => this.#details(view),
      blobs: options.blobs,
      stopRobot: (reason, by, keep) => stopRobot({ bus, clock, runtime: this }, reason, by, keep),
      stopRun: (run, reason, by) =>
        bus.request('execution', METHODS.execution.robotStop, { run, reason, by }),
    });
  }

  async start(): Promise<void> {
    await this.#store.load();
    await this.#readyVersions?.(this.apps.inUse());
    this.apps.check();
    const faults = [...this.apps.refused.values()].map((error) => ({ error: error.toBody() }));
    if (faults.length > 0) await this.#append(faults.map((payload) => ({ kind: 'cell.degraded', payload })));
    this.#context.bus.handle(METHODS.runtime.status, async () => this.status());
    await this.#beginGovernance();
    await this.#scheduler.resume();
    this.#ready = true;
  }

  async stop(): Promise<void> {
    this.#ready = false;
    await this.#scheduler.stop();
    this.approvals.stop();
    await this.#governance?.end();
    this.#store.close();
  }

  async #beginGovernance(): Promise<void> {
    const reader = this.#context.log.reader();
    try {
      await this.#governance?.begin(reader, this.#hooks, (events) => this.#append(events));
      const unfinished = new Set(this.#store.unfinished().map(({ state }) => state.run_id));
      await this.approvals.load(reader, (runId) => unfinished.has(runId));
    } finally {
      reader.close();
    }
  }

  /** The tenant of a run; undefined for an unknown run. */
  tenantOf(runId: string): string | undefined {
    return this.#store.get(runId)?.intent.policy_ctx.tenant;
  }

  /** Blobs that the sessions of unfinished runs refer to. The session of a forked run includes what it inherited. */
  sessionBlobs(): ReadonlySet<string> {
    return blobsNamed(this.#store.unfinished().flatMap((view) => this.#store.session(view)));
  }

  /** Runs that could start and running appends count as waiting work. Runs that wait for their robot do not. */
  work(): readonly WorkCounter[] {
    const waiting = this.#scheduler.startable() + this.#appending;
    return [{ name: 'events', done: this.#written, waiting }];
  }

  /** Appends events of no run, such as calls of models from outside. Quotas count these as they count those of runs. */
  append(events: readonly NewEvent[]): Promise<void> {
    return this.#append(events);
  }

  async submit(request: unknown, context: PolicyContext, wantedAtMs?: number): Promise<Submitted> {
    await this.control.stops.refuse('submit', wordsToAgent(request), context);
    return await this.#submit(request, context, wantedAtMs === undefined ? {} : { wantedAtMs });
  }

  async #submit(request: unknown, context: PolicyContext, opening: Opening): Promise<Submitted> {
    let admitted: Admitted;
    try {
      this.#refuseUnlessReady();
      admitted = this.#desk.admit(request, context);
    } catch (thrown) {
      return await this.#refuse(request, thrown, []);
    }
    const key = keyOf(admitted.intent);
    if (key === undefined) return await this.#open(request, admitted, opening);
    // A repeated request gets its first run, also when the queue is full or its deadline has passed since.
    const known = this.#keys.find(key, intentBody(admitted.intent));
    if (known.kind === 'other') return await this.#refuse(request, duplicate(admitted.intent), []);
    if (known.kind === 'opening') return { ...(await known.opening), duplicate: true };
    if (known.kind === 'opened') {
      const { intent, state } = this.#view(known.runId);
      return { intent, run: state, duplicate: true };
    }
    const opened = this.#open(request, admitted, opening);
    this.#keys.begin(key, intentBody(admitted.intent), opened);
    return await opened;
  }

  async cancel(runId: string, reason: string, by?: string): Promise<RunState> {
    const view = this.#view(runId);
    if (!isFinished(view.state.status)) await this.#scheduler.cancel(runId, reason, by);
    return this.#view(runId).state;
  }

  runs(filter?: RunFilter): readonly RunDetails[] {
    return this.#store.list(filter).map((view) => this.#details(view));
  }

  run(runId: string): RunDetails {
    return this.#details(this.#view(runId));
  }

  decisions(runId: string): AsyncIterable<string> {
    this.#view(runId);
    return decisionParts(this.#store.events(runId));
  }

  status(): RuntimeStatus {
    const unfinished = this.#store.unfinished();
    const phase: Record<string, string> = {};
    for (const view of unfinished) if (view.phase !== undefined) phase[view.state.run_id] = view.phase;
    const runs = unfinished.map((view) => view.state);
    const apps = this.apps.names();
    const refused = Object.fromEntries([...this.apps.refused].map(([name, { message }]) => [name, message]));
    const more = this.apps.refused.size > 0 ? { refused } : {};
    return { ready: this.#ready, runs, apps, ...more, phase, load: this.#scheduler.load() };
  }

  moves(type: string): boolean {
    return this.#appMoves(
      this.apps.serving().find(({ intents }) => intents.some((one) => one.type === type)),
    );
  }

  async #open(request: unknown, admitted: Admitted, opening: Opening): Promise<Submitted> {
    const { name, harness, version, digest } = admitted.app;
    const now = this.stops.now();
    const wanted = { ...now, atMs: opening.wantedAtMs ?? now.atMs };
    const asked = { moves: () => this.#appMoves(admitted.app), run: opening.parent };
    const judging = this.#opening.get(name) ?? 0;
    let key: string | undefined;
    try {
      const fault = this.apps.refused.get(name);
      if (fault) throw fault;
      this.#desk.refuseExpired(admitted.intent);
      if (this.stops.since(wanted, asked)) throw preempted('submit', admitted.intent.type);
      this.#scheduler.queue.reserve(name, judging);
      key = concurrencyKey(admitted);
    } catch (thrown) {
      return await this.#refuse(request, thrown, []);
    }
    this.#opening.set(name, judging + 1);
    try {
      await opening.before?.();
      const judged = await this.#desk.judge(admitted);
      if (!judged.accepted) return await this.#refuse(request, judged.error, judged.events);
      const { intent } = judged;
      const runId = this.#ids.next<string>();
      const { parent, forkedFrom, messages = [] } = opening;
      const budget = lesserBudget(opening.budget, admitted.app.budget);
      const queued = {
        ...{ intent_id: intent.intent_id, app: name, harness },
        ...(parent === undefined ? {} : { parent_run_id: parent }),
        ...(budget === undefined ? {} : { budget }),
        ...(digest === undefined ? {} : { package: { version, digest } }),
        ...(forkedFrom === undefined ? {} : { forked_from: forkedFrom }),
        ...(key === undefined ? {} : { concurrency_key: key }),
      };
      await this.#append([
        ...judged.events,
        { kind: 'intent.accepted', run_id: runId, payload: { intent, app: name } },
        { kind: 'run.queued', run_id: runId, payload: queued },
        ...this.#questionOf(runId, judged),
        ...messages.map((said) => messageEvent(runId, this.#ids.next<string>(), said, intent.policy_ctx)),
      ]);
      const view = this.#view(runId);
      this.#scheduler.add(view);
      // No stop could cancel it while policies and the log were asked.
      if (this.stops.since(wanted, asked))
        await this.cancel(runId, 'the robot was stopped after it was asked for');
      return { intent, run: view.state, duplicate: false };
    } finally {
      this.#governance?.endIntent(admitted.intent.intent_id);
      this.#opening.set(name, (this.#opening.get(name) ?? 1) - 1);
    }
  }

  /** The event that asks a person, where the run has to wait for an approval before its first step. */
  #questionOf(runId: string, { intent, approval }: Judged & { accepted: true }): readonly NewEvent[] {
    return approval ? this.approvals.open(questionOf(runId, intent, approval)).events : [];
  }

  /** A waiting run has as reason what it waits for, a paused run why it was paused. */
  #details(view: RunView): RunDetails {
    const why = this.#scheduler.why(view.state.run_id);
    return why === undefined || view.state.status === 'paused'
      ? toDetails(view)
      : { ...toDetails(view), reason: why };
  }

  /** Logs the refusal, then throws it. If the log cannot be written, the caller still gets the refusal. */
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
      this.approvals.observe(durable);
      this.#governance?.observe(durable);
      this.#written += durable.length;
      const last = durable.at(-1);
      if (last) this.#context.bus.broadcast(TOPICS.logGrew, { lastSeq: last.seq });
    } finally {
      this.#appending--;
    }
  }
}
