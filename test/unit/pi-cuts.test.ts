import { Type } from 'typebox';
import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { Application, Tool } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

/** The world that effects leave traces in; it outlives every process. */
class World {
  readonly done: string[] = [];
  readonly blobs = new MemoryBlobStore();
}

const input = Type.Object({ n: Type.Integer() }, { additionalProperties: false });
const picture = { mime: 'image/png' as const, data: new Uint8Array([1, 2, 3]) };

/** Effects of every class. What `never` and `probe` did is in the world at once; its answer comes later. */
function tools(world: World): Tool[] {
  const act = (kind: string) => async (args: Readonly<Record<string, unknown>>) => {
    world.done.push(`${kind} ${args['n']}`);
    for (let i = 0; i < 3; i++) await Promise.resolve();
    return { result: { kind, n: args['n'] }, ...(kind === 'safe' ? { images: [picture] } : {}) };
  };
  return [
    tool('do.never', { input, effect: 'write', replay: 'never' }, act('never')),
    tool('do.safe', { input, effect: 'read', replay: 'safe' }, act('safe')),
    tool('do.probe', { input, effect: 'write', replay: 'probe' }, act('probe'), {
      probe: async (args) =>
        world.done.includes(`probe ${args['n']}`) ? { result: { found: true } } : undefined,
    }),
  ];
}

/** Three answers with three calls each, then the end. */
function script(): ScriptedModel {
  return new ScriptedModel((request): Line => {
    const turn = turnOf(request);
    if (turn >= 3)
      return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'all done' } }] };
    const kinds = ['never', 'safe', 'probe'];
    return { text: `turn ${turn}`, calls: kinds.map((kind) => ({ name: `do_${kind}`, args: { n: turn } })) };
  });
}

async function killed(cuts: readonly Cut[], world: World, app: Application): Promise<RuntimeRig> {
  let rig: RuntimeRig | undefined;
  for (const cut of [...cuts, undefined]) {
    const options = {
      models: () => script(),
      blobs: world.blobs,
      harnesses: { pi: (one: Application) => new PiHarness(one, { blobs: world.blobs }) },
    };
    rig = new RuntimeRig({
      apps: [app],
      robot: new FakeRobot({ cells: 2 }),
      options,
      ...(rig ? { disk: rig.disk, clock: rig.clock } : {}),
      ...(cut ? { cut } : {}),
    });
    let up = false;
    void rig.cell.start().then(() => {
      up = true;
    });
    await rig.until(() => up, 'the start');
    if (rig.of('intent.accepted').length === 0 && !rig.dead)
      void rig.cell.submit({ type: 'agent/go' }, PERSON).catch(() => undefined);
    await rig.finished();
  }
  return rig!;
}

function check(rig: RuntimeRig, world: World, what: string): void {
  const called = rig.of('tool.called').map((event) => event.payload.call_id);
  const returned = rig.of('tool.returned').map((event) => event.payload.call_id);
  expect([...returned].sort(), what).toEqual([...called].sort());
  expect(new Set(called).size, what).toBe(called.length);
  expect(rig.of('run.finished'), what).toHaveLength(1);
  expect(rig.of('run.finished')[0]!.payload, what).toMatchObject({ status: 'succeeded', reason: 'all done' });
  // No effect twice, and none is lost: what the model asked for happened, or it was told that nobody knows.
  const once = world.done.filter((line) => !line.startsWith('safe'));
  expect(new Set(once).size, what).toBe(once.length);
  for (const n of [0, 1, 2]) expect(world.done, what).toContain(`safe ${n}`);
  expect(JSON.stringify(rig.of('session.entry')), what).not.toContain('auraison.forked');
  // The tree is one line of entries without a gap, and every call has one result in it.
  const entries = rig.of('session.entry').map(({ payload }) => payload);
  expect(
    entries.map((entry) => entry.entry_id),
    what,
  ).toEqual(entries.map((_, i) => `e${i + 1}`));
  const messages = entries.flatMap(({ entry }) => (entry['type'] === 'message' ? [entry['message']] : []));
  const results = (messages as { role: string; toolCallId: string }[]).filter(
    ({ role }) => role === 'toolResult',
  );
  expect(
    results.map(({ toolCallId }) => toolCallId),
    what,
  ).toEqual([...[1, 2, 3].flatMap((turn) => [1, 2, 3].map((n) => `call_${turn}_${n}`)), 'call_4_1']);
}

describe('a Pi session that is cut off', () => {
  it('goes on from a cut at every append: no effect twice, no call without its result', async () => {
    const world = new World();
    const app = agentApp(tools(world));
    const whole = await killed([], world, app);
    check(whole, world, 'uncut');
    const outcomes = new Set<string>();
    for (let append = 1; append <= whole.appends.length; append++) {
      for (const when of ['before', 'after'] as const) {
        const other = new World();
        const rig = await killed([{ append, when }], other, agentApp(tools(other)));
        check(rig, other, `cut ${when} append ${append}`);
        for (const { payload } of rig.of('tool.returned')) outcomes.add(payload.error?.code ?? 'ok');
        for (const { payload } of rig.of('tool.returned'))
          if (payload.result?.['found']) outcomes.add('found');
      }
    }
    expect([...outcomes].sort()).toEqual(['found', 'ok', 'run.interrupted']);
  });

  it('goes on from a cut in every attempt', async () => {
    const world = new World();
    const cuts = Array.from(
      { length: 14 },
      (_, i): Cut => ({ append: 3 + (i % 5), when: i % 2 ? 'before' : 'after' }),
    );
    const rig = await killed(cuts, world, agentApp(tools(world)));
    check(rig, world, 'many cuts');
    expect(rig.of('run.started').length).toBeGreaterThan(8);
  });

  it('tells the model the same after a cut as without one', async () => {
    const plain = new World();
    const whole = await killed([], plain, agentApp(tools(plain)));
    const cut = new World();
    const rig = await killed([{ append: 12, when: 'after' }], cut, agentApp(tools(cut)));
    const texts = (one: RuntimeRig) => one.of('session.entry').map(({ payload }) => payload.entry);
    const calls = (one: RuntimeRig) => JSON.stringify(texts(one)).match(/"id":"call_[0-9_]+"/g);
    expect(calls(rig)).toEqual(calls(whole));
    expect(rig.of('session.entry').length).toBe(whole.of('session.entry').length);
  });
});
