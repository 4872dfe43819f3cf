import { expect, it } from 'vitest';
import { OrderDesk } from '../../central-link/order-desk.ts';
import { EdgeError, type LinkOrder, type PolicyHook, TOPICS } from '../../contract/index.ts';
import { IntentDoor } from '../../daemon/execution/intents/intent-door.ts';
import { serveRuntimeRequests } from '../../daemon/runtime/runtime-requests.ts';
import { Stops } from '../../daemon/runtime/stop-count.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

/** A runtime whose policies answer when `judged` is called. `tell`: news of a stop that came by another way. */
async function judging(work: Work) {
  let asked = Promise.withResolvers<void>();
  let answer = Promise.withResolvers<void>();
  let isSlow = false;
  const slow: PolicyHook = {
    name: 'slow',
    decide: async () => {
      asked.resolve();
      if (isSlow) await answer.promise;
      return { decision: 'allow', reason: '' };
    },
  };
  const robot = new FakeRobot({ cells: 4 });
  const rig = new RuntimeRig({
    apps: [agentApp('talk')],
    robot,
    hooks: [slow],
    options: agents({ talk: work }),
  });
  serveRuntimeRequests(rig.bus, rig.cell);
  await rig.cell.start();
  return {
    rig,
    robot,
    slowly: () => {
      isSlow = true;
      asked = Promise.withResolvers();
      answer = Promise.withResolvers();
    },
    asked: () => asked.promise,
    judged: () => {
      isSlow = false;
      answer.resolve();
    },
    tell: async () => {
      await rig.clock.advance(1);
      rig.bus.tell(TOPICS.robotStopped, { atMs: rig.clock.monotonicMs() });
    },
  };
}

it('counts for an intent whose policies are asked, and not for the next one', async () => {
  const { rig, slowly, asked, judged, tell } = await judging(forever);
  slowly();
  const submitted = rig.cell.submit({ type: 'talk/go' }, PERSON);
  await asked();
  await tell();
  judged();
  const { run } = await submitted;
  expect(rig.cell.run(run.run_id).run.status).toBe('cancelled');
  await rig.clock.advance(1);
  const next = await rig.cell.submit({ type: 'talk/go' }, PERSON);
  await rig.until(() => rig.cell.run(next.run.run_id).run.status === 'running', 'running');
});

it('counts for a motion of a run whose policies are asked; the run may move again by a new call', async () => {
  const ended: string[] = [];
  const ready = Promise.withResolvers<void>();
  const { rig, robot, slowly, asked, judged, tell } = await judging(async (context) => {
    await ready.promise;
    const wait = () => context.robot.maneuver({ kind: 'wait', durationMs: 1 });
    ended.push(await codeOf(wait()));
    ended.push(await codeOf(wait()));
    return {};
  });
  const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
  await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'running');
  slowly();
  ready.resolve();
  await asked();
  await tell();
  await rig.clock.advance(1);
  judged();
  await rig.finished();
  expect(ended).toEqual(['robot.preempted', 'none']);
  expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toHaveLength(1);
  const refused = rig.of('tool.returned').find(({ payload }) => !payload.ok);
  expect(refused?.payload.error?.code).toBe('robot.preempted');
});

it('counts for an intent of a ROS node or a key that is put again since the runtime did not answer', async () => {
  const { rig, tell } = await judging(forever);
  const door = new IntentDoor({ bus: rig.bus, clock: rig.clock, report: () => {} });
  rig.bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'runtime' });
  const put = (key: string) => door.submit({ type: 'talk/go', idempotency_key: key }, PERSON, 5_000);
  const first = codeOf(put('one'));
  await tell();
  rig.bus.down = undefined;
  for (let i = 0; i < 20; i++) await rig.clock.advance(100);
  expect(await first).toBe('robot.preempted');
  expect(rig.of('run.queued')).toEqual([]);
  expect(await codeOf(put('two'))).toBe('none');
});

it('counts for an order of central that was posted, or tried, before it; not for one that is posted after it', async () => {
  const { rig, tell } = await judging(forever);
  const desk = new OrderDesk({
    ...{ bus: rig.bus, clock: rig.clock, tenant: 'local', roles: ['operator'], random: () => 0 },
  });
  const order = (n: number, posted: bigint): LinkOrder =>
    ({
      ...{ order_id: `01a2028d-0d9d-7000-8508-bc3e1978900${n}`, kind: 'intent', body: { type: 'talk/go' } },
      ...{ posted_by: 'ada', posted_ns: String(posted) },
    }) as never;
  const refused = [{ state: 'refused', error: { code: 'robot.preempted' } }];
  // Tried before the stop, when the runtime did not answer.
  const tried = order(1, rig.clock.now());
  rig.bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'runtime' });
  expect(await desk.settle(tried)).toEqual([]);
  rig.bus.down = undefined;
  const posted = rig.clock.now();
  await rig.clock.advance(5);
  await tell();
  await rig.clock.advance(60_000);
  expect(await desk.settle(tried)).toMatchObject(refused);
  // Posted before the stop, and fetched only now.
  expect(await desk.settle(order(2, posted))).toMatchObject(refused);
  expect(await desk.settle(order(3, rig.clock.now()))).toMatchObject([{ state: 'accepted' }]);
  // A clock of central that is wrong by years keeps no order away for longer than an hour.
  await rig.clock.advance(60 * 60_000);
  expect(await desk.settle(order(4, 0n))).toMatchObject([{ state: 'accepted' }]);
});

it('is one stop, whether it came by the API or is news of it: what is wanted after its answer starts', async () => {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const stops = new Stops(clock, bus);
  const before = stops.now();
  stops.note();
  expect([stops.since(before), stops.since(stops.now())]).toEqual([true, false]);
  await clock.advance(2);
  const atMs = clock.monotonicMs();
  await clock.advance(1);
  const after = stops.now();
  bus.tell(TOPICS.robotStopped, { atMs });
  expect([stops.since(after), stops.since({ atMs: atMs - 1 }), stops.since({ atMs })]).toEqual([
    false,
    true,
    false,
  ]);
});

it('counts by the time at which an intent was wanted, and an intent that has its run keeps it', async () => {
  const { rig, tell } = await judging(forever);
  const wantedAtMs = rig.clock.monotonicMs();
  const request = { type: 'talk/go', idempotency_key: 'k' };
  const { run } = await rig.cell.submit(request, PERSON, wantedAtMs);
  await tell();
  expect(await codeOf(rig.cell.submit({ type: 'talk/go' }, PERSON, wantedAtMs))).toBe('robot.preempted');
  expect(await rig.cell.submit(request, PERSON, wantedAtMs)).toMatchObject({
    duplicate: true,
    run: { run_id: run.run_id },
  });
});
