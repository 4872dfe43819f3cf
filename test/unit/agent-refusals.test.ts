import { Type } from 'typebox';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { AnswerCheck } from '../../adapters/vllm/checked-answer.ts';
import type { Application, LanguageModel, ModelRequest, Tool } from '../../contract/index.ts';
import { METHODS } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { openAiModel } from '../support/openai-model.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const closed = { additionalProperties: false } as const;
const stop: Tool = tool(
  'robot.stop',
  {
    input: Type.Object({ reason: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })) }, closed),
    effect: 'actuate',
    origin: 'house',
  },
  async () => ({ result: { stopped: true } }),
);
const DONE: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };
const FAILED: Line = { calls: [{ name: 'run_finish', args: { status: 'failed', reason: 'enough' } }] };

async function ran(app: Application, model: LanguageModel, house: readonly Tool[] = []) {
  const blobs = new MemoryBlobStore();
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ seed: 5, cells: 5 }),
    options: {
      models: () => model,
      blobs,
      tools: () => house,
      harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 0 }) },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: app.intents[0]!.type }, PERSON);
  await rig.finished();
  return rig;
}

const returned = (rig: RuntimeRig) =>
  rig.of('tool.returned').map(({ payload }) => [payload.tool, payload.error?.code ?? 'ok']);
const chosen = ({ choices }: ModelRequest) => choices?.map(({ name }) => name);
const last = ({ messages }: ModelRequest) => messages.at(-1)!.text;

describe('a robot.stop of a model', () => {
  it('is offered by the maze in its first turn and stops the robot', async () => {
    const maze = { ...application, harness: 'pi' as const, tools: [...application.tools!, finish] };
    const script: Line[] = [{ calls: [{ name: 'robot_stop', args: { reason: 'a child' } }] }, FAILED];
    const model = new ScriptedModel((_, count) => script[count - 1] ?? FAILED);
    const rig = await ran(maze, model, [stop]);
    expect(chosen(model.requests[0]!)).toContain('robot_stop');
    expect(returned(rig)[0]).toEqual(['robot.stop', 'ok']);
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
  });

  it.each([
    ['a reason of 300 characters', { reason: 'x'.repeat(300) }, { reason: 'x'.repeat(256) }],
    ['an empty reason', { reason: '' }, {}],
    ['no text as a reason', { reason: null }, {}],
    ['a field that it does not know', { reason: 'a child', urgency: 'high' }, { reason: 'a child' }],
    ['broken JSON', '{"reason":', {}],
    ['no object', '[1]', {}],
  ])('stops the robot with %s', async (_what, args, logged) => {
    const model = new ScriptedModel((_, count) =>
      count === 1
        ? { calls: [{ name: 'robot_stop', ...(typeof args === 'string' ? { raw: args } : { args }) }] }
        : FAILED,
    );
    const rig = await ran(agentApp([]), model, [stop]);
    expect(returned(rig)[0]).toEqual(['robot.stop', 'ok']);
    expect(rig.of('tool.called')[0]!.payload.args).toEqual(logged);
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
  });

  it('stops the robot although the answer was cut off at its token limit', async () => {
    const model = new ScriptedModel((_, count) =>
      count === 1 ? { calls: [{ name: 'robot_stop', raw: '{"reason":"a ch' }], stop: 'length' } : FAILED,
    );
    const rig = await ran(agentApp([]), model, [stop]);
    expect(returned(rig)[0]).toEqual(['robot.stop', 'ok']);
  });

  it('is not thrown away where a call was forced and its arguments do not fit', () => {
    const offered = [
      { name: 'robot_stop', description: '', parameters: { type: 'object', maxProperties: 0 } },
    ];
    const request = { messages: [], tools: offered, toolChoice: 'required' } as unknown as ModelRequest;
    const check = new AnswerCheck('m');
    for (const argumentsText of ['{"reason":', '{"reason":null}'])
      expect(() =>
        check.calls(request, [{ id: '1', name: 'robot_stop', argumentsText }], 'toolCalls'),
      ).not.toThrow();
  });

  it('is there for an agent that does not name it, and no choice hides it', async () => {
    const go = tool('robot.go', {}, async () => ({ result: {} }));
    const app = agentApp([go], {
      tools: ['robot.go'],
      toolChoice: 'required',
      choices: () => [{ tool: 'robot.go' }],
    });
    const script: Line[] = [{ calls: [{ name: 'robot_go' }] }, { calls: [{ name: 'robot_stop' }] }];
    const model = new ScriptedModel(
      (request, count) => script[count - 1] ?? { calls: [], text: last(request) },
    );
    const rig = await ran(app, model, [stop]);
    for (const request of model.requests.slice(0, 2)) expect(chosen(request)).toContain('robot_stop');
    expect(returned(rig)).toContainEqual(['robot.stop', 'ok']);
  });

  it('goes before every other call of the same answer, and none of them moves the robot after it', async () => {
    const done: string[] = [];
    const drive = tool('robot.drive', { effect: 'actuate', replay: 'never' }, async () => {
      done.push('drove');
      return { result: {} };
    });
    const note = tool('note.take', { effect: 'write' }, async () => {
      done.push('noted');
      return { result: {} };
    });
    const script: Line[] = [
      { calls: [{ name: 'robot_drive' }, { name: 'note_take' }, { name: 'robot_stop' }] },
      DONE,
    ];
    const model = new ScriptedModel((_, count) => script[count - 1]!);
    const rig = await ran(agentApp([drive, note]), model, [stop]);
    expect(done).toEqual(['noted']);
    expect(returned(rig).slice(0, 3)).toEqual([
      ['robot.stop', 'ok'],
      ['robot.drive', 'tool.failed'],
      ['note.take', 'ok'],
    ]);
    expect(model.requests[1]!.messages.find(({ text }) => text.includes('stops the robot'))).toBeDefined();
  });
});

