import { describe, expect, it } from 'vitest';
import type { PolicyHook, RunContext, Tool } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

/** A robot whose orders are noted together with the ends of runs, in the order of the world. */
function rigOf(work: Work, tools: readonly Tool[] = [], hooks: readonly PolicyHook[] = []) {
  const robot = new FakeRobot({ cells: 4, turn: () => new Promise((resolve) => setImmediate(resolve)) });
  const rig = new RuntimeRig({
    apps: [agentApp('late', { tools })],
    robot,
    hooks,
    options: agents({ late: work }),
  });
  return { robot, rig };
}

const drive = (robot: Pick<RunContext['robot'], 'navigate'>, x: number) =>
  robot.navigate({ pose: { x, y: 0.5, yaw: 0 }, tolerance: 0.2, timeoutMs: 5_000 });

/** A tool that moves again and again, whatever became of the motion before. */
const stubborn = (turns: number): Tool =>
  tool(
    'late.patrol',
    { effect: 'actuate', replay: 'never', deadlineMs: 60_000 },
    async (_args, { robot }) => {
      for (let i = 1; i <= turns; i++) await drive(robot!, i).catch(() => undefined);
      return { result: {} };
    },
  );

async function quiet(rig: RuntimeRig): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await rig.clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const moves = (robot: FakeRobot) => robot.orders.filter((order) => !order.startsWith('stop'));

describe('calls that nobody waited for', () => {
  it('never move the robot once the run is over, however far they had come', async () => {
    for (let turns = 0; turns < 60; turns++) {
      const { rig, robot } = rigOf(async (context) => {
        void drive(context.robot, 1).catch(() => undefined);
        for (let i = 0; i < turns; i++) await Promise.resolve();
        return {};
      });
      await rig.cell.start();
      await rig.cell.submit({ type: 'late/go' }, PERSON);
      await rig.until(() => rig.of('run.finished').length > 0, 'the end');
      const told = robot.orders.length;
      await quiet(rig);
      expect(robot.orders.slice(told), `after ${turns} turns`).toEqual([]);
      expect((await robot.state()).motion, `after ${turns} turns`).toBe('stopped');
      // Whatever moved it was stopped again before the end was told.
      if (moves(robot).length > 0) expect(robot.orders.at(-1)).toMatch(/^stop/);
      const open = new Set(rig.of('tool.called').map(({ payload }) => payload.call_id));
      for (const { payload } of rig.of('tool.returned')) open.delete(payload.call_id);
      expect([...open], `after ${turns} turns`).toEqual([]);
      expect(rig.events.at(-1)?.kind, `after ${turns} turns`).toBe('run.finished');
    }
  });

  it('end with the run also where a tool moves on and on', async () => {
    const { rig, robot } = rigOf(
      async ({ toolBox }) => {
        void toolBox.call('late.patrol', {}).catch(() => undefined);
        await rig.until(() => moves(robot).length > 0, 'the first drive');
        return {};
      },
      [stubborn(1_000)],
    );
    await rig.cell.start();
    await rig.cell.submit({ type: 'late/go' }, PERSON);
    await rig.until(() => rig.of('run.finished').length > 0, 'the end');
    const told = robot.orders.length;
    await quiet(rig);
    expect(robot.orders.slice(told)).toEqual([]);
    expect((await robot.state()).motion).toBe('stopped');
  });
});

describe('a paused run', () => {
  it('moves nothing more, also within a tool that had begun', async () => {
    const { rig, robot } = rigOf(
      async ({ toolBox }) => {
        await toolBox.call('late.patrol', {});
        return {};
      },
      [stubborn(4)],
    );
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'late/go' }, PERSON);
    await rig.until(() => moves(robot).length > 0, 'the first drive');
    await rig.cell.control.pause(run.run_id, 'a person is in the way');
    const told = moves(robot).length;
    await quiet(rig);
    expect(moves(robot)).toHaveLength(told);
    expect((await robot.state()).motion).toBe('stopped');
    await rig.cell.control.resume(run.run_id);
    await rig.finished();
    expect(moves(robot).length).toBeGreaterThan(told);
  });
});
