import { PiHarness } from '../../adapters/pi/index.ts';
import { type AgentEvent, type Application, EdgeError, type Harness, pause } from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { DegradingHarness } from '../../daemon/runtime/flow/degrading-harness.ts';
import { FlowHarness } from '../../daemon/runtime/flow/flow-harness.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import type { ReplayParts } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp } from './agent-apps.ts';
import type { Nudge, Plan } from './random-plan.ts';
import { RandomTalk } from './random-sessions.ts';
import { allows, careful, hand, randomFlow, toolsOfWorld } from './random-world.ts';
import { modelsOf } from './recorded-models.ts';
import { replayParts } from './replay-rig.ts';
import { type Cut, PERSON, RuntimeRig } from './runtime-rig.ts';
import { flowApp } from './test-apps.ts';

/** A plan carried out: the rig with its log, and what a replay of its runs is made of. */
export class RandomRun {
  readonly plan: Plan;
  readonly #blobs = new MemoryBlobStore();
  readonly #robot: FakeRobot;
  readonly #app: Application;
  readonly #world = toolsOfWorld();
  readonly #talk: RandomTalk;
  rig!: RuntimeRig;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#talk = new RandomTalk(plan);
    this.#robot = new FakeRobot({ seed: plan.seed, cells: 3, stuckShare: plan.seed % 3 === 0 ? 0.3 : 0 });
    const flow = randomFlow(plan.states);
    const { own } = this.#world;
    this.#app =
      plan.mind === 'flow'
        ? flowApp('agent', flow, { tools: own })
        : agentApp(own, { turnsMax: 12 }, plan.mind === 'degraded' ? { flow } : {});
  }

  /** Every event of every run, in order. */
  get events(): readonly AgentEvent[] {
    return this.rig.events;
  }

  get runs(): readonly string[] {
    return this.rig.of('intent.accepted').map(({ run_id }) => run_id!);
  }

  async carryOut(): Promise<void> {
    for (const cut of [...this.plan.cuts, undefined]) {
      this.rig = this.#life(cut);
      await this.#live();
      if (!this.rig.dead && this.#idle) break;
    }
    if (this.plan.forked) await this.#fork();
  }

  /** As the daemon does it: other places for the tools of extensions, none for those of servers. */
  parts(change: (app: Application) => Application = (app) => app): ReplayParts {
    const { own, extension } = this.#world;
    const app = change({ ...this.#app, tools: [...(this.#app.tools ?? own), ...extension] });
    const parts = replayParts(this.rig.disk, app, { blobs: this.#blobs });
    return {
      ...parts,
      load: (name) =>
        name === 'hand'
          ? { app: hand, harness: new FlowHarness(hand.flow!) }
          : { app, harness: this.#harness(app) },
    };
  }

  get #idle(): boolean {
    return this.rig.of('run.finished').length > 0 && this.rig.cell.status().runs.length === 0;
  }

  #harness(app: Application): Harness {
    if (app.harness === 'flow') return new FlowHarness(app.flow!);
    const agent = new PiHarness(app, { blobs: this.#blobs, patienceMs: 1_000 });
    return app.flow ? new DegradingHarness(agent, app.flow) : agent;
  }

  #life(cut: Cut | undefined): RuntimeRig {
    const before = this.rig as RuntimeRig | undefined;
    const { extension, server } = this.#world;
    const clock = before?.clock ?? new ManualClock();
    return new RuntimeRig({
      apps: [this.#app, hand],
      robot: this.#robot,
      clock,
      ...(this.plan.judged ? { hooks: [allows, careful] } : {}),
      ...(before ? { disk: before.disk } : {}),
      ...(cut ? { cut } : {}),
      options: {
        models: this.#models(clock),
        blobs: this.#blobs,
        tools: () => [...server, ...extension],
        harnesses: { pi: (app) => this.#harness(app) },
      },
    });
  }

  #models(clock: ManualClock): ModelsOfRun {
    const { turns, judged, mind, seed } = this.plan;
    const isSession = mind === 'session';
    const model = new ScriptedModel(async (request): Promise<Line> => {
      const turn = turnOf(request);
      const line = turns[turn];
      if (isSession && (turn + seed) % 3 === 0) await pause(clock, 200);
      if (line === 'fails')
        throw new EdgeError('model.failed', { operation: 'complete', subject: 'm', message: 'gone' });
      if (line) return line;
      if (isSession) return { text: 'ready' };
      return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'all done' } }] };
    });
    return modelsOf(model, this.#blobs, clock, new PolicyGate(judged ? [allows] : [], clock));
  }

  async #live(): Promise<void> {
    const { rig, plan } = this;
    let up = false;
    void rig.cell.start().then(() => {
      up = true;
    });
    await rig.until(() => up, 'the start');
    if (rig.of('intent.accepted').length === 0 && !rig.dead)
      void rig.cell.submit({ type: 'agent/go', ...this.#attended }, PERSON).catch(() => undefined);
    if (plan.mind === 'flow' || plan.mind === 'session')
      await rig.until(() => rig.of('intent.accepted').length > 0, 'the intent');
    const over = () => this.#idle;
    if (plan.mind === 'session' && !rig.dead) await this.#inSession(this.runs[0]!, over);
    const from = rig.events.length;
    const steps = [...plan.nudges].sort((a, b) => a.events - b.events);
    let paused = false;
    for (const { events, what } of steps) {
      await rig.until(() => over() || rig.events.length >= Math.max(from, events), `event ${events}`);
      if (over() || rig.dead) break;
      await this.#nudge(what);
      paused = what === 'pause' || (paused && what !== 'resume');
    }
    if (paused && !rig.dead && !over()) await this.#nudge('resume');
    if (plan.cancelled !== undefined) {
      const at = plan.cancelled;
      await rig.until(() => over() || rig.events.length >= at, 'the cancel');
      if (!over() && !rig.dead) void rig.cell.cancel(this.runs[0]!, 'enough').catch(() => {});
    }
    await rig.until(over, 'the end');
  }

  get #attended() {
    return this.plan.mind === 'session' ? { attended: true } : {};
  }

  async #inSession(runId: string, over: () => boolean): Promise<void> {
    const { rig, plan } = this;
    const at = plan.cancelled;
    const cancel = () => void rig.cell.cancel(runId, 'enough').catch(() => {});
    if (at !== undefined) void rig.until(() => over() || rig.events.length >= at, 'the cancel').then(cancel);
    await this.#talk.talk(rig, runId, over);
  }

  async #nudge(what: Nudge['what']): Promise<void> {
    const { control } = this.rig.cell;
    const runId = this.runs[0];
    if (runId === undefined) return;
    let done = false;
    const say = {
      steer: () => control.message(runId, { kind: 'steer', text: 'to the left' }, PERSON),
      follow_up: () => control.message(runId, { kind: 'follow_up', text: 'and then home' }, PERSON),
      compact: () => control.message(runId, { kind: 'compact' }, PERSON),
      label: () => control.message(runId, { kind: 'label', entryId: 'e1', text: 'here' }, PERSON),
      pause: () => control.pause(runId, 'hold'),
      resume: () => control.resume(runId),
    }[what];
    const end = () => {
      done = true;
    };
    void say().then(end, end);
    await this.rig.until(() => done || this.#idle, what);
  }

  async #fork(): Promise<void> {
    const { rig } = this;
    const root = this.runs[0];
    const entries = rig.of('session.entry').filter(({ run_id }) => run_id === root);
    const entry = entries[this.plan.seed % Math.max(1, entries.length)];
    if (root === undefined || !entry) return;
    const { cell } = rig;
    const text = this.plan.seed % 2 ? { text: 'another way' } : {};
    let over = false;
    const isOver = (id: string) => rig.of('run.finished').some((event) => event.run_id === id);
    const ends = async (id: string) => {
      if (this.plan.mind === 'session') await this.#talk.talk(rig, id, () => isOver(id));
      else await rig.until(() => isOver(id), 'the fork');
    };
    void cell.control.fork(root, entry.payload.entry_id, PERSON, text).then(
      ({ run_id }) =>
        void ends(run_id).then(() => {
          over = true;
        }),
      () => {
        over = true;
      },
    );
    await rig.until(() => over, 'the end of the fork');
  }
}
