import { beforeAll, describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { swapRun } from '../../daemon/runtime/replay/swap-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { modelsOf } from '../support/recorded-models.ts';
import { replayParts } from '../support/replay-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);
const book = (text: string) =>
  PolicyBook.open({
    robot: 'tb1',
    clock: new ManualClock(),
    read: () => ({ policies: [{ file: 's.cedar', text }], entities: { file: 'entities.json', text: '' } }),
    standing: ({ roles }) => ({ ok: true, roles }),
    base: { speedMax: 0.46, turnMax: 1.9 },
  });
const ALL = '@id("all") permit (principal, action, resource);';

const NO_MOTION = `${ALL} @id("stand") @reason("nothing moves") forbid (principal, action == Auraison::Action::"tool",
  resource == Auraison::Tool::"robot.maneuver");`;

async function swapped(hooks: () => Promise<PolicyBook> | undefined) {
  const blobs = new MemoryBlobStore();
  const wiggle = tool('do.wiggle', { effect: 'actuate', replay: 'never' }, async (_args, { robot }) => {
    const { outcome } = await robot!.maneuver({ kind: 'drive', distance: 0.3 });
    return { result: { outcome } };
  });
  const app = agentApp([wiggle]);
  const script = (count: number) =>
    count === 1 ? { name: 'do_wiggle' } : { name: 'run_finish', args: { status: 'succeeded', reason: 'x' } };
  const model = () => new ScriptedModel((_, count) => ({ calls: [script(count)] }));
  const harness = () => new PiHarness(app, { blobs, patienceMs: 0 });
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ seed: 5, cells: 5 }),
    hooks: [await book(ALL)],
    options: { models: modelsOf(model(), blobs), blobs, tools: () => [], harnesses: { pi: harness } },
  });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: app.intents[0]!.type }, PERSON);
  await rig.finished();
  const parts = replayParts(rig.disk, app, { harness: harness(), blobs, tools: [] });
  const other = await hooks();
  return await swapRun(parts, run.run_id, undefined, other ? { hooks: [other] } : {});
}

describe('a run whose tool moves the robot', () => {
  it('is identical under the same policies', async () => {
    expect((await swapped(() => book(ALL))).verdict).toBe('identical');
  });

  it('is identical where other things are swapped than policies', async () => {
    expect((await swapped(() => undefined)).verdict).toBe('identical');
  });

  it('shows the motion that other policies would have refused', async () => {
    const { verdict, diff } = await swapped(() => book(NO_MOTION));
    expect(verdict).toBe('changed');
    expect(JSON.stringify(diff)).toContain('policy.denied');
  });
});
