import fc from 'fast-check';
import { Type } from 'typebox';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { AgentStep, Application, LanguageModel, ModelRequest } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { AgentContext } from '../support/agent-context.ts';
import { openAiModel } from '../support/openai-model.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application, mazeChoices } from '../support/shipped-apps.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

async function ran(app: Application, model: LanguageModel, robot = new FakeRobot({ cells: 4 })) {
  const blobs = new MemoryBlobStore();
  const rig = new RuntimeRig({
    apps: [app],
    robot,
    options: {
      models: () => model,
      blobs,
      harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 0 }) },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: app.intents[0]!.type }, PERSON);
  return rig;
}

const shown = ({ choices }: ModelRequest) => choices?.map(({ name }) => name);
const done: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };

const TOOLS = ['robot.go', 'robot.fall', 'run.finish'];

describe('what an agent may choose next', () => {
  const go = tool('robot.go', {}, async () => ({ result: { went: true } }));
  const fall = tool('robot.fall', {}, async () => {
    throw new Error('it fell');
  });
  const narrow = Type.Object({ status: Type.Literal('succeeded'), reason: Type.Literal('done') });

  it('is said by its application from the calls of the last answer; all its tools stay known', async () => {
    const seen: (readonly AgentStep[])[] = [];
    const choices = (last: readonly AgentStep[]) => {
      seen.push(last);
      return last.length === 0
        ? [{ tool: 'robot.go' }, { tool: 'robot.fall' }, { tool: 'robot.unheard_of' }]
        : [{ tool: 'run.finish', input: narrow }];
    };
    const script: Line[] = [{ calls: [{ name: 'robot_go' }, { name: 'robot_fall' }] }, done];
    const model = new ScriptedModel((_, count) => script[count - 1]!);
    const rig = await ran(agentApp([go, fall], { choices, toolChoice: 'required', tools: TOOLS }), model);
    await rig.finished();
    expect(model.requests.map(shown)).toEqual([['robot_go', 'robot_fall'], ['run_finish']]);
    expect(model.requests[1]!.choices![0]!.parameters).toBe(narrow);
    for (const { tools } of model.requests)
      expect(tools!.map(({ name }) => name)).toEqual(['robot_go', 'robot_fall', 'run_finish']);
    expect(seen.at(-1)).toEqual([
      { tool: 'robot.go', ok: true, result: { went: true } },
      { tool: 'robot.fall', ok: false, result: expect.stringMatching(/it fell/) },
    ]);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded' });
  });

  it('is everything again when a person has said something, and when nothing of it exists', async () => {
    let context!: AgentContext;
    const both = ['robot_go', 'run_finish'];
    const script: Line[] = [{ calls: [{ name: 'robot_go' }] }, { calls: [{ name: 'robot_go' }] }, done];
    const model = new ScriptedModel(async (_, count) => {
      if (count === 1) await context.say({ kind: 'steer', text: 'Enough.', messageId: 'm1' });
      return script[count - 1]!;
    });
    context = new AgentContext({ model, tools: [go, finish] });
    const choices = () => [{ tool: 'robot.go' }, { tool: 'run.finish' }];
    await new PiHarness(agentApp([], { choices, toolChoice: 'required' })).execute(context.context);
    expect(model.requests.map(shown)).toEqual([both, undefined, both]);

    const nobody = new ScriptedModel(() => done);
    const strange = agentApp([go], { choices: () => [{ tool: 'nothing' }], toolChoice: 'required' });
    await (await ran(strange, nobody)).finished();
    expect(nobody.requests.map(shown)).toEqual([undefined]);
  });

  it('ends a run by its reason when the application cannot say it', async () => {
    const choices = () => {
      throw new Error('no idea');
    };
    const rig = await ran(agentApp([go], { choices }), new ScriptedModel(() => done));
    await rig.finished();
    const { status, reason } = rig.of('run.finished')[0]!.payload;
    expect([status, reason]).toEqual(['failed', expect.stringMatching(/choices.*no idea/)]);
  });
});

