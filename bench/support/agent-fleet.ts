import { Agent } from '@earendil-works/pi-agent-core';
import { createAssistantMessageEventStream, Type } from '@earendil-works/pi-ai';
import { Type as Schema } from 'typebox';
import { openEventLog } from '../../adapters/event-log/index.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import {
  type Application,
  type CellContext,
  type Clock,
  IdSource,
  type LanguageModel,
  type ModelAnswer,
  type ModelInfo,
  type PolicyContext,
} from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { ModelRouter } from '../../daemon/runtime/models/model-router.ts';
import { RuntimeCell } from '../../daemon/runtime/runtime-cell.ts';
import { FakeBus, serveRobot } from '../../test/fakes/fake-bus.ts';
import { FakeRobot } from '../../test/fakes/fake-robot.ts';
import { OperatorRole } from '../../test/fakes/operator-role.ts';

/** From a model's answer to the next question to it: the tool, and everything of the loop around it. Milliseconds. */
export type Steps = { readonly took: number[]; readonly perAgent: Map<string, number> };

const PERSON: PolicyContext = { tenant: 'lab', principal: 'bench', roles: ['operator'], origin: 'cli' };
const INFO: ModelInfo = {
  name: 'scripted',
  modelId: 'scripted',
  vision: false,
  tools: true,
  context: 1_000_000,
  latency: 'low',
  costIn: 0,
  costOut: 0,
};

export class StepWatch {
  readonly steps: Steps = { took: [], perAgent: new Map() };
  readonly #answered = new Map<string, number>();

  asked(agent: string): void {
    const since = this.#answered.get(agent);
    if (since === undefined) return;
    this.steps.took.push(performance.now() - since);
    this.steps.perAgent.set(agent, (this.steps.perAgent.get(agent) ?? 0) + 1);
  }
  answered(agent: string): void {
    this.#answered.set(agent, performance.now());
  }
  over(agent: string): void {
    this.#answered.delete(agent);
  }
  /** What was measured so far does not count: everything was cold. */
  forget(): void {
    this.steps.took.length = 0;
    this.steps.perAgent.clear();
  }
}

export const think = (ms: number) =>
  new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random())));

/** Agents on bare pi-agent-core: no log, no gate, nothing durable. */
export async function bareFleet(
  agents: number,
  thinkMs: number,
  warmMs: number,
  ms: number,
  stepsPerRun: number,
): Promise<Steps> {
  const watch = new StepWatch();
  const until = performance.now() + warmMs + ms;
  setTimeout(() => watch.forget(), warmMs);
  const one = async (name: string) => {
    while (performance.now() < until) {
      let steps = 0;
      const agent = new Agent({
        initialState: { systemPrompt: 'You are a test.', model: bareModel(), tools: [bareTool() as never] },
        toolExecution: 'sequential',
        streamFn: (model) => {
          watch.asked(name);
          const stream = createAssistantMessageEventStream();
          void think(thinkMs).then(() => {
            const ends = ++steps > stepsPerRun || performance.now() >= until;
            const call = {
              type: 'toolCall' as const,
              id: `c${steps}`,
              name: 'work_step',
              arguments: { n: steps },
            };
            const message = {
              role: 'assistant' as const,
              content: ends ? [{ type: 'text' as const, text: 'done' }] : [call],
              api: model.api,
              provider: model.provider,
              model: model.id,
              usage: ZERO,
              stopReason: ends ? ('stop' as const) : ('toolUse' as const),
              timestamp: Date.now(),
            };
            watch.answered(name);
            stream.push({ type: 'start', partial: message });
            stream.push({ type: 'done', reason: message.stopReason, message });
          });
          return stream;
        },
      });
      await agent.prompt('Go.');
      watch.over(name);
    }
  };
  await Promise.all(Array.from({ length: agents }, (_, i) => one(`agent-${i}`)));
  return watch.steps;
}

const ZERO = {
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  totalTokens: 0,
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
};

function bareModel() {
  return {
    id: 'scripted',
    name: 'scripted',
    api: 'x',
    provider: 'x',
    baseUrl: '',
    reasoning: false,
    input: ['text' as const],
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
    contextWindow: 1_000_000,
    maxTokens: 1_000,
  };
}

export function bareTool() {
  return {
    name: 'work_step',
    label: 'step',
    description: 'A step.',
    parameters: Type.Object({ n: Type.Number() }),
    execute: async (_id: string, args: { n: number }) => ({
      content: [{ type: 'text' as const, text: JSON.stringify({ n: args.n, done: true }) }],
      details: {},
    }),
  };
}

