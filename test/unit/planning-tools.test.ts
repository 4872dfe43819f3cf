import { describe, expect, it } from 'vitest';
import type { RunContext } from '../../contract/index.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { PlanHarness } from '../../daemon/runtime/planning/plan-harness.ts';
import { plannerApp } from '../../daemon/runtime/planning/planner-app.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { agentApp, agents } from '../support/agent-app.ts';
import { call } from '../support/agent-rig.ts';
import { makeHouse } from '../support/house.ts';
import { drive, RULES } from '../support/plan-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

/** An agent beside the planner, as a daemon has them. */
async function ran(work: (context: RunContext) => Promise<unknown>, steps: readonly unknown[]) {
  const clock = new ManualClock();
  const robot = new FakeRobot({ cells: 4 });
  const model = new FakeLanguageModel('m', () => ({ text: JSON.stringify({ steps }), json: { steps } }));
  let told: unknown;
  const pi = agents({
    agent: async (context) => {
      told = await work(context);
      return { status: 'succeeded', reason: 'done', summary: {} };
    },
  });
  const rig: RuntimeRig = new RuntimeRig({
    apps: [agentApp('agent'), plannerApp(RULES.subgoals)],
    robot,
    clock,
    options: {
      models: () => model,
      tools: () => makeHouse(rig.bus, clock).tools,
      harnesses: {
        ...pi.harnesses,
        flow: () =>
          new PlanHarness({
            ...{ clock, rules: RULES, intents: [], hooks: new PolicyGate([], clock) },
            note: (events) => rig.context.emit(events),
            robotTime: async () => (await robot.state()).time,
          }),
      },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.until(() => rig.cell.status().runs.length === 0 && rig.of('run.finished').length > 0, 'the end');
  return { rig, robot, told: told as Record<string, unknown> };
}

describe('an agent', () => {
  it('has a plan made: it is told the plan, and nothing is carried out', async () => {
    const { told, robot, rig } = await ran(
      (context) => call(context, 'plan.make', { goal: 'go' }),
      [drive(0.1)],
    );
    expect(told).toMatchObject({
      status: 'succeeded',
      summary: { plan: { goal: 'go', steps: [{ step_id: 'step-1', subgoal: 'robot.maneuver' }] } },
    });
    expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toEqual([]);
    // It is a run of its own, that its parent asked for.
    expect(
      rig.of('run.queued').map(({ payload }) => [payload.app, payload.parent_run_id !== undefined]),
    ).toEqual([
      ['agent', false],
      ['planner', true],
    ]);
  });

  it('has a plan carried out, its own or one that is made, and hears how it ended', async () => {
    const own = { goal: 'mine', steps: [{ step_id: 'a', ...drive(0.1) }] };
    const { told, robot } = await ran((context) => call(context, 'plan.run', { plan: own }), []);
    expect(told).toMatchObject({ status: 'succeeded', summary: { done: 1, goal: 'mine' } });
    expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toHaveLength(1);
    const bad = await ran((context) => call(context, 'plan.run', { goal: 'far' }), [drive(99)]);
    expect(bad.told).toMatchObject({ status: 'failed', error: 'model.failed' });
  });

  it('is refused what is no plan before any run is opened', async () => {
    const { rig } = await ran(
      (context) =>
        call(context, 'plan.run', { plan: { goal: 'x' } }).catch((error: { code: string }) => error),
      [],
    );
    expect(rig.of('run.queued')).toHaveLength(1);
    expect(rig.of('tool.returned')[0]!.payload).toMatchObject({
      ok: false,
      error: { code: 'schema.invalid' },
    });
  });
});
