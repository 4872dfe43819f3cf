import { describe, expect, it } from 'vitest';
import type { FlowDefinition, HookQuestion, PolicyHook } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp } from '../support/test-apps.ts';

/** Wants a person for whatever moves or is called `do.it`. */
const ask: PolicyHook = {
  name: 'ask',
  decide: async ({ point, subject }: HookQuestion) => ({
    decision: point === 'tool' && ['robot.navigate', 'do.it'].includes(subject) ? 'needs_approval' : 'allow',
    reason: 'people are near',
  }),
};

async function over(rig: RuntimeRig): Promise<void> {
  await rig.until(() => rig.cell.status().runs.length === 0 && rig.of('run.finished').length > 0, 'the end');
  const [run] = rig.cell.runs();
  expect(run!.run.status).toBe('succeeded');
  expect(rig.cell.status().runs).toEqual([]);
  expect(rig.cell.approvals.approvals()).toEqual([]);
  // A later life leaves it alone.
  const before = rig.events.length;
  const again = new RuntimeRig({
    apps: [agentApp('late'), flowApp('late-flow', content)],
    robot: new FakeRobot({ cells: 4 }),
    disk: rig.disk,
    clock: rig.clock,
    options: agents({ late: async () => ({}) }),
  });
  await again.cell.start();
  for (let i = 0; i < 20; i++) await rig.clock.advance(100);
  expect(again.events.slice(before).map(({ kind }) => kind)).toEqual([]);
}

/** A state that drives, and a graph that is content when its time is over. */
const content: FlowDefinition = {
  name: 'content',
  start: 'work',
  stepsMax: 5,
  begin: () => ({}),
  states: {
    work: {
      about: 'drives',
      enter: async ({ robot }) => {
        await robot.navigate({ pose: { x: 1, y: 0.5, yaw: 0 }, tolerance: 0.2, timeoutMs: 5_000 });
        return { event: 'ok', reason: 'there' };
      },
      deadlineMs: 1_000,
      on: { ok: 'done', deadline: 'done' },
    },
    done: { about: 'the end', end: 'succeeded', conclude: () => ({ reason: 'done', summary: {} }) },
  },
};

describe('a question to a person whose call is given up', () => {
  it('by a state whose time is over: the run goes on, and ends as it ends', async () => {
    const rig = new RuntimeRig({
      apps: [flowApp('late-flow', content)],
      robot: new FakeRobot({ cells: 4 }),
      hooks: [ask],
    });
    await rig.cell.start();
    await rig.cell.submit({ type: 'late-flow/go' }, PERSON);
    await over(rig);
  });

  it('by an agent: its status says that it goes on', async () => {
    const statuses: string[] = [];
    const work: Work = async ({ toolBox, runId }) => {
      const own = new AbortController();
      const call = toolBox.call('do.it', {}, { signal: own.signal });
      await rig.until(() => rig.cell.run(runId).run.status === 'waiting_approval', 'the question');
      own.abort();
      await call.catch(() => {});
      statuses.push(rig.cell.run(runId).run.status);
      return {};
    };
    const rig = new RuntimeRig({
      apps: [agentApp('late', { tools: [tool('do.it', { effect: 'write' }, async () => ({ result: {} }))] })],
      robot: new FakeRobot({ cells: 4 }),
      hooks: [ask],
      options: agents({ late: work }),
    });
    await rig.cell.start();
    await rig.cell.submit({ type: 'late/go' }, PERSON);
    await over(rig);
    expect(statuses).toEqual(['running']);
  });
});
