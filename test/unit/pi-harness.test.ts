import { Type } from 'typebox';
import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { Application, Tool } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

function rigOf(app: Application, model: ScriptedModel, blobs = new MemoryBlobStore()): RuntimeRig {
  return new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ cells: 4 }),
    options: {
      models: () => model,
      blobs,
      harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 2_000 }) },
    },
  });
}

async function ran(app: Application, model: ScriptedModel): Promise<RuntimeRig> {
  const rig = rigOf(app, model);
  await rig.cell.start();
  await rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.finished();
  return rig;
}

/** Lines by the answers that were given already. */
function lines(...all: readonly Line[]): ScriptedModel {
  return new ScriptedModel((request) => all[turnOf(request)] ?? { text: 'done' });
}

function counter(calls: unknown[]): Tool {
  const input = Type.Object(
    { metres: Type.Number({ minimum: 0, maximum: 10 }), fast: Type.Optional(Type.Boolean()) },
    { additionalProperties: false },
  );
  return tool('robot.go', { input, effect: 'write', replay: 'never' }, async (args) => {
    calls.push(args);
    return { result: { went: args['metres'] } };
  });
}

const finish = (status = 'succeeded') => ({
  calls: [{ name: 'run_finish', args: { status, reason: 'the way is free', score: 0.5 } }],
});

