import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

describe('the stop of a session', () => {
  it('reaches the agent also where the log takes nothing, and says that it is not logged', async () => {
    const heard: string[] = [];
    const work: Work = async (context) => {
      context.onMessage(async ({ kind }) => void heard.push(kind));
      return await forever(context);
    };
    const rig = new RuntimeRig({
      apps: [agentApp('talk')],
      robot: new FakeRobot({ cells: 4 }),
      options: agents({ talk: work }),
    });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'talk/go', attended: true }, PERSON);
    await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'running');
    rig.disk.fault = new EdgeError('log.failed', { operation: 'append', subject: 'log' });
    expect(await codeOf(rig.cell.control.message(run.run_id, { kind: 'steer', text: 'on' }, PERSON))).toBe(
      'log.failed',
    );
    expect(await codeOf(rig.cell.control.message(run.run_id, { kind: 'stop' }, PERSON))).toBe('log.failed');
    expect(heard).toEqual(['stop']);
  });

  it('is possible for every session: what is no agent is none', async () => {
    const app = flowApp(
      'patrol',
      oneState(async () => ({ event: 'ok', reason: 'done' })),
    );
    const rig = new RuntimeRig({ apps: [app], robot: new FakeRobot({ cells: 4 }) });
    await rig.cell.start();
    const type = 'patrol/go';
    expect(await codeOf(rig.cell.submit({ type, attended: true }, PERSON))).toBe('run.not_supported');
    expect(await codeOf(rig.cell.submit({ type }, PERSON))).toBe('none');
  });
});
