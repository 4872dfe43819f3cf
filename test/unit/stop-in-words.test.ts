import { describe, expect, it } from 'vitest';
import { EdgeError, METHODS, type PolicyHook } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever } from '../support/agent-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const ID = '01890000-0000-7000-8000-000000000001';
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

/** A session that works, another run beside it, and policies that deny whatever they are asked. */
async function talking() {
  const heard: string[] = [];
  const asked: string[] = [];
  const robot = new FakeRobot({ cells: 4 });
  let isOpen = true;
  const denies: PolicyHook = {
    name: 'denies',
    decide: async ({ subject }) => {
      asked.push(subject);
      return isOpen ? { decision: 'allow', reason: '' } : { decision: 'deny', reason: 'never' };
    },
  };
  const rig = new RuntimeRig({
    apps: [agentApp('talk'), agentApp('other')],
    robot,
    hooks: [denies],
    options: agents({
      talk: async (context) => {
        context.onMessage(async ({ kind }) => void heard.push(kind));
        return await forever(context);
      },
      other: forever,
    }),
  });
  await rig.cell.start();
  const open = async (type: string, more = {}) => {
    const { run } = await rig.cell.submit({ type, ...more }, PERSON);
    await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'running');
    return run.run_id;
  };
  const session = await open('talk/go', { attended: true });
  const other = await open('other/go');
  isOpen = false;
  asked.length = 0;
  const say = (run: string, text: string, messageId?: string) =>
    rig.cell.control.message(run, { kind: 'steer', text }, PERSON, messageId ? { messageId } : {});
  const stops = () => rig.bus.asked.filter((method) => method === METHODS.execution.robotStop).length;
  const status = (run: string) => rig.cell.run(run).run.status;
  return { rig, robot, heard, asked, session, other, say, stops, status };
}

describe('an order to stop that is said to a run', () => {
  it('stops the robot and every other run; the session hears it and stays, whatever a policy says', async () => {
    const { rig, robot, heard, asked, session, other, say, status } = await talking();
    const before = rig.cell.stops.count;
    await say(session, 'STOP!! please');
    expect(robot.orders.filter((order) => order.startsWith('stop'))).toContain('stop "STOP!! please"');
    expect(rig.cell.stops.count).toBeGreaterThan(before);
    expect([status(session), status(other), heard, asked]).toEqual(['running', 'cancelled', ['stop'], []]);
    expect(rig.of('run.message').map(({ payload }) => [payload.kind, payload.body])).toEqual([
      ['stop', { text: 'STOP!! please' }],
    ]);
  });

  it('asks the robot before anything is awaited, also while the log takes nothing', async () => {
    const { rig, heard, session, say, stops } = await talking();
    rig.disk.fault = new EdgeError('log.failed', { operation: 'append', subject: 'log' });
    const before = stops();
    const said = say(session, 'halt');
    expect(stops()).toBeGreaterThan(before);
    expect(await codeOf(said)).toBe('none');
    expect(heard).toEqual(['stop']);
  });

  it('stops again when it is sent again under its id, and the session hears it once', async () => {
    const { rig, heard, session, say, stops } = await talking();
    for (let times = 1; times <= 3; times++) {
      const before = stops();
      await say(session, 'stop', ID);
      expect(stops()).toBeGreaterThan(before);
    }
    expect(heard).toEqual(['stop']);
    expect(rig.of('run.message')).toHaveLength(1);
    // The button of the session too: what moves for it now is stopped once more.
    const stop = () => rig.cell.control.message(session, { kind: 'stop' }, PERSON, { messageId: ID });
    const before = stops();
    await stop();
    expect(stops()).toBe(before + 1);
  });

  it('cancels a run that no person talks with, and one that has not started', async () => {
    const { rig, other, session, say, status } = await talking();
    await say(other, 'e-stop');
    expect([status(other), status(session)]).toEqual(['cancelled', 'cancelled']);
    expect(rig.of('run.message').map(({ payload }) => payload.kind)).toEqual(['stop']);
  });

  it('is heard by a session that waits for an approval, whose call is not made', async () => {
    const heard: string[] = [];
    const robot = new FakeRobot({ cells: 4 });
    const asks: PolicyHook = {
      name: 'asks',
      decide: async ({ point }) => ({ decision: point === 'tool' ? 'needs_approval' : 'allow', reason: '' }),
    };
    const rig = new RuntimeRig({
      apps: [agentApp('talk')],
      robot,
      hooks: [asks],
      options: agents({
        talk: async (context) => {
          const halt = new AbortController();
          context.onMessage(async ({ kind }) => {
            heard.push(kind);
            halt.abort(new Error('stopped'));
          });
          await context.robot.maneuver({ kind: 'wait', durationMs: 1 }, halt.signal).catch(() => {});
          return await forever(context);
        },
      }),
    });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'talk/go', attended: true }, PERSON);
    await rig.until(() => rig.cell.run(run.run_id).run.status === 'waiting_approval', 'the question');
    await rig.cell.control.message(run.run_id, { kind: 'steer', text: 'stop' }, PERSON);
    await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'it goes on');
    expect(heard).toEqual(['stop']);
    expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toEqual([]);
  });

  it('stops the robot also where the run is over or unknown', async () => {
    const { rig, session, say, stops } = await talking();
    await rig.cell.cancel(session, 'enough');
    let before = stops();
    expect((await say(session, 'stop')).status).toBe('cancelled');
    expect(stops()).toBeGreaterThan(before);
    before = stops();
    expect(await codeOf(say(ID, 'stop'))).toBe('run.not_found');
    expect(stops()).toBe(before + 1);
  });

  it('says where the order may not have reached the robot, and where it was not confirmed', async () => {
    const { rig, robot, session, say } = await talking();
    robot.stop = async () => {
      throw new EdgeError('robot.unreachable', { operation: 'stop', subject: 'robot' });
    };
    expect(await say(session, 'stop')).toMatchObject({ status: 'running', stop_confirmed: false });
    rig.bus.down = new EdgeError('cell.unavailable', { operation: 'stop', subject: 'execution' });
    expect(await codeOf(say(session, 'stop'))).toBe('cell.unavailable');
  });

  it('opens no run as first words of a session, and none as a fork', async () => {
    const { rig, session, stops, status } = await talking();
    const runs = rig.of('run.queued').length;
    for (const request of [
      { type: 'talk/go', attended: true, params: { words: 'stop it right now' } },
      { type: 'robot/chat', params: { words: 'stop' } },
    ]) {
      const before = stops();
      expect(await codeOf(rig.cell.submit(request, PERSON))).toBe('robot.preempted');
      expect(stops()).toBeGreaterThan(before);
    }
    expect(await codeOf(rig.cell.control.fork(session, 'e', PERSON, { text: 'stop' }))).toBe(
      'robot.preempted',
    );
    expect(rig.of('run.queued')).toHaveLength(runs);
    expect(status(session)).toBe('cancelled');
  });

  it('is a message like any other where it says more', async () => {
    const { heard, session, say, stops, status } = await talking();
    const before = stops();
    expect(await codeOf(say(session, 'stop at the door'))).toBe('policy.denied');
    expect([stops(), heard, status(session)]).toEqual([before, [], 'running']);
  });
});