describe('a run of a Pi session', () => {
  it('calls tools and ends by run.finish', async () => {
    const calls: unknown[] = [];
    const model = lines({ text: 'I go.', calls: [{ name: 'robot_go', args: { metres: 2 } }] }, finish());
    const rig = await ran(agentApp([counter(calls)]), model);
    expect(calls).toEqual([{ metres: 2 }]);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      status: 'succeeded',
      reason: 'the way is free',
      score: 0.5,
    });
    expect(rig.of('tool.called').map((event) => event.payload.tool)).toEqual(['robot.go', 'run.finish']);
    // What the model was told of the result, and of the world.
    const second = model.requests[1]!.messages;
    expect(second.at(-1)).toMatchObject({ role: 'tool', text: '{"went":2}' });
    expect(second[0]).toMatchObject({ role: 'system', text: expect.stringContaining('You are a test.') });
    expect(second[0]!.text).not.toContain('cwd');
    expect(second[1]).toMatchObject({ role: 'user', text: 'Go.' });
  });

  it('shows models the true schemas of its tools', async () => {
    const model = lines({ text: 'no' });
    await ran(agentApp([counter([])]), model);
    const shown = model.requests[0]!.tools!.find(({ name }) => name === 'robot_go')!;
    expect(shown.parameters).toMatchObject({ properties: { metres: { minimum: 0, maximum: 10 } } });
  });

  it('ends with the words of a model that calls nothing', async () => {
    const rig = await ran(agentApp([]), lines({ text: 'All is well.' }));
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'All is well.' });
  });

  it('lets nothing coerced reach a tool, and shows the model why', async () => {
    const calls: unknown[] = [];
    const bad = ['null', 'true', '"15"', '[1]', '{"metres":null}', '{"metres":true}', '{"metres":"15"}'];
    const worse = [
      '{"metres":1e999}',
      '{"metres":-1}',
      '{"metres":1,"x":1}',
      '{"metres":1',
      '{"metres":1,"fast":1}',
    ];
    const all = [...bad, ...worse];
    const model = lines(...all.map((raw) => ({ calls: [{ name: 'robot_go', raw }] })), finish());
    const rig = await ran(agentApp([counter(calls)]), model);
    expect(calls).toEqual([]);
    const refused = rig.of('tool.returned').filter((event) => !event.payload.ok);
    expect(refused.map((event) => event.payload.error?.code)).toEqual(all.map(() => 'schema.invalid'));
    expect(model.requests.at(-1)!.messages.at(-1)!.text).toMatch(/^schema\.invalid: .*fast/);
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it('writes down a call of a tool that does not exist', async () => {
    const model = lines({ calls: [{ name: 'sudo_rm', args: { path: '/' } }] }, finish());
    const rig = await ran(agentApp([]), model);
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('tool.not_found');
    expect(model.requests[1]!.messages.at(-1)!.text).toMatch(/not found/);
  });

  it('ends a model that makes the same call for ever', async () => {
    const model = new ScriptedModel(() => ({ calls: [{ name: 'robot_look' }] }));
    const rig = await ran(
      agentApp([tool('robot.look', {}, async () => ({ result: { wall: true } }))]),
      model,
    );
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      status: 'failed',
      reason: 'the model made the same call 8 times in a row, with the same result',
    });
    expect(model.requests).toHaveLength(8);
  });

  it('ends after the turns it may have', async () => {
    let n = 0;
    const model = new ScriptedModel(() => ({ calls: [{ name: 'robot_go', args: { metres: 1 } }] }));
    const steps = tool('robot.go', { input: Type.Object({ metres: Type.Number() }) }, async () => ({
      result: { n: ++n },
    }));
    const rig = await ran(agentApp([steps], { turnsMax: 12 }), model);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      status: 'failed',
      reason: 'no end after 12 turns',
    });
    expect(n).toBe(12);
  });

  it('asks a model that has to choose a tool again, three times', async () => {
    const model = new ScriptedModel(() => ({ text: 'I would rather talk.' }));
    const rig = await ran(agentApp([], { toolChoice: 'required' }), model);
    expect(rig.of('run.finished')[0]!.payload.reason).toBe('the model chose no tool 3 times in a row');
    expect(model.requests[1]!.messages.at(-1)).toMatchObject({
      role: 'user',
      text: expect.stringMatching(/choose one of your tools/),
    });
    expect(model.requests[0]!.toolChoice).toBe('required');
  });

  it('makes every entry durable before the next call and the next request', async () => {
    const seen: string[] = [];
    let rig!: RuntimeRig;
    const entries = () => rig.of('session.entry').length;
    const go = tool('robot.go', {}, async () => {
      seen.push(`tool after ${entries()}`);
      return { result: {} };
    });
    const model = new ScriptedModel((request) => {
      seen.push(`model after ${entries()}`);
      return turnOf(request) < 2 ? { calls: [{ name: 'robot_go', raw: '{}' }] } : finish();
    });
    rig = rigOf(agentApp([go]), model);
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    const count = (line: string) => Number(/\d+$/.exec(line)![0]);
    expect(seen.map((line) => line.split(' ')[0])).toEqual(['model', 'tool', 'model', 'tool', 'model']);
    for (const [i, line] of seen.entries()) if (i > 0) expect(count(line)).toBe(count(seen[i - 1]!) + 1);
    // Ids count up, parents follow, and every entry has one parent that is known.
    const ids = rig.of('session.entry').map(({ payload }) => payload.entry_id);
    expect(ids).toEqual(ids.map((_, i) => `e${i + 1}`));
    expect(
      rig
        .of('session.entry')
        .slice(1)
        .map(({ payload }) => payload.parent_id),
    ).toEqual(ids.slice(0, -1));
  });

  it('keeps pictures as blobs in the log and shows them to the model', async () => {
    const data = new Uint8Array([137, 80, 78, 71, 1, 2, 3]);
    const look = tool('robot.look', {}, async () => ({
      result: { width: 1 },
      images: [{ mime: 'image/png' as const, data }],
    }));
    const model = lines({ calls: [{ name: 'robot_look', raw: '{}' }] }, finish());
    const rig = await ran(agentApp([look]), model);
    expect(model.requests[1]!.messages.at(-1)!.images).toEqual([{ mime: 'image/png', data }]);
    expect(model.requests[1]!.need).toMatchObject({ vision: true });
    const text = JSON.stringify(rig.of('session.entry').map(({ payload }) => payload.entry));
    expect(text).toMatch(/"bytes":7,"mimeType":"image\/png","sha256":"[0-9a-f]{64}","type":"image"/);
    expect(text).not.toContain(Buffer.from(data).toString('base64'));
  });
});
