import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { FakeRobot, type FakeRobotOptions } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';

async function mission(options: Partial<FakeRobotOptions>, params: Record<string, unknown> = {}) {
  const robot = new FakeRobot(options);
  const rig = new RuntimeRig({ apps: [application], robot });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'maze/find_exit', params }, PERSON);
  await rig.finished();
  return {
    rig,
    robot,
    run: rig.cell.run(run.run_id),
    decisions: (await Array.fromAsync(rig.cell.decisions(run.run_id))).join(''),
  };
}

describe('turtlebot-maze on a grid maze', () => {
  it.each(Array.from({ length: 20 }, (_, i) => i + 1))('finds the exit of maze %i', async (seed) => {
    const { run } = await mission({ seed, cells: 8 });
    expect(run.run.status).toBe('succeeded');
    expect(run.run.score).toBe(1);
    expect(run.summary?.['reached']).toBe(true);
  });
});

describe('turtlebot-maze when things go wrong', () => {
  it.each([1, 2, 3, 4, 5])('gets free when every third drive gets stuck (seed %i)', async (seed) => {
    const { run } = await mission({ seed, cells: 6, stuckShare: 0.33 });
    expect(run.run.status).toBe('succeeded');
    expect(run.summary?.['recoveries']).toBeGreaterThan(0);
  });

  it('gives up when no drive ever arrives, with a score for what it saw', async () => {
    const { run, robot } = await mission({ seed: 1, cells: 8, stuckShare: 1 });
    expect(run.run.status).toBe('failed');
    expect(run.reason).toMatch(/8 failures in a row, last: stuck/);
    expect(run.run.score).toBeGreaterThan(0);
    expect(run.run.score).toBeLessThan(0.5);
    expect(robot.orders.filter((order) => order.includes('spin')).length).toBe(7);
  });

  it('ends when its time is over', async () => {
    const { run } = await mission({ seed: 7, cells: 8 }, { max_duration_s: 20 });
    expect(run).toMatchObject({ phase: 'gave_up', run: { status: 'failed' } });
    expect(run.summary?.['reached']).toBe(false);
    expect(run.summary?.['duration_s']).toBeGreaterThanOrEqual(20);
    expect(run.summary?.['duration_s']).toBeLessThan(60);
  });

  it('that may not drive ends with the reason, and does not ask again', async () => {
    const robot = new FakeRobot({ seed: 1, cells: 8 });
    let asked = 0;
    robot.navigate = async () => {
      asked++;
      throw new EdgeError('estop.engaged', {
        operation: 'navigate',
        subject: 'robot',
        message: 'the emergency stop is engaged by ada (cli)',
      });
    };
    const rig = new RuntimeRig({ apps: [application], robot });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
    await rig.finished();
    expect(rig.cell.run(run.run_id)).toMatchObject({
      reason: 'stopped: the emergency stop is engaged by ada (cli)',
      run: { status: 'failed' },
    });
    expect(asked).toBe(1);
  });

  it('refuses parameters that are not its own', async () => {
    await expect(mission({ cells: 2 }, { max_duration_s: '20' })).rejects.toThrow(/\/params\/max_duration_s/);
    await expect(mission({ cells: 2 }, { max_bumps: -1 })).rejects.toThrow(/\/params\/max_bumps/);
  });
});
