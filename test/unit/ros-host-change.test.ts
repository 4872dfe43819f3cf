import { expect, it } from 'vitest';
import { ApiLink } from '../../adapters/ros/api-link.ts';
import type { ApiCall, ApiWord } from '../../adapters/ros/api-wire.ts';
import type { HostProcess } from '../../adapters/ros/host-process.ts';
import { makeRosApi } from '../../adapters/ros/ros-node.ts';
import type { GoalResult, MessageValue, ServedGoal } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A host that answers its calls at once, or, `slow`, when the test says so. */
function fakeHost(slow = false) {
  const calls: { call: ApiCall; answer: PromiseWithResolvers<unknown> }[] = [];
  const words: ApiWord[] = [];
  const host = {
    alive: true,
    apiCall: (call: ApiCall) => {
      const answer = Promise.withResolvers<unknown>();
      calls.push({ call, answer });
      if (!slow) answer.resolve(undefined);
      return { answer: answer.promise, abort: () => {} };
    },
    apiWord: (word: ApiWord) => void words.push(word),
  } as unknown as HostProcess;
  return { host, calls, words, asked: () => calls.map(({ call }) => call.op) };
}

/** What a daemon serves: a service whose answers, and an action whose results, the test gives. */
async function rig() {
  const clock = new ManualClock();
  const link = new ApiLink(clock);
  const api = makeRosApi(link, clock, () => {});
  const requests: { request: MessageValue; answer: PromiseWithResolvers<MessageValue> }[] = [];
  const goals: { goal: ServedGoal; end: PromiseWithResolvers<GoalResult> }[] = [];
  const first = fakeHost();
  await link.attach(first.host);
  const service = await api.services.serve('/chat', 'a/srv/Chat', (request) => {
    const answer = Promise.withResolvers<MessageValue>();
    requests.push({ request, answer });
    return answer.promise;
  });
  await api.actions.serve('/run', 'a/action/Run', {
    accept: () => true,
    execute: (goal) => {
      const end = Promise.withResolvers<GoalResult>();
      goals.push({ goal, end });
      return end.promise;
    },
  });
  const [SERVICE, ACTION] = [1, 2];
  const ask = ({ host }: ReturnType<typeof fakeHost>, request: number, who: string) =>
    link.news(host, { op: 'request', server: SERVICE, request, value: { who } });
  const sendGoal = ({ host }: ReturnType<typeof fakeHost>, goalId: string) =>
    link.news(host, { op: 'goal', server: ACTION, goalId, value: {} });
  const execute = ({ host }: ReturnType<typeof fakeHost>, goalId: string) =>
    link.news(host, { op: 'execute', server: ACTION, goalId });
  return { clock, link, api, service, first, requests, goals, ask, sendGoal, execute, SERVICE, ACTION };
}

it('the answer to a client of a host that died goes to no client of the next one', async () => {
  const { link, first, requests, ask, SERVICE } = await rig();
  ask(first, 1, 'one');
  await turn();
  link.detach(first.host, 'killed');
  const second = fakeHost();
  await link.attach(second.host);
  // Each host numbers its requests from 1.
  ask(second, 1, 'two');
  await turn();
  requests[0]!.answer.resolve({ text: 'for one' });
  await turn();
  expect(second.words).toEqual([]);
  requests[1]!.answer.resolve({ text: 'for two' });
  await turn();
  expect(second.words).toEqual([{ op: 'answer', server: SERVICE, request: 1, value: { text: 'for two' } }]);
});

it('requests and goals that come while a host is still given the rest are answered, by that host', async () => {
  const { link, first, requests, goals, ask, sendGoal, execute, SERVICE, ACTION } = await rig();
  link.detach(first.host, 'killed');
  const second = fakeHost(true);
  const attached = link.attach(second.host);
  await turn();
  ask(second, 1, 'early');
  sendGoal(second, 'abc');
  await turn();
  requests[0]!.answer.resolve({ text: 'for early' });
  await turn();
  expect(second.words).toEqual([
    { op: 'accept', server: ACTION, goalId: 'abc', accepted: true },
    { op: 'answer', server: SERVICE, request: 1, value: { text: 'for early' } },
  ]);
  execute(second, 'abc');
  await turn();
  const result: GoalResult = { status: 'succeeded', result: {} };
  goals[0]!.end.resolve(result);
  await turn();
  expect(second.words.at(-1)).toEqual({ op: 'finish', server: ACTION, goalId: 'abc', result });
  for (let i = 0; i < second.calls.length; i++) {
    second.calls[i]!.answer.resolve(undefined);
    await turn();
  }
  await attached;
});

it('a host that dies while it is given the rest loses its goals, and no call goes to it', async () => {
  const { link, api, first, goals, sendGoal, execute } = await rig();
  link.detach(first.host, 'killed');
  const second = fakeHost(true);
  const attached = link.attach(second.host).catch((error: unknown) => error);
  await turn();
  sendGoal(second, 'abc');
  execute(second, 'abc');
  await turn();
  const call = api.services.call('/theirs', 'a/srv/Chat', {}, { timeoutMs: 60_000 });
  link.detach(second.host, 'killed again');
  expect(goals[0]!.goal.canceled.aborted).toBe(true);
  for (let i = 0; i < second.calls.length; i++) {
    second.calls[i]!.answer.resolve(undefined);
    await turn();
  }
  expect(await attached).toMatchObject({ code: 'ros.failed' });
  const third = fakeHost();
  await link.attach(third.host);
  await call;
  expect(second.asked()).not.toContain('call');
  expect(third.asked()).toContain('call');
  goals[0]!.end.resolve({ status: 'aborted', result: {} });
  await turn();
  expect(third.words).toEqual([]);
});

it('what is watched or served no more while a host is given the rest is told to it', async () => {
  const { link, api, service, first } = await rig();
  link.detach(first.host, 'killed');
  const second = fakeHost(true);
  const attached = link.attach(second.host);
  await turn();
  const closed = service.close();
  for (let i = 0; i < second.calls.length; i++) {
    second.calls[i]!.answer.resolve(undefined);
    await turn();
    // The services are done, the actions are not.
    if (i === 0) api.graph.watch(() => {});
  }
  await Promise.all([attached, closed]);
  expect(second.asked()).toContain('unserve');
  expect(second.words).toContainEqual({ op: 'watch', on: true });
});