describe('choices on the wire', () => {
  let server: FakeOpenAi;
  afterEach(() => server.stop());
  const parameters = (place: readonly string[]) => ({
    type: 'object',
    properties: { place: { enum: place } },
    required: ['place'],
    additionalProperties: false,
  });
  const all = ['a', 'b'].map((name) => ({ name, description: name, parameters: parameters(['A', 'B']) }));
  const request = (more: Partial<ModelRequest>): ModelRequest => ({
    messages: [{ role: 'user', text: 'go' }],
    tools: all,
    choices: [{ ...all[1]!, parameters: parameters(['A']) }],
    toolChoice: 'required',
    maxTokens: 20,
    temperature: 0,
    deadlineMs: 10_000,
    purpose: 'test',
    ...more,
  });

  it('a forced call is constrained to them, while the prompt begins with the same words', async () => {
    server = await FakeOpenAi.start(say({ text: '{"tool":"b","arguments":{"place":"A"}}' }));
    const model = openAiModel(server.url);
    await model.complete(request({}));
    await model.complete({ ...request({}), choices: all });
    const [one, other] = server.asked.map(({ body }) => body);
    expect(one!['response_format']).toMatchObject({
      json_schema: {
        schema: {
          properties: { tool: { const: 'b' }, arguments: { properties: { place: { enum: ['A'] } } } },
        },
      },
    });
    expect(one!['messages']).toEqual(other!['messages']);
    await model.close();
  });

  it.each([
    ['another tool', '{"tool":"a","arguments":{"place":"A"}}'],
    ['arguments beyond the narrow schema', '{"tool":"b","arguments":{"place":"B"}}'],
  ])('%s from a server that constrains nothing is no call', async (_, text) => {
    server = await FakeOpenAi.start(say({ text }));
    const model = openAiModel(server.url, { jsonMode: 'schema' });
    await expect(model.complete(request({}))).rejects.toMatchObject({ code: 'model.failed' });
    await model.close();
  });

  it('a free call is offered them and no others', async () => {
    server = await FakeOpenAi.start(say({ text: 'no' }));
    const model = openAiModel(server.url);
    await model.complete(request({ toolChoice: 'auto' }));
    expect(server.asked[0]!.body).toMatchObject({ tools: [{ function: { name: 'b' } }] });
    await model.close();
  });
});

describe('the choices of the maze', () => {
  const maze = { ...application, harness: 'pi' as const, tools: [...application.tools!, finish] };

  it('lead a model that chooses blindly out of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(fc.nat()), async (seed, dice) => {
        const blind = new ScriptedModel(({ choices }) => {
          const { value } = dice.next() as { value: number };
          const { name, parameters } = choices![value % choices!.length]!;
          return { calls: [{ name, args: anyOf(parameters, value) }] };
        });
        const robot = new FakeRobot({ seed, cells: 4, stuckShare: 0.1 });
        const rig = await ran(maze, blind, robot);
        await rig.finished();
        expect(rig.of('tool.returned').filter(({ payload }) => !payload.ok)).toEqual([]);
        expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded' });
        expect((await robot.state()).signals['/maze/exit_reached']).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  it('are never none, whatever a tool said', () => {
    const steps = fc.array(fc.record({ tool: fc.string(), ok: fc.boolean(), result: fc.jsonValue() }));
    fc.assert(
      fc.property(steps, (last) => {
        expect(mazeChoices(last).length).toBeGreaterThan(0);
      }),
    );
  });
});

/** Arguments that fit a closed schema of constants, enumerations and words. */
function anyOf(schema: Readonly<Record<string, unknown>>, dice: number): Record<string, unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Record<string, unknown>>);
  return Object.fromEntries(
    properties.map(([key, { const: fixed, enum: many }]) => {
      const list = many as readonly unknown[] | undefined;
      return [key, fixed ?? list?.[dice % list.length] ?? 'words'];
    }),
  );
}
