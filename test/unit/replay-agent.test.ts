import { Type } from 'typebox';
import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { type Application, IdSource, type PolicyHook, toMs } from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { ModelRouter } from '../../daemon/runtime/models/model-router.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { swapRun } from '../../daemon/runtime/replay/swap-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { replayParts } from '../support/replay-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const blobs = new MemoryBlobStore();
let done = 0;
const act = tool(
  'do.write',
  {
    input: Type.Object({ n: Type.Integer() }, { additionalProperties: false }),
    effect: 'write',
    replay: 'never',
  },
  async ({ n }) => {
    done++;
    return { result: { n }, images: [{ mime: 'image/png' as const, data: new Uint8Array([1, 2, 3]) }] };
  },
);
const app: Application = agentApp([act], { tools: ['do.*', 'run.*'] });
const harness = () => new PiHarness(app, { blobs });

/** Two acts, then the end; `twist` is what another model does in its second turn. */
function script(twist = 1): ScriptedModel {
  return new ScriptedModel((request): Line => {
    const turn = turnOf(request);
    if (turn >= 2)
      return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'all done' } }] };
    return { text: `turn ${turn}`, calls: [{ name: 'do_write', args: { n: turn * twist } }] };
  });
}

function router(model: ScriptedModel, hooks = new PolicyGate([], new ManualClock())): ModelRouter {
  const clock = new ManualClock();
  let counter = 0;
  return new ModelRouter({
    models: [{ model, kind: 'openai', url: 'http://scripted', places: 4, queueMs: 1_000, wake: false }],
    hooks,
    clock,
    ids: new IdSource(
      () => toMs(clock.now()),
      (length) => new Uint8Array(length).fill(++counter),
    ),
    blobs,
    budget: undefined,
    cacheBytes: 0,
    healthEveryMs: 0,
    emit: async () => {},
    report: () => {},
  });
}

async function recorded(hooks: readonly PolicyHook[] = []) {
  const models: ModelsOfRun = router(script(), new PolicyGate(hooks, new ManualClock())).forRun;
  const rig = new RuntimeRig({
    apps: [app],
    hooks,
    robot: new FakeRobot({ cells: 2 }),
    options: { models, blobs, harnesses: { pi: harness } },
  });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.finished();
  expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'all done' });
  return { rig, runId: run.run_id };
}

describe('an agent that is done again', () => {
  it('comes out byte for byte, session and all, and acts on nothing', async () => {
    const { rig, runId } = await recorded();
    expect(rig.of('session.entry').length).toBeGreaterThan(4);
    const acts = done;
    const outcome = await replayRun(replayParts(rig.disk, app, { harness: harness(), blobs }), runId);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
    expect(done).toBe(acts);
  });

  it('from each entry of its session', async () => {
    const { rig, runId } = await recorded();
    const parts = replayParts(rig.disk, app, { harness: harness(), blobs });
    for (const { payload } of rig.of('session.entry').slice(0, -2)) {
      const outcome = await replayRun(parts, runId, payload.entry_id);
      expect({ entry: payload.entry_id, ...outcome }).toMatchObject({ verdict: 'identical' });
    }
  });

  it('with another model shows what that one asks for, and ends where the record does', async () => {
    const { rig, runId } = await recorded();
    const acts = done;
    const parts = replayParts(rig.disk, app, { harness: harness(), blobs });
    const outcome = await swapRun(parts, runId, undefined, {
      models: (hooks) => router(script(7), hooks).forRun,
    });
    expect(outcome).toMatchObject({ verdict: 'changed', swapped: ['model'] });
    expect(outcome.message).toContain('the record has no call of do.write');
    expect(outcome.diff!.classes).toHaveProperty('model answer');
    expect(done).toBe(acts);
  });

  it('with the decisions about its models as they were', async () => {
    const rules = {
      name: 'rules',
      decide: async () => ({ decision: 'allow' as const, reason: 'fine' }),
    };
    const { rig, runId } = await recorded([rules]);
    expect(rig.of('policy.decided').filter(({ payload }) => payload.point === 'model')).toHaveLength(3);
    const parts = replayParts(rig.disk, app, { harness: harness(), blobs });
    const again = await replayRun(parts, runId);
    expect(again.divergence).toBeUndefined();
    expect(again.verdict).toBe('identical');
    const swapped = await swapRun(parts, runId, undefined, { hooks: [rules] });
    expect(swapped.diff!.rows.filter((row) => !row.same)).toEqual([]);
    const live = await swapRun(parts, runId, undefined, {
      models: (hooks) => router(script(), hooks).forRun,
    });
    expect(live.message).toBe('it came to its end');
    expect(live.verdict).toBe('identical');
  });
});