/** The same agents in our runtime cell: hooks, gate, sessions, each step durable in the log on disk. */
export async function ourFleet(options: {
  readonly agents: number;
  readonly thinkMs: number;
  /** Of one agent before it ends and starts again: what a mission may have. */
  readonly stepsPerRun: number;
  readonly warmMs: number;
  readonly ms: number;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly onSecond: () => void;
}): Promise<{
  readonly steps: Steps;
  readonly runs: number;
  readonly failed: number;
  readonly events: number;
  readonly commits: number;
}> {
  const { agents, thinkMs, stepsPerRun, warmMs, ms, dataDir, clock } = options;
  const watch = new StepWatch();
  const log = await openEventLog(dataDir, 'runtime', clock);
  const bus = new FakeBus(clock);
  serveRobot(bus, new FakeRobot({ cells: 2 }));
  const ids = new IdSource(
    () => Date.now(),
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  const until = performance.now() + warmMs + ms;
  const scripted = (agent: string): LanguageModel => ({
    info: INFO,
    health: async () => ({ ok: true, reason: '', queueDepth: 0 }),
    close: async () => {},
    async complete(request): Promise<ModelAnswer> {
      watch.asked(agent);
      await think(thinkMs);
      const steps = request.messages.filter(({ role }) => role === 'assistant').length + 1;
      const ends = steps > stepsPerRun || performance.now() >= until;
      const call = { id: 'call', name: 'work_step', argumentsText: JSON.stringify({ n: steps }) };
      watch.answered(agent);
      return {
        text: ends ? 'done' : '',
        toolCalls: ends ? [] : [call],
        stopReason: ends ? 'stop' : 'tool_calls',
        tokensIn: 1,
        tokensOut: 1,
        model: 'scripted',
        modelId: 'scripted',
      };
    },
  });
  // The router of the daemon, with its hooks, places and events; one for each agent, so that the watch knows whose it
  // is.
  const routers = new Map<string, ModelRouter>();
  const routerOf = (agent: string): ModelRouter => {
    const known = routers.get(agent);
    if (known) return known;
    const spec = { model: scripted(agent), kind: 'openai', url: '', places: 4, queueMs: 5_000, wake: false };
    const router = new ModelRouter({
      ...{ models: [spec], hooks: new PolicyGate([new OperatorRole()], clock), clock, ids, blobs: undefined },
      ...{ budget: undefined, cacheBytes: 0, healthEveryMs: 0, report: () => {} },
      emit: async (fresh) => {
        await log.append(fresh);
      },
    });
    routers.set(agent, router);
    return router;
  };
  const models: ModelsOfRun = (run) => routerOf(run.app.name).forRun(run);
  const apps = Array.from({ length: agents }, (_, i) => agentOf(`agent-${i}`));
  const context: CellContext = {
    name: 'runtime',
    clock,
    log,
    bus,
    dataDir,
    attempt: 0,
    startReason: 'bench',
    report: (_level, message, facts) => process.stderr.write(`${message} ${JSON.stringify(facts)}\n`),
    emit: async (events) => {
      await log.append(events);
    },
  };
  const cell = new RuntimeCell(context, {
    robot: 'bench',
    apps,
    hooks: [new OperatorRole()],
    ids,
    models,
    harnesses: { pi: (app) => new PiHarness(app) },
  });
  await cell.start();
  setTimeout(() => watch.forget(), warmMs);
  const seconds = setInterval(options.onSecond, 1_000);
  let runs = 0;
  let failed = 0;
  const one = async (app: Application) => {
    while (performance.now() < until) {
      const { run } = await cell.submit({ type: `${app.name}/go` }, PERSON);
      runs++;
      while (!['succeeded', 'failed', 'cancelled'].includes(cell.run(run.run_id).run.status)) await think(50);
      if (cell.run(run.run_id).run.status !== 'succeeded') failed++;
      watch.over(app.name);
    }
  };
  await Promise.all(apps.map(one));
  clearInterval(seconds);
  await cell.stop();
  const reader = log.reader();
  let events = 0;
  for (let cursor = 0; ; ) {
    const read = reader.read(cursor, 10_000);
    if (read.length === 0) break;
    events += read.length;
    cursor = read.at(-1)!.seq;
  }
  reader.close();
  const { commits } = log.stats();
  await log.close();
  return { steps: watch.steps, runs, failed, events, commits };
}

function agentOf(name: string): Application {
  const closed = { additionalProperties: false } as const;
  return {
    name,
    version: '1.0.0',
    description: name,
    harness: 'pi',
    intents: [{ type: `${name}/go`, description: 'go', params: Schema.Object({}, closed) }],
    deadlineMs: 3_600_000,
    afterCut: 'resume',
    agent: { instructions: 'You are a test.', prompt: () => 'Go.', tools: ['*'], turnsMax: 10_000 },
    tools: [
      {
        spec: {
          name: 'work.step',
          description: 'A step.',
          input: Schema.Object({ n: Schema.Number() }, closed),
          effect: 'write',
          replay: 'never',
          deadlineMs: 10_000,
          origin: 'app',
        },
        run: async ({ n }) => ({ result: { n, done: true } }),
      },
    ],
  };
}
