import { Type } from 'typebox';
import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { LIMITS, METHODS, type PolicyHook, type Tool } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, tool } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const END: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };

async function ran(tools: readonly Tool[], first: Line, hooks: readonly PolicyHook[] = []) {
  const blobs = new MemoryBlobStore();
  const model = new ScriptedModel((request) => (turnOf(request) === 0 ? first : END));
  const rig = new RuntimeRig({
    apps: [agentApp(tools)],
    robot: new FakeRobot({ cells: 4 }),
    hooks,
    options: { models: () => model, blobs, harnesses: { pi: (one) => new PiHarness(one, { blobs }) } },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.finished();
  return { rig, model };
}

describe('an agent, from its model to its robot', () => {
  it('outlives a tool that never returns; the robot is stopped before the model hears of it', async () => {
    const deaf = tool(
      'robot.go',
      { effect: 'actuate', replay: 'never', deadlineMs: 1_000 },
      () => new Promise(() => {}),
    );
    const { rig, model } = await ran([deaf], { calls: [{ name: 'robot_go' }] });
    expect(rig.of('tool.returned')[0]!.payload).toMatchObject({
      ok: false,
      error: { code: 'deadline.exceeded' },
    });
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
    expect(model.requests[1]!.messages.at(-1)!.text).toContain('deadline.exceeded');
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it.each<[string, () => unknown]>([
    ['hangs', () => new Promise(() => {})],
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    [
      'throws what cannot be read',
      () => {
        throw {
          toString() {
            throw new Error('twice');
          },
        };
      },
    ],
    ['answers nonsense', async () => ({ decision: 'sure' })],
  ])('is denied a tool by a hook that %s, and goes on', async (_how, decide) => {
    const done: unknown[] = [];
    const go = tool('robot.go', { effect: 'write' }, async () => {
      done.push(1);
      return { result: {} };
    });
    const hook: PolicyHook = {
      name: 'broken',
      decide: async ({ subject }) =>
        subject === 'robot.go' ? ((await decide()) as never) : { decision: 'allow', reason: '' },
    };
    const { rig } = await ran([go], { calls: [{ name: 'robot_go' }] }, [hook]);
    expect(done).toEqual([]);
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('policy.denied');
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it('is refused arguments that are huge or nest without end, and none of them come into the log', async () => {
    const done: unknown[] = [];
    const say = tool('say.text', { input: Type.Object({ text: Type.Unknown() }) }, async (args) => {
      done.push(args);
      return { result: {} };
    });
    const huge = JSON.stringify({ text: 'x'.repeat(LIMITS.TOOL_ARGS_BYTES_MAX + 1) });
    const deep = `{"text":${'['.repeat(5_000)}${']'.repeat(5_000)}}`;
    for (const raw of [huge, deep]) {
      const { rig } = await ran([say], { calls: [{ name: 'say_text', raw }] });
      expect(done).toEqual([]);
      expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('schema.invalid');
      expect(JSON.stringify(rig.of('tool.called')[0]!.payload).length).toBeLessThan(2_000);
    }
  });
});
