import { beforeAll, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { Application, ModelRequest } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const MESSAGE = '0190a000-0000-7000-8000-0000000000aa';
const look: Line = { calls: [{ name: 'robot_look', raw: '{}' }] };
const done: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };

/** One life of a runtime whose agent is a real Pi session. `sight` holds its look until it settles. */
function life(model: ScriptedModel, sight: Promise<void>, more: Partial<RigOptions> = {}) {
  const robot = new FakeRobot({ cells: 4 });
  const blobs = new MemoryBlobStore();
  const seen = tool('robot.look', {}, async () => {
    await sight;
    return { result: { wall: true } };
  });
  const harnesses = { pi: (app: Application) => new PiHarness(app, { blobs }) };
  const options = { models: () => model, blobs, harnesses };
  return { robot, rig: new RuntimeRig({ apps: [agentApp([seen])], robot, options, ...more }) };
}

const told = (request: ModelRequest | undefined) =>
  (request?.messages ?? [])
    .filter(({ role }) => role !== 'system')
    .map(({ role, text }) => `${role}: ${text}`);

it('a Pi run is paused, steered, killed, goes on with each message once, and is forked', async () => {
  const sight = Promise.withResolvers<void>();
  // It looks, and then thinks until the power goes.
  const thinks = new ScriptedModel((request) => (turnOf(request) === 0 ? look : new Promise<Line>(() => {})));
  const { rig: first, robot } = life(thinks, sight.promise);
  await first.cell.start();
  const { run_id: runId } = (await first.cell.submit({ type: 'agent/go' }, PERSON)).run;
  await first.until(() => first.of('tool.called').length === 1, 'the look');

  const { control } = first.cell;
  expect((await control.pause(runId, 'a person is in the way')).status).toBe('paused');
  expect(robot.orders.at(-1)).toMatch(/^stop/);
  sight.resolve();
  await first.until(() => first.of('tool.returned').length === 1, 'what it saw');
  const steer = { kind: 'steer', text: 'Look left.' } as const;
  const say = () => control.message(runId, steer, PERSON, { messageId: MESSAGE });
  await Promise.all([say(), say()]);
  await control.message(runId, { kind: 'steer', text: 'And slowly.' }, PERSON);
  for (let i = 0; i < 20; i++) {
    await first.clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Nobody is asked anything while it is paused.
  expect(thinks.requests).toHaveLength(1);

  expect((await control.resume(runId)).status).toBe('running');
  await first.until(() => thinks.requests.length === 2, 'the second turn');
  expect(told(thinks.requests[1])).toEqual([
    'user: Go.',
    'assistant: ',
    'tool: {"wall":true}',
    'user: Look left.',
    'user: And slowly.',
  ]);
  await say();
  expect(first.of('run.message')).toHaveLength(2);

  const ends = new ScriptedModel(() => done);
  const { rig } = life(ends, Promise.resolve(), { disk: first.disk, clock: first.clock });
  await rig.cell.start();
  await rig.finished();
  // The log tells the message again; Pi knows it by its id.
  expect(told(ends.requests[0])).toEqual(told(thinks.requests[1]));
  expect(rig.cell.run(runId).run).toMatchObject({ status: 'succeeded', attempt: 2 });
  expect(rig.of('tool.called').filter(({ payload }) => payload.tool === 'robot.look')).toHaveLength(1);
  const session = rig.cell.control.session(runId);
  expect(session.filter(({ text }) => text === 'Look left.')).toHaveLength(1);
  await rig.cell.control.message(runId, steer, PERSON, { messageId: MESSAGE });

  const at = session.find(({ kind }) => kind === 'toolResult')!;
  const fork = await rig.cell.control.fork(runId, at.entry_id, PERSON, { text: 'Go right instead.' });
  await rig.until(() => rig.cell.run(fork.run_id).run.status === 'succeeded', 'the end of the fork');
  // It goes on from the look: what was said to the first run after it was never said here.
  expect(told(ends.requests[1])).toEqual([
    'user: Go.',
    'assistant: ',
    'tool: {"wall":true}',
    'user: Go right instead.',
  ]);
  const branch = rig.cell.control.session(fork.run_id).map(({ entry_id }) => entry_id);
  expect(branch).toContain(at.entry_id);
  expect(rig.cell.control.session(runId)).toEqual(session);
});
