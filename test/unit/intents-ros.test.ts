import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type CellContext,
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type MessageValue,
  TOPICS,
} from '../../contract/index.ts';
import { makeIntents } from '../../daemon/compose/intents.ts';
import { RosIntents } from '../../daemon/execution/intents/ros-intents.ts';
import { loadSettings } from '../../daemon/settings.ts';
import { builtInText } from '../../formats/ros2/definitions.ts';
import { TypeBook } from '../../formats/ros2/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryRos } from '../fakes/memory-ros.ts';
import { cellReport } from '../support/cell-report.ts';
import { IntentsRig } from '../support/intents-rig.ts';

const ACTION = '/r1/run_intent';
const TYPE = 'auraison_interfaces/action/RunIntent';
const GOAL: MessageValue = {
  type: 'maze/find_exit',
  params_json: '{"floor": 2}',
  idempotency_key: '',
  priority: 7,
  deadline: { sec: 1_900_000_000, nanosec: 5 },
  traceparent: '',
};

let rig: IntentsRig;
let ros: MemoryRos;
let intents: RosIntents;
beforeEach(async () => {
  rig = new IntentsRig();
  ros = new MemoryRos(rig.clock);
  intents = new RosIntents({
    api: ros,
    door: rig.door,
    follower: rig.follower,
    clock: rig.clock,
    action: ACTION,
    context: { tenant: 'local', principal: 'ros', roles: ['operator'], origin: 'ros' },
    clientGone: 'continue',
    emit: async (events) => void rig.events.push(...events),
    report: (_level, message) => void rig.reports.push(message),
  });
  await intents.start();
  await rig.pass(100);
});

async function send(
  goal: MessageValue = GOAL,
): Promise<{ handle: GoalHandle; heard: MessageValue[]; ended: GoalResult[] }> {
  const heard: MessageValue[] = [];
  const handle = await ros.actions.send(ACTION, TYPE, goal, {
    timeoutMs: 1_000,
    onFeedback: (one) => void heard.push(one),
  });
  const ended: GoalResult[] = [];
  void handle.result.then((result) => ended.push(result));
  await rig.pass(200);
  return { handle, heard, ended };
}

describe('a goal', () => {
  it('opens a run with what it says, tells how it goes on, and ends with it', async () => {
    const { heard, ended } = await send();
    expect(rig.opened).toHaveLength(1);
    expect(rig.opened[0]).toMatchObject({
      request: { type: 'maze/find_exit', params: { floor: 2 }, priority: 7, deadline: '1900000000000000005' },
      context: { origin: 'ros', principal: 'ros' },
    });
    rig.move(rig.lastRun, 'running', 'explore', 'the frontier is near');
    await rig.pass(200);
    expect(heard.at(-1)).toEqual({
      run_id: rig.lastRun,
      status: 'running',
      phase: 'explore',
      reason: 'the frontier is near',
    });
    expect(ended).toEqual([]);
    rig.end(rig.lastRun, 'succeeded', 'found');
    await rig.pass(200);
    expect(ended).toEqual([
      {
        status: 'succeeded',
        result: {
          run_id: rig.lastRun,
          status: 'succeeded',
          reason: 'found',
          error_code: '',
          score: 0.75,
          summary_json: '{"exit":true}',
        },
      },
    ]);
  });

  it('that is canceled ends when its run has ended and the robot stands, not before', async () => {
    const { handle, ended } = await send();
    rig.stopMs = 800;
    await handle.cancel(1_000);
    await rig.pass(500);
    expect(ended).toEqual([]);
    await rig.pass(600);
    expect(rig.cancelled).toEqual([rig.lastRun]);
    expect(ended).toMatchObject([{ status: 'canceled', result: { status: 'cancelled' } }]);
  });

  it('of a client that asks twice with one key is the same run', async () => {
    await send({ ...GOAL, idempotency_key: 'once' });
    await send({ ...GOAL, idempotency_key: 'once' });
    expect(rig.opened).toHaveLength(1);
    await send();
    await send();
    expect(rig.opened).toHaveLength(3);
  });

  it('goes on over a restart of the runtime', async () => {
    const { ended } = await send();
    rig.bus.down = new EdgeError('cell.restarted', { operation: 'x', subject: 'runtime' });
    await rig.pass(3_000);
    expect(ended).toEqual([]);
    rig.bus.down = undefined;
    rig.end(rig.lastRun, 'failed', 'no way out');
    await rig.pass(2_000);
    expect(ended).toMatchObject([{ status: 'aborted', result: { status: 'failed', reason: 'no way out' } }]);
  });

  it('whose run nobody knows any more, because the log of the runtime was lost, is aborted', async () => {
    const { ended } = await send();
    rig.opened.length = 0;
    await rig.pass(2_000);
    expect(ended).toMatchObject([{ status: 'aborted', result: { status: 'failed' } }]);
    expect(String(ended[0]!.result['reason'])).toMatch(/log was lost/);
  });

  it('whose cancellation finds no runtime is cancelled when there is one', async () => {
    const { handle, ended } = await send();
    rig.bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'runtime' });
    await handle.cancel(1_000);
    await rig.pass(3_000);
    expect(ended).toEqual([]);
    rig.bus.down = undefined;
    await rig.pass(3_000);
    expect(ended).toMatchObject([{ status: 'canceled' }]);
  });
});

