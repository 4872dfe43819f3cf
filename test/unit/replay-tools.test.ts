import { Type } from 'typebox';
import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { type Application, EdgeError, type ModelRequest, type Tool } from '../../contract/index.ts';
import { DegradingHarness } from '../../daemon/runtime/flow/degrading-harness.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { modelsOf } from '../support/recorded-models.ts';
import { replayParts } from '../support/replay-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze } from '../support/shipped-apps.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const blobs = new MemoryBlobStore();
const input = Type.Object({ n: Type.Integer({ minimum: 0 }) }, { additionalProperties: false });
const answers: Tool['run'] = async ({ n }) => ({ result: { n } });
const own = tool('do.read', { input }, answers);
const extension = tool('ext.note', { input, origin: 'extension' }, answers);
const server = tool('srv.look', { input, origin: 'mcp', description: 'looks' }, answers);

async function recorded(app: Application, tools: readonly Tool[], script: (request: ModelRequest) => Line) {
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ seed: 5, cells: 5 }),
    options: {
      models: modelsOf(new ScriptedModel(script), blobs),
      blobs,
      tools: () => tools,
      harnesses: { pi: harness },
    },
  });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: app.intents[0]!.type }, PERSON);
  await rig.finished();
  return { rig, runId: run.run_id };
}

function harness(app: Application) {
  const agent = new PiHarness(app, { blobs, patienceMs: 0 });
  return app.flow ? new DegradingHarness(agent, app.flow) : agent;
}

const again = (rig: RuntimeRig, app: Application, tools: readonly Tool[] = []) =>
  replayParts(rig.disk, app, { harness: harness(app), blobs, tools });

const finishes: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };

/** Each of these calls in a turn of its own, then the end. */
const calling =
  (...calls: readonly { name: string; args: unknown }[]) =>
  (request: ModelRequest): Line => {
    const call = calls[turnOf(request)];
    return call ? { calls: [call] } : finishes;
  };

describe('the tools of a run that is done again', () => {
  const app = agentApp([own]);
  const script = calling(
    { name: 'ext_note', args: { n: 1 } },
    { name: 'srv_look', args: { n: 2 } },
    { name: 'srv_look', args: { n: -1 } },
    { name: 'nothing_of_the_kind', args: {} },
  );

  it('stand in the order in which the agent was offered them, wherever they come from today', async () => {
    const { rig, runId } = await recorded(app, [server, extension], script);
    expect(rig.of('tools.offered')[0]!.payload.names.slice(-2)).toEqual(['srv.look', 'ext.note']);
    // A replay reads extensions among the tools of their application, and reaches no server.
    const today = { ...app, tools: [extension, ...app.tools!] };
    const outcome = await replayRun(again(rig, today), runId);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
  });

  it('check arguments as they did, though their server is out of reach', async () => {
    const { rig, runId } = await recorded(app, [server], calling({ name: 'srv_look', args: { n: -1 } }));
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('schema.invalid');
    const outcome = await replayRun(again(rig, app), runId);
    expect(outcome.divergence).toBeUndefined();
  });

  it('do not grow by what is new since, and the outcome says so', async () => {
    const { rig, runId } = await recorded(app, [], calling({ name: 'do_read', args: { n: 1 } }));
    const newer = { ...app, tools: [tool('do.more', { input }, answers), ...app.tools!] };
    const outcome = await replayRun(again(rig, newer), runId);
    expect(outcome.verdict).toBe('identical');
    expect(outcome.message).toContain('tools that are new since were not offered: do.more');
  });

  it('have the definitions of today: another description is another way', async () => {
    const { rig, runId } = await recorded(app, [], calling({ name: 'do_read', args: { n: 1 } }));
    const [first, ...rest] = app.tools!;
    const newer = {
      ...app,
      tools: [{ ...first!, spec: { ...first!.spec, description: 'reads more' } }, ...rest],
    };
    const outcome = await replayRun(again(rig, newer), runId);
    expect(outcome).toMatchObject({ verdict: 'diverged', divergence: { class: 'session' } });
    expect(outcome.divergence!.words).toMatch(
      /session entry 3 \(system\): entry\.message\.toolsAdded\.0\.description is "do\.read" in the record and "reads more" in the replay/,
    );
  });
});

describe('an agent that its flow carried on', () => {
  const app = { ...maze, harness: 'pi' as const, tools: [...maze.tools!, finish] };

  /** The maze by a model that is gone after some answers: its flow calls the robot, which the agent never could. */
  const degraded = (turns: number) => {
    let asked = 0;
    return recorded(app, [], ({ messages }) => {
      if (++asked > turns)
        throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'm', message: 'gone' });
      const next = /"next":"call ([a-z_]+)/.exec(messages.at(-1)!.text)?.[1];
      return { calls: [{ name: next ?? 'maze_explore_frontier' }] };
    });
  };

  it.each([0, 1, 2, 4])('after %i turns comes out as it was', async (turns) => {
    const { rig, runId } = await degraded(turns);
    expect(rig.of('run.finished')[0]!.payload.summary).toMatchObject({ degraded: true });
    expect(rig.of('tool.called').map(({ payload }) => payload.tool)).toContain('robot.navigate');
    const outcome = await replayRun(again(rig, app), runId);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
  });

  it('also from a log that does not list its tools yet', async () => {
    const { rig, runId } = await degraded(2);
    const { events } = rig.disk;
    for (let at = events.length - 1; at >= 0; at--)
      if (events[at]!.kind === 'tools.offered') events.splice(at, 1);
    const outcome = await replayRun(again(rig, app), runId);
    expect(outcome.divergence).toBeUndefined();
  });
});

describe('a run whose beginning would come out otherwise', () => {
  const app = agentApp([own]);
  const script = calling(
    { name: 'do_read', args: { n: 1 } },
    { name: 'do_read', args: { n: 2 } },
    { name: 'do_read', args: { n: 3 } },
  );

  it('is entered where it is asked for as after a restart: from a turn, a model call or a call of a tool', async () => {
    const { rig, runId } = await recorded(app, [], script);
    const otherwise = { ...app, agent: { ...app.agent!, prompt: () => 'Go elsewhere.' } };
    const parts = again(rig, otherwise);
    expect(await replayRun(parts, runId)).toMatchObject({ verdict: 'diverged' });
    const third =
      rig.events.findLastIndex(({ kind, run_id }) => kind === 'run.phase' && run_id === runId) - 12;
    for (let n = third; n < rig.events.length; n++) {
      const outcome = await replayRun(parts, runId, String(n));
      expect({ n, kind: rig.events[n - 1]!.kind, ...outcome }).toMatchObject({ verdict: 'identical' });
      expect(outcome.message).toMatch(/event \d+, before it, comes out otherwise: .* as after a restart/);
    }
  });
});
