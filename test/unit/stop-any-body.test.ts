import { afterEach, describe, expect, it } from 'vitest';
import {
  type CellContext,
  type LeaseView,
  METHODS,
  NEVER_REFUSED,
  type RosApi,
  type RunDetails,
  type RuntimeApi,
} from '../../contract/index.ts';
import { serveBags } from '../../daemon/execution/bag-requests.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveControllers } from '../../daemon/execution/controllers/controller-requests.ts';
import type { DoorCalls } from '../../daemon/execution/door/index.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import { servePolicyRequests } from '../../daemon/execution/serving/desk-requests.ts';
import { serveChats } from '../../daemon/runtime/chat/chat-requests.ts';
import { servePlans } from '../../daemon/runtime/planning/plan-requests.ts';
import { serveRuntimeRequests } from '../../daemon/runtime/runtime-requests.ts';
import { endRigs, Rig } from '../support/safety-rig.ts';

const { execution, runtime } = METHODS;
afterEach(endRigs);

/** Bodies that fit no call. */
const ODD: readonly unknown[] = [
  ...[undefined, null, 7, 'stop', [], {}, { id: {}, goalId: 7, leaseId: '1', runId: [], callId: null }],
  { motionId: 7, reason: {}, timeoutMs: 'soon', of: 'me', by: 7, call: {}, readId: 8, stranger: true },
];

type Answer = (body: never, from: 'runtime', madeAtMs: number) => Promise<unknown>;

/** Handlers of one cell, called as the bus calls them, without its check. */
class Calls {
  readonly clock = new Rig().clock;
  readonly #handlers = new Map<string, Answer>();

  readonly bus = {
    handle: (method: string, answer: Answer) => void this.#handlers.set(method, answer),
  } as unknown as CellContext['bus'];

