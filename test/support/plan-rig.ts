import type { LanguageModel, ModelRequest, PolicyHook, Robot, Tool } from '../../contract/index.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { PlanHarness } from '../../daemon/runtime/planning/plan-harness.ts';
import type { PlanningRules } from '../../daemon/runtime/planning/plan-maker.ts';
import { plannerApp } from '../../daemon/runtime/planning/planner-app.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { ScriptedModel } from '../fakes/scripted-model.ts';
import { makeHouse } from './house.ts';
import { type Cut, RuntimeRig } from './runtime-rig.ts';

export const RULES: PlanningRules = {
  subgoals: ['robot.navigate', 'robot.maneuver', 'arm.*'],
  stepsMax: 8,
  replansMax: 2,
  budgetMs: 600_000,
  planMs: 30_000,
  answersMax: 2,
  maxTokens: 512,
  camera: 'never',
  need: {},
};

/** A step as a model writes it: what it does not say is plain. */
export const drive = (distance_m: number, more: Record<string, unknown> = {}) => ({
  subgoal: 'robot.maneuver',
  params: { kind: 'drive', distance_m },
  deadline_ms: 60_000,
  success: [] as unknown[],
  fallback: 'abort',
  ...more,
});

export type PlanRigOptions = {
  readonly robot?: Robot;
  readonly hooks?: readonly PolicyHook[];
  readonly rules?: Partial<PlanningRules>;
  readonly before?: RuntimeRig;
  readonly cut?: Cut;
  readonly model?: LanguageModel;
  readonly clock?: ManualClock;
  /** Beside those of the house. */
  readonly tools?: readonly Tool[];
};

/** A runtime whose only application is the planner; the model answers with the steps of its script, one plan a time. */
export function planRig(
  script: (request: ModelRequest, count: number) => readonly unknown[] | Promise<readonly unknown[]>,
  options: PlanRigOptions = {},
): RuntimeRig & { readonly model: ScriptedModel; readonly blobs: MemoryBlobStore } {
  const { robot = new FakeRobot({ cells: 4 }), hooks = [], rules = {}, before, cut } = options;
  const clock = before?.clock ?? options.clock ?? new ManualClock();
  const model = new ScriptedModel(async (request, count) => ({
    text: JSON.stringify({ steps: await script(request, count) }),
  }));
  // What the adapter of a real server does with a schema.
  const parsed: LanguageModel = {
    info: model.info,
    complete: async (request, more) => {
      const answer = await model.complete(request, more);
      return { ...answer, json: JSON.parse(answer.text) as unknown };
    },
    health: () => model.health(),
    close: async () => {},
  };
  const blobs = new MemoryBlobStore();
  const made = { ...RULES, ...rules };
  const rig: RuntimeRig = new RuntimeRig({
    apps: [plannerApp(made.subgoals)],
    robot,
    clock,
    hooks,
    ...(before ? { disk: before.disk } : {}),
    ...(cut ? { cut } : {}),
    options: {
      blobs,
      models: () => options.model ?? parsed,
      tools: () => [...makeHouse(rig.bus, clock).tools, ...(options.tools ?? [])],
      harnesses: {
        flow: () =>
          new PlanHarness({
            clock,
            rules: made,
            intents: [],
            hooks: new PolicyGate(hooks, clock),
            note: (events) => rig.context.emit(events),
            robotTime: async () => (await robot.state()).time,
          }),
      },
    },
  });
  return Object.assign(rig, { model, blobs });
}
