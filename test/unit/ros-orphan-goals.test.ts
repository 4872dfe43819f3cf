import { expect, it } from 'vitest';
import { ApiLink } from '../../adapters/ros/api-link.ts';
import type { ApiCall } from '../../adapters/ros/api-wire.ts';
import type { HostProcess } from '../../adapters/ros/host-process.ts';
import { HostActions } from '../../adapters/ros/ros-actions.ts';
import { EdgeError } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A host of which the test answers the calls. */
function fakeHost() {
  const calls: { call: ApiCall; answer: PromiseWithResolvers<unknown> }[] = [];
  const host = {
    alive: true,
    apiCall: (call: ApiCall) => {
      const answer = Promise.withResolvers<unknown>();
      calls.push({ call, answer });
      return { answer: answer.promise, abort: () => {} };
    },
    apiWord: () => {},
  } as unknown as HostProcess;
  const cancels = () => calls.filter(({ call }) => call.op === 'call' && call.name.endsWith('/cancel_goal'));
  return { host, calls, cancels };
}

function rig() {
  const clock = new ManualClock();
  const link = new ApiLink(clock);
  const reports: string[] = [];
  const actions = new HostActions(
    link,
    clock,
    (_, message) => reports.push(message),
    () => 1,
  );
  const sendGoal = async ({ calls }: ReturnType<typeof fakeHost>) => {
    const sent = actions.send('/spin', 'a/action/B', {}, { timeoutMs: 1_000 });
    await turn();
    calls.at(-1)!.answer.resolve(true);
    const handle = await sent;
    handle.result.catch(() => {});
    return handle;
  };
  return { link, actions, reports, sendGoal };
}

const died = () =>
  new EdgeError('ros.failed', { operation: 'run the ROS host', subject: 'rclnodejs', message: 'killed' });

it('a goal whose host died is cancelled through the next one, and the one after when that dies too', async () => {
  const { link, reports, sendGoal } = rig();
  const [first, second, third] = [fakeHost(), fakeHost(), fakeHost()];
  await link.attach(first.host);
  await sendGoal(first);
  link.detach(first.host, 'killed');
  await link.attach(second.host);
  await turn();
  expect(second.cancels()).toHaveLength(1);
  link.detach(second.host, 'killed again');
  second.cancels()[0]!.answer.reject(died());
  await turn();
  await link.attach(third.host);
  await turn();
  expect(third.cancels()).toHaveLength(1);
  third.cancels()[0]!.answer.resolve({ return_code: 0, goals_canceling: [{}] });
  await turn();
  expect(reports.at(-1)).toContain('was cancelled because it had no client left');
});

it('a goal whose server was lost from sight is cancelled: it may be there all the same', async () => {
  const { link, reports, sendGoal } = rig();
  const only = fakeHost();
  await link.attach(only.host);
  const { goalId, result } = await sendGoal(only);
  const error = new EdgeError('robot.unreachable', {
    operation: 'wait',
    subject: '/spin',
    message: 'vanished',
  });
  link.news(only.host, { op: 'goalLost', goalId, error: error.toBody() });
  await expect(result).rejects.toMatchObject({ code: 'robot.unreachable' });
  await turn();
  expect(only.cancels()).toHaveLength(1);
  // Nobody sees it within a call: no alarm, it may be gone for good; but it is looked for again.
  const gone = new EdgeError('ros.not_found', { operation: 'call', subject: '/spin', message: 'nobody' });
  only.cancels()[0]!.answer.reject(gone);
  await turn();
  expect(reports).toEqual([]);
  expect(only.cancels()).toHaveLength(2);
  // It is seen again, and the network swallows what it is told.
  const silent = new EdgeError('deadline.exceeded', { operation: 'cancel a goal', subject: '/spin' });
  only.cancels()[1]!.answer.reject(silent);
  await turn();
  expect(reports).toEqual([]);
  expect(only.cancels()).toHaveLength(3);
  only.cancels()[2]!.answer.resolve({ return_code: 0, goals_canceling: [{}] });
  await turn();
  expect(reports.at(-1)).toContain('was cancelled because it had no client left');
});

it('a goal whose server stays away is looked for so often, and not for ever', async () => {
  const { link, sendGoal } = rig();
  const only = fakeHost();
  await link.attach(only.host);
  const { goalId } = await sendGoal(only);
  const error = new EdgeError('robot.unreachable', { operation: 'wait', subject: '/spin' });
  link.news(only.host, { op: 'goalLost', goalId, error: error.toBody() });
  await turn();
  const gone = new EdgeError('ros.not_found', { operation: 'call', subject: '/spin' });
  for (let i = 0; i < 200; i++) {
    only.cancels().at(-1)!.answer.reject(gone);
    await turn();
  }
  expect(only.cancels()).toHaveLength(120);
});

it('an action that is served while no host is there is served once by the first, and anew by the next', async () => {
  const { link, actions } = rig();
  const [first, second] = [fakeHost(), fakeHost()];
  const answerAll = async ({ calls }: typeof first) => {
    await turn();
    for (const { answer } of calls) answer.resolve(undefined);
    await turn();
  };
  const ops = ({ calls }: typeof first) => calls.map(({ call }) => call.op);
  const execute = async () => ({ status: 'succeeded', result: {} }) as const;
  const serving = actions.serve('/spin', 'a/action/B', { accept: () => true, execute });
  const attaching = link.attach(first.host);
  await answerAll(first);
  await attaching;
  await answerAll(first);
  await serving;
  // Asked for a second time the host would abort the goals that run.
  expect(ops(first)).toEqual(['serveAction']);
  link.detach(first.host, 'killed');
  const again = link.attach(second.host);
  await answerAll(second);
  await again;
  expect(ops(second)).toEqual(['serveAction']);
});