describe('a goal that opens no run', () => {
  it.each([
    [{ ...GOAL, params_json: '{' }, 'schema.invalid', /params_json: not JSON/],
    [{ ...GOAL, params_json: 'x'.repeat(70_000) }, 'schema.invalid', /at most 65536/],
  ])('because of what it says is aborted with the reason', async (goal, code, reason) => {
    const { ended } = await send(goal);
    expect(ended).toMatchObject([
      { status: 'aborted', result: { status: 'refused', run_id: '', error_code: code } },
    ]);
    expect(String(ended[0]!.result['reason'])).toMatch(reason);
    expect(rig.opened).toEqual([]);
  });

  it('because a policy says no is aborted with its words', async () => {
    rig.refusal = new EdgeError('policy.denied', {
      operation: 'submit',
      subject: 'x',
      message: 'not at night',
    });
    const { ended } = await send();
    expect(ended).toMatchObject([
      { status: 'aborted', result: { error_code: 'policy.denied', reason: 'not at night' } },
    ]);
  });

  it('because the runtime is down is rejected, and the log says why', async () => {
    rig.bus.tell(TOPICS.cellState, [cellReport('execution', 'up'), cellReport('runtime', 'down')]);
    rig.bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'runtime' });
    const { ended } = await send();
    expect(ended).toMatchObject([{ status: 'rejected' }]);
    expect(rig.events).toMatchObject([
      { kind: 'command.refused', payload: { error: { code: 'cell.unavailable' }, source: 'ros/run_intent' } },
    ]);
  });

  it('is accepted again as soon as the runtime is up, whatever question still waits for its former life', async () => {
    rig.bus.deaf.add('run.briefs');
    rig.bus.tell(TOPICS.cellState, [cellReport('runtime', 'down')]);
    expect((await send()).ended).toMatchObject([{ status: 'rejected' }]);
    rig.bus.tell(TOPICS.cellState, [cellReport('runtime', 'starting')]);
    expect((await send()).ended).toMatchObject([{ status: 'rejected' }]);
    await rig.pass(1_000);
    rig.bus.tell(TOPICS.cellState, [cellReport('runtime', 'up')]);
    await send();
    expect(rig.opened).toHaveLength(1);
  });

  it('because no answer came is aborted, and the run that it opened all the same is cancelled', async () => {
    rig.bus.deaf.add('intent.submit');
    const { ended } = await send({ ...GOAL, idempotency_key: 'lost' });
    await rig.pass(5_500);
    expect(ended).toMatchObject([{ status: 'aborted', result: { error_code: 'deadline.exceeded' } }]);
    // It had arrived; only its answer was lost.
    rig.bus.deaf.clear();
    await rig.bus.request('runtime', 'intent.submit', {
      request: { type: 'maze/find_exit', idempotency_key: 'lost' },
      context: { tenant: 'local', principal: 'ros', roles: [], origin: 'ros' },
    });
    await rig.pass(3_000);
    expect(rig.cancelled).toEqual([rig.lastRun]);
  });
});

it('the action is offered once the runtime takes its goals, not before', async () => {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const own = new MemoryRos(clock);
  const context = { clock, bus, report: () => {}, emit: async () => {} } as unknown as CellContext;
  const made = makeIntents(loadSettings(undefined, {}), context, own);
  const send = async () => {
    const sent = own.actions.send('/run_intent', TYPE, GOAL, { timeoutMs: 100 });
    return (await Promise.allSettled([sent, clock.advance(200)]))[0];
  };
  made.start();
  await clock.advance(10_000);
  expect(await send()).toMatchObject({ status: 'rejected', reason: { code: 'ros.not_found' } });
  bus.tell(TOPICS.cellState, [cellReport('runtime', 'up')]);
  await clock.advance(1);
  expect(await send()).toMatchObject({ status: 'fulfilled' });
  await made.close();
});

describe('the interface', () => {
  it('that this program carries is the one that robots build, without its comments', () => {
    const file = new URL('../../launch/auraison_interfaces/action/RunIntent.action', import.meta.url);
    const bare = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .join('\n');
    expect(builtInText(TYPE)).toBe(bare);
    const book = new TypeBook();
    expect(book.knows(`${TYPE}_SendGoal`)).toBe(true);
    expect(book.hash(TYPE)).toMatch(/^RIHS01_[0-9a-f]{64}$/);
  });
});
