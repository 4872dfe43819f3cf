import { Type } from 'typebox';
import { PiHarness } from '../../adapters/pi/index.ts';
import {
  type AgentEvent,
  type Application,
  EdgeError,
  type FlowDefinition,
  type FlowScope,
  type Harness,
  type JsonValue,
  type PolicyHook,
  pause,
  type Tool,
} from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { DegradingHarness } from '../../daemon/runtime/flow/degrading-harness.ts';
import { FlowHarness } from '../../daemon/runtime/flow/flow-harness.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import type { ReplayParts } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from './agent-apps.ts';
import type { Nudge, Plan } from './random-plan.ts';
import { modelsOf } from './recorded-models.ts';
import { replayParts } from './replay-rig.ts';
import { type Cut, PERSON, RuntimeRig } from './runtime-rig.ts';
import { flowApp } from './test-apps.ts';

const closed = { additionalProperties: false } as const;
const input = Type.Object({ n: Type.Integer({ minimum: 0, maximum: 9 }) }, closed);

type Act = (scope: FlowScope) => Promise<Record<string, unknown>>;

/** The tools of the world of one run: of its application, of an extension, and of a server out of reach later. */
function toolsOfWorld() {
  const answers =
    (kind: string, more: object = {}): Tool['run'] =>
    async ({ n }) => {
      for (let i = 0; i < 3; i++) await Promise.resolve();
      return { result: { kind, n }, ...more };
    };
  const picture = { mime: 'image/png' as const, data: new Uint8Array([1, 2, 3]) };
  const breaks: Tool['run'] = async ({ n }) => {
    throw new EdgeError('tool.failed', { operation: 'break', subject: 'do.break', message: `no ${n}` });
  };
  const own = [
    tool('do.read', { input }, answers('read')),
    tool('do.write', { input, effect: 'write', replay: 'never' }, answers('write')),
    tool('do.probe', { input, effect: 'write', replay: 'probe' }, answers('probe'), {
      probe: async ({ n }) => (Number(n) % 2 ? { result: { found: n } } : undefined),
    }),
    tool('do.break', { input, effect: 'actuate', replay: 'never' }, breaks),
    tool('do.picture', { input }, answers('picture', { images: [picture] })),
  ];
  const extension = [tool('ext.note', { input, effect: 'write', origin: 'extension' }, answers('note'))];
  const server = [
    tool('srv.look', { input, origin: 'mcp' }, answers('look')),
    tool('srv/look', { input, origin: 'mcp', description: 'the other look' }, answers('other look')),
  ];
  return { own, extension, server };
}