  async ask<T>(method: string, body: unknown): Promise<T> {
    return (await this.#handlers.get(method)!(body as never, 'runtime', 0)) as T;
  }

  has(method: string): boolean {
    return this.#handlers.has(method);
  }
}

const RUN = '01890000-0000-7000-8000-000000000001';

function served() {
  const rig = new Rig();
  const calls = new Calls();
  const done: string[] = [];
  const context = { bus: calls.bus, clock: rig.clock, report: () => {} } as unknown as CellContext;
  const player = {
    current: (): string | undefined => (done.includes('no play') ? undefined : '4'),
    drives: () => false,
    stop: async (id: string) => {
      done.push(`play ${id}`);
      return { play_id: id };
    },
  };
  serveBags(
    context,
    player as never,
    () => {},
    () => {},
  );
  const goal = {
    goalId: 'a1',
    result: new Promise(() => {}),
    cancel: async (timeoutMs: number) => done.push(`goal ${timeoutMs}`) > 0,
  };
  serveRos(context, {
    api: { actions: { send: async () => goal } } as unknown as RosApi,
    qosEvents: () => [],
    wanted: () => {},
    calls: { goal: () => 'harmless' } as unknown as DoorCalls,
    bus: new SampleBus({ clock: rig.clock, ledger: new Ledger() }),
  });
  const run = {
    run: { run_id: RUN, intent_id: RUN, status: 'cancelled' },
    intent: { type: 'a/b', policy_ctx: { tenant: 'lab', principal: 'ada' } },
    reason: '',
  } as unknown as RunDetails;
  serveRuntimeRequests(calls.bus, {
    run: () => run,
    cancel: async (id: string, reason: string) => void done.push(`run ${id} ${reason}`),
  } as unknown as RuntimeApi);
  const desk = { list: () => [], stop: async (name?: string) => done.push(`controller ${name}`) };
  serveControllers(calls.bus, desk as never);
  serveChats(calls.bus, {
    cancel: (body: { callId: string }) => void done.push(`chat ${body.callId}`),
  } as never);
  servePlans(calls.bus, { infer: () => new Promise(() => {}) });
  servePolicyRequests(calls.bus, {} as never, { cancel: () => false } as never);
  new RobotService(context, {
    robot: {} as never,
    actuation: {
      cancel: (id: string) => void done.push(`motion ${id}`),
      stop: async () => void done.push('stop'),
    } as never,
    connected: () => true,
    charge: () => undefined,
  }).register();
  return { calls, done, rig };
}

describe('a call that ends something, whatever its body', () => {
  it('is taken by the bus: motions, plays, goals, leases, runs, and calls of models', () => {
    for (const call of [
      ...[execution.bagPlayStop, execution.rosGoalCancel, execution.leaseReturn, execution.policyCancel],
      ...[runtime.runCancel, runtime.planCancel, runtime.chatCancel],
    ])
      expect([...NEVER_REFUSED]).toContain(call);
  });

  it('never crashes its handler: it does it, or says what it misses', async () => {
    const { calls } = served();
    for (const call of NEVER_REFUSED) {
      if (!calls.has(call)) continue;
      for (const body of ODD) {
        const said = await calls.ask(call, body).catch((error: unknown) => error);
        if (said instanceof Error) expect([call, said]).toMatchObject([call, { code: 'schema.invalid' }]);
      }
    }
  });

  it('stops the one playback there is, and says so where there is none', async () => {
    const { calls, done } = served();
    for (const body of [null, {}, { id: 4 }, { id: '4', reason: 'x' }])
      expect(await calls.ask(execution.bagPlayStop, body)).toMatchObject({ play_id: '4' });
    done.push('no play');
    await expect(calls.ask(execution.bagPlayStop, {})).rejects.toMatchObject({
      ...{ code: 'schema.invalid', subject: '/id' },
    });
  });

  it('cancels a goal although its timeout is none, and no goal without a name', async () => {
    const { calls, done, rig } = served();
    const sent = calls.ask(execution.rosGoalSend, {
      ...{ action: '/count', type: 'a_msgs/action/A', goal: {}, timeoutMs: 1 },
    });
    sent.catch(() => {});
    for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
    await rig.clock.advance(1);
    expect(await calls.ask(execution.rosGoalCancel, { goalId: 'a1', timeoutMs: 'soon' })).toEqual({
      cancelled: true,
    });
    expect(done.at(-1)).toMatch(/^goal \d+$/);
    await expect(calls.ask(execution.rosGoalCancel, { goalId: 7 })).rejects.toMatchObject({
      ...{ code: 'schema.invalid', subject: '/goalId' },
    });
  });

  it('cancels a run although its reason is none', async () => {
    const { calls, done } = served();
    const of = { tenant: 'lab', principal: 'ada' };
    await calls.ask(runtime.runCancel, { runId: RUN, reason: 7 });
    await calls.ask(runtime.runCancel, { runId: RUN, of, stranger: 1 });
    expect(done).toEqual([`run ${RUN} cancelled`, `run ${RUN} cancelled`]);
  });

  it.each([
    [{ runId: RUN, reason: '', of: { tenant: 'lab', principal: 'eve' } }],
    [{ runId: RUN, reason: '', of: { tenant: 'lab' } }],
    [{ runId: RUN, reason: '', of: 'ada' }],
    [{ runId: RUN, reason: '', of: null }],
    [{ runId: RUN, reason: '', off: { tenant: 'lab', principal: 'eve' } }],
  ])('cancels no run of which it cannot read that it is its own: %j', async (body) => {
    const { calls, done } = served();
    await expect(calls.ask(runtime.runCancel, body)).rejects.toMatchObject({
      code: expect.stringMatching(/^(policy.denied|schema.invalid)$/),
    });
    expect(done).toEqual([]);
  });
});

describe('a lease that is given back with an odd body', () => {
  const held = async () => {
    const rig = new Rig();
    const { lease_id: id } = await rig.ask<LeaseView>(execution.leaseTake, {
      ...{ role: 'teleoperation', holder: 'vera/pad', ttlMs: 1_000 },
    });
    return { rig, id: id! };
  };

  it.each([
    ['no number', () => ({ by: 'vera' })],
    ['a number that is text', (id: number) => ({ leaseId: String(id), by: 'vera' })],
    ['a field that nobody knows', (id: number) => ({ leaseId: id, by: 'vera', reason: 'tea' })],
  ])('is free where the holder says who it is: %s', async (_, body) => {
    const { rig, id } = await held();
    expect(await rig.ask<LeaseView>(execution.leaseReturn, body(id))).toMatchObject({ state: 'free' });
    expect(rig.stops).toHaveLength(1);
  });

  it.each([
    ['nothing', () => null],
    ['the number alone, as text', (id: number) => ({ leaseId: String(id) })],
    ['no number, of another person', () => ({ by: 'max' })],
    ['the name of another person', (id: number) => ({ leaseId: id, by: 'max' })],
    ['a name that is none', (id: number) => ({ leaseId: id, by: 7 })],
    ['an empty name', (id: number) => ({ leaseId: id, by: '' })],
    ['a misspelt name', (id: number) => ({ leaseId: id, holder: 'max' })],
  ])('stays with its holder otherwise: %s', async (_, body) => {
    const { rig, id } = await held();
    await expect(rig.ask(execution.leaseReturn, body(id))).rejects.toMatchObject({
      code: expect.stringMatching(/^(policy.denied|schema.invalid)$/),
    });
    expect(await rig.ask<LeaseView>(execution.leaseState, {})).toMatchObject({ state: 'held', lease_id: id });
    expect(rig.stops).toEqual([]);
  });
});