describe('a narrowed choice', () => {
  it('hides no tool of an extension, a skill, a sub-run or an MCP server', async () => {
    const go = tool('robot.go', {}, async () => ({ result: {} }));
    const hidden = tool('robot.fly', {}, async () => ({ result: {} }));
    const added = [
      tool('arm.wave', { origin: 'extension' }, async () => ({ result: {} })),
      tool('mcp.files.read', { origin: 'mcp' }, async () => ({ result: {} })),
      tool('skill.load', { origin: 'house' }, async () => ({ result: {} })),
      stop,
    ];
    const app = agentApp([go, hidden], { toolChoice: 'required', choices: () => [{ tool: 'robot.go' }] });
    const script: Line[] = [{ calls: [{ name: 'arm_wave' }] }, { calls: [{ name: 'mcp_files_read' }] }];
    const model = new ScriptedModel((_, count) => script[count - 1] ?? { calls: [{ name: 'robot_go' }] });
    const rig = await ran(app, model, added);
    expect(returned(rig).slice(0, 2)).toEqual([
      ['arm.wave', 'ok'],
      ['mcp.files.read', 'ok'],
    ]);
    const names = chosen(model.requests[0]!)!;
    expect(names).toEqual(expect.arrayContaining(['run_spawn', 'skill_load', 'robot_stop', 'robot_go']));
    expect(names).not.toContain('robot_fly');
  });
});

describe('a call that cannot be made', () => {
  let server: FakeOpenAi | undefined;
  afterEach(() => server?.stop());
  const parameters = Type.Object({ place: Type.Enum(['A', 'B']) }, closed);
  const narrow = Type.Object({ place: Type.Enum(['A']) }, closed);

  it.each<[string, Line, string, RegExp]>([
    ['of a tool that cannot be chosen now', { calls: [{ name: 'robot_fly' }] }, 'tool.not_found', /robot_go/],
    [
      'with arguments beyond the narrow schema',
      { calls: [{ name: 'robot_go', args: { place: 'B' } }] },
      'schema.invalid',
      /place/,
    ],
    [
      'with arguments that fit no schema',
      { calls: [{ name: 'robot_go', args: { place: 7 } }] },
      'schema.invalid',
      /place/,
    ],
    [
      'with arguments that are no JSON',
      { calls: [{ name: 'robot_go', raw: '{"place":' }] },
      'schema.invalid',
      /schema.invalid/,
    ],
    ['of a tool that does not exist', { calls: [{ name: 'robot_swim' }] }, 'tool.not_found', /robot_swim/],
  ])('%s is told to the model, which is asked once, and is in the log', async (_what, line, code, words) => {
    const done: unknown[] = [];
    const act = async (args: unknown) => {
      done.push(args);
      return { result: {} };
    };
    const app = agentApp([tool('robot.go', { input: parameters }, act), tool('robot.fly', {}, act)], {
      toolChoice: 'required',
      choices: (steps) =>
        steps.length === 0 ? [{ tool: 'robot.go', input: narrow }] : [{ tool: 'run.finish' }],
    });
    const model = new ScriptedModel((_, count) => (count === 1 ? line : DONE));
    const rig = await ran(app, model);
    expect(done).toEqual([]);
    expect(returned(rig)[0]![1]).toBe(code);
    expect(last(model.requests[1]!)).toMatch(words);
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
    expect(model.requests.length).toBe(2);
  });

  it('comes through a real server adapter as it was made; plain words are answered, and the run goes on', async () => {
    const lines = [
      { text: 'I would rather not.' },
      { calls: [{ name: 'robot_go', args: { place: 'Z' } }] },
      { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] },
    ];
    let asked = 0;
    server = await FakeOpenAi.start((...parts: Parameters<ReturnType<typeof say>>) =>
      say(lines[Math.min(asked++, 2)]!)(...parts),
    );
    const go = tool('robot.go', { input: parameters }, async () => ({ result: {} }));
    const model = openAiModel(server.url);
    const rig = await ran(agentApp([go], { toolChoice: 'required' }), model);
    expect(returned(rig)).toEqual([
      ['robot.go', 'schema.invalid'],
      ['run.finish', 'ok'],
    ]);
    expect(asked).toBe(3);
    await model.close();
  });
});