const acts: Readonly<Record<string, Act>> = {
  look: async ({ robot }) => ({ x: (await robot.state()).pose?.x ?? 0 }),
  map: async ({ robot }) => ({ width: (await robot.map())?.width ?? 0 }),
  drive: async ({ robot, signal }) => {
    const { outcome } = await robot.maneuver({ kind: 'drive', distance: 0.1 }, signal);
    return { outcome };
  },
  go: async ({ robot, signal }) => {
    const { pose } = await robot.state();
    const goal = { pose: pose ?? { x: 0, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 2_000 };
    return { outcome: (await robot.navigate(goal, signal)).outcome };
  },
  rest: async ({ robot, signal }) => ({
    outcome: (await robot.maneuver({ kind: 'wait', durationMs: 50 }, signal)).outcome,
  }),
  read: async ({ tools }) => ({ ...(await tools.call('do.read', { n: 1 })) }),
  ext: async ({ tools }) => ({ ...(await tools.call('ext.note', { n: 2 })) }),
  srv: async ({ tools }) => ({ ...(await tools.call('srv.look', { n: 3 })) }),
  child: async ({ tools }) => {
    const { status } = await tools.call('run.delegate', { intent: 'hand/go', time_s: 60 });
    return { status };
  },
  fail: async ({ tools }) => {
    const code = await tools.call('do.break', { n: 4 }).then(
      () => 'ok',
      (thrown: unknown) => EdgeError.from(thrown, 'internal.fault', 'act', 'break').code,
    );
    return { code };
  },
  throw: async () => {
    throw new EdgeError('robot.stuck', { operation: 'act', subject: 'wheel', retryable: true });
  },
  wait: async ({ clock, signal }) => {
    await pause(clock, 300, signal);
    return {};
  },
  both: async ({ tools }) => {
    const both = await Promise.all([tools.call('do.read', { n: 5 }), tools.call('srv.look', { n: 6 })]);
    return { both };
  },
  deaf: () => new Promise<never>(() => {}),
};

function randomFlow(states: Plan['states']): FlowDefinition {
  const named = states.map((list, i) => {
    const next = i + 1 < states.length ? `s${i + 2}` : 'done';
    const state: FlowDefinition['states'][string] = {
      about: `state ${i + 1}`,
      deadlineMs: 10_000,
      retry: { times: 2, delayMs: 100, delayMsMax: 400 },
      on: { ok: next, error: next, deadline: next },
      enter: async (scope) => {
        const seen: JsonValue[] = [];
        for (const name of list) seen.push((await acts[name]!(scope)) as JsonValue);
        return { event: 'ok', reason: `after ${list.length} acts`, facts: { [`seen${i + 1}`]: seen } };
      },
    };
    return [`s${i + 1}`, state] as const;
  });
  return {
    name: 'random',
    start: 's1',
    stepsMax: 20,
    begin: () => ({}),
    tools: ['*'],
    states: {
      ...Object.fromEntries(named),
      done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
    },
  };
}

/** A child: it looks, rests a little and says what it saw. */
const hand = flowApp('hand', {
  name: 'hand',
  start: 'work',
  stepsMax: 5,
  begin: () => ({}),
  states: {
    work: {
      about: 'works',
      deadlineMs: 10_000,
      on: { ok: 'done' },
      enter: async ({ robot, signal }) => {
        const { outcome } = await robot.maneuver({ kind: 'wait', durationMs: 80 }, signal);
        return { event: 'ok', reason: outcome, facts: { outcome } };
      },
    },
    done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
  },
});

const allows: PolicyHook = { name: 'rules', decide: async () => ({ decision: 'allow', reason: 'fine' }) };
const careful: PolicyHook = {
  name: 'careful',
  decide: async ({ subject, facts }) =>
    (subject === 'do.write' || subject === 'ext.note') && Number(facts['n']) >= 5
      ? { decision: 'deny', reason: 'small numbers only' }
      : { decision: 'allow', reason: 'small enough' },
};

/** A plan carried out: the rig with its log, and what a replay of its runs is made of. */
export class RandomRun {
  readonly plan: Plan;
  readonly #blobs = new MemoryBlobStore();
  readonly #robot: FakeRobot;
  readonly #app: Application;
  readonly #world = toolsOfWorld();
  rig!: RuntimeRig;

  constructor(plan: Plan) {
    this.plan = plan;
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
    const { turns, judged } = this.plan;
    const model = new ScriptedModel((request): Line => {
      const line = turns[turnOf(request)];
      if (line === 'fails')
        throw new EdgeError('model.failed', { operation: 'complete', subject: 'm', message: 'gone' });
      if (line) return line;
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
      void rig.cell.submit({ type: 'agent/go' }, PERSON).catch(() => undefined);
    if (plan.mind === 'flow') await rig.until(() => rig.of('intent.accepted').length > 0, 'the intent');
    const over = () => this.#idle;
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
    void cell.control.fork(root, entry.payload.entry_id, PERSON, text).then(
      ({ run_id }) =>
        void rig
          .until(() => rig.of('run.finished').some((event) => event.run_id === run_id), 'the fork')
          .then(() => {
            over = true;
          }),
      () => {
        over = true;
      },
    );
    await rig.until(() => over, 'the end of the fork');
  }
}
