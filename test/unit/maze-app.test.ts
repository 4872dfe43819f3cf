import { describe, expect, it } from 'vitest';
import { application } from '../../apps/turtlebot-maze/index.ts';
import { FakeRobot, type FakeRobotOptions } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

async function mission(options: Partial<FakeRobotOptions>, params: Record<string, unknown> = {}) {
  const robot = new FakeRobot(options);
  const rig = new RuntimeRig({ apps: [application], robot });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'maze/find_exit', params }, PERSON);
  await rig.finished();
  return { rig, robot, run: rig.cell.run(run.run_id), decisions: rig.cell.decisions(run.run_id) };
}

describe('turtlebot-maze on a grid maze', () => {
  it.each(Array.from({ length: 20 }, (_, i) => i + 1))('finds the exit of maze %i', async (seed) => {
    const { run } = await mission({ seed, cells: 8 });
    expect(run.run.status).toBe('succeeded');
    expect(run.run.score).toBe(1);
    expect(run.summary?.['reached']).toBe(true);
  });
});
