import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever } from '../support/agent-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

describe('a robot that does not confirm its stop', () => {
  it('is named in the state of the run and in the log, with who asked', async () => {
    const robot = new FakeRobot({ cells: 4 });
    robot.stop = async () => {
      throw new EdgeError('robot.unreachable', { operation: 'stop', subject: 'robot' });
    };
    const rig = new RuntimeRig({ apps: [agentApp('talk')], robot, options: agents({ talk: forever }) });
    await rig.cell.start();
    const runId = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
    await rig.until(() => rig.cell.run(runId).run.status !== 'queued', 'running');
    const unsure = { stop_confirmed: false };
    expect(await rig.cell.control.pause(runId, 'stand', 'lena')).toMatchObject({
      status: 'paused',
      ...unsure,
    });
    expect(await rig.cell.control.resume(runId, 'go on', 'bea')).not.toHaveProperty('stop_confirmed');
    expect(rig.of('run.status').map(({ payload }) => [payload.by, payload.stop_confirmed])).toEqual([
      ['lena', false],
      ['bea', undefined],
    ]);
    const ended = rig.cell.cancel(runId, 'enough', 'ada');
    await rig.finished();
    expect(await ended).toMatchObject({ status: 'cancelled', ...unsure });
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({ by: 'ada', ...unsure });
  });
});
