import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import {
  type AgentDefinition,
  type Application,
  EdgeError,
  type FlowScope,
  type PolicyHook,
} from '../../contract/index.ts';
import { flowToolsFault } from '../../daemon/runtime/flow/flow-tools-check.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { tool } from '../support/agent-apps.ts';
import { makeHouse } from '../support/house.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { arm, maze } from '../support/shipped-apps.ts';

const closed = { additionalProperties: false } as const;
const input = Type.Object({ grams: Type.Number({ minimum: 0 }) }, closed);

/** A flow of one state that calls `name` with `args` and says what came of it. */
function appOf(name: string, args: Record<string, unknown>, tools: readonly string[]): Application {
  return {
    ...{ name: 'scale', version: '1.0.0', description: 'scale', harness: 'flow', afterCut: 'resume' },
    intents: [{ type: 'scale/go', description: 'go', params: Type.Object({}, closed) }],
    deadlineMs: 60_000,
    flow: {
      name: 'scale',
      start: 'weigh',
      ...(tools.length > 0 ? { tools } : {}),
      stepsMax: 10,
      begin: () => ({ told: '' }),
      states: {
        weigh: {
          about: 'calls',
          deadlineMs: 30_000,
          enter: async ({ tools: mine }: FlowScope) => {
            const told = await mine.call(name, args).then(
              (result) => JSON.stringify(result),
              (error: unknown) => (error as EdgeError).code,
            );
            return { event: 'ok', reason: told, facts: { told } };
          },
          on: { ok: 'done', error: 'done', deadline: 'done' },
        },
        done: {
          about: 'the end',
          end: 'succeeded',
          conclude: (facts) => ({ reason: 'done', summary: facts }),
        },
      },
    },
  };
}

async function told(
  args: Record<string, unknown>,
  tools: readonly string[] = ['lab.*'],
  hooks: readonly PolicyHook[] = [],
) {
  const weighed: unknown[] = [];
  const weigh = tool('lab.weigh', { input, effect: 'write', replay: 'never' }, async (given) => {
    weighed.push(given);
    return { result: { grams: given['grams'], heavy: true } };
  });
  const rig = new RuntimeRig({
    apps: [appOf('lab.weigh', args, tools)],
    robot: new FakeRobot({ cells: 2 }),
    hooks,
    options: { tools: () => [weigh] },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'scale/go' }, PERSON);
  await rig.finished();
  const answer = rig.of('run.finished')[0]!.payload.summary['told'];
  const returned = rig.of('tool.returned').map(({ payload }) => payload.error?.code ?? payload.ok);
  return { answer, weighed, returned };
}

it('a flow calls the tools that it names as an agent does: strictly, judged, in the log', async () => {
  expect(await told({ grams: 5 })).toEqual({
    answer: '{"grams":5,"heavy":true}',
    weighed: [{ grams: 5 }],
    returned: [true],
  });
  expect(await told({ grams: '5' })).toEqual({
    answer: 'schema.invalid',
    weighed: [],
    returned: ['schema.invalid'],
  });
  const nobody: PolicyHook = {
    name: 'nobody',
    decide: async ({ point }) => ({ decision: point === 'tool' ? 'deny' : 'allow', reason: 'no' }),
  };
  expect(await told({ grams: 5 }, ['lab.weigh'], [nobody])).toMatchObject({
    answer: 'policy.denied',
    weighed: [],
  });
});

it('arguments that a schema of strangers cannot bear are refused at once, short ones with the place', async () => {
  // As the schemas of foreign tools are taken: a pattern, and a length that it is meant for.
  const strange = Type.Object({ name: Type.String({ pattern: '^a*a*a*a*b$', maxLength: 64 }) }, closed);
  const named = tool('strange.greet', { input: strange, origin: 'mcp' }, async () => ({ result: {} }));
  const call = async (name: string) => {
    const rig = new RuntimeRig({
      apps: [appOf('strange.greet', { name }, ['strange.*'])],
      robot: new FakeRobot({ cells: 2 }),
      options: { tools: () => [named] },
    });
    await rig.cell.start();
    await rig.cell.submit({ type: 'scale/go' }, PERSON);
    await rig.finished();
    return rig.of('tool.returned')[0]!.payload.error;
  };
  // Looking for the place in this takes hours.
  expect(await call('a'.repeat(20_000))).toMatchObject({
    code: 'schema.invalid',
    message: '/: it does not fit the schema of this tool',
  });
  expect(await call('c')).toMatchObject({
    code: 'schema.invalid',
    message: expect.stringMatching(/^\/name: /),
  });
});

it('a call ends with the state that asked for it: what outlived it would act beside the next', async () => {
  let ended = '';
  const slow = tool(
    'lab.wait',
    { effect: 'actuate', replay: 'never', deadlineMs: 50_000 },
    async (_args, { signal }) => {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      ended = 'ended';
      throw new EdgeError('run.cancelled', { operation: 'wait', subject: 'lab.wait' });
    },
  );
  // Its state may take 30 s.
  const rig = new RuntimeRig({
    apps: [appOf('lab.wait', {}, ['lab.*'])],
    robot: new FakeRobot({ cells: 2 }),
    options: { tools: () => [slow] },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'scale/go' }, PERSON);
  await rig.until(() => ended !== '', 'the end of the call');
  const { duration_ms } = rig.of('tool.returned')[0]!.payload;
  expect(duration_ms).toBeGreaterThanOrEqual(29_000);
  expect(duration_ms).toBeLessThan(45_000);
  await rig.finished();
});

describe('a tool that a flow names and nobody has', () => {
  const weigh = tool('lab.weigh', { input, effect: 'write', replay: 'never' }, async () => ({ result: {} }));
  const rigOf = (tools: readonly string[], more: Partial<Application> = {}, house = [weigh]) =>
    new RuntimeRig({
      apps: [{ ...appOf('lab.weigh', {}, tools), ...more }],
      robot: new FakeRobot({ cells: 2 }),
      options: { tools: () => house },
    });

  it('is a fault of its application alone, told at the load: nothing can bring it later', async () => {
    const bad = { ...appOf('lab.weigh', {}, ['lab.weigh', 'lab.wiegh', 'arm.move']), name: 'bad' };
    const good = { ...appOf('lab.weigh', {}, ['lab.weigh']), name: 'good' };
    const rig = new RuntimeRig({
      apps: [bad, { ...good, intents: good.intents.map((one) => ({ ...one, type: 'good/go' })) }],
      robot: new FakeRobot({ cells: 2 }),
      options: { tools: () => [weigh] },
    });
    await rig.cell.start();
    const message = 'flow scale: no tool of bad is called lab.wiegh, arm.move';
    expect(rig.cell.status()).toMatchObject({ ready: true, apps: ['good'], refused: { bad: message } });
    expect(rig.reports[0]).toContain(`application bad takes no intents: ${message}`);
    expect(rig.of('cell.degraded')[0]?.payload.error).toMatchObject({
      ...{ code: 'config.invalid', operation: 'load flow', subject: 'scale', message },
      hint: 'tools: lab.weigh',
    });
    await expect(rig.cell.submit({ type: 'scale/go' }, PERSON)).rejects.toMatchObject({
      ...{ code: 'config.invalid', message },
    });
    expect(rig.of('intent.refused')).toHaveLength(1);
    await rig.cell.submit({ type: 'good/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished')).toHaveLength(1);
    // Also where nothing of that kind is there: then it hears what is.
    const none = rigOf(['arm.move'], {}, []);
    await none.cell.start();
    expect(none.of('cell.degraded')[0]?.payload.error.hint).toMatch(/run\.spawn/);
  });

  it('is a warning where the flow is only what its application falls back to', () => {
    const told: string[] = [];
    const app: Application = { ...appOf('lab.weigh', {}, ['arm.move']), harness: 'pi' };
    expect(flowToolsFault(app, [weigh], (level, message) => told.push(`${level}: ${message}`))).toBe(
      undefined,
    );
    expect(told).toEqual(['warn: flow scale names a tool that is unknown at load: arm.move']);
  });

  it('is a warning where it may still come, with a server, an extension or a configuration', async () => {
    const later = ['mcp.files.read', 'mcp.*', 'ext.count', 'world.predict', 'plan.make', 'lap.*'];
    const rig = rigOf(['lab.weigh', ...later]);
    await rig.cell.start();
    expect(rig.reports).toEqual(
      later.map(
        (name) =>
          `flow scale names a tool that is unknown at load: ${name} ` +
          JSON.stringify({ app: 'scale', flow: 'scale', tool: name }),
      ),
    );
  });

  it('is none where the house, the application, a pattern or a server has it', async () => {
    const files = tool('mcp.files.read', { input, origin: 'mcp' }, async () => ({ result: {} }));
    const rig = rigOf(
      ['lab.*', 'own.add', 'run.delegate', 'mcp.files.read'],
      {
        tools: [tool('own.add', { input }, async () => ({ result: {} }))],
      },
      [weigh, files],
    );
    await rig.cell.start();
    expect(rig.reports).toEqual([]);
  });

  it('is not there in the applications of this house', () => {
    const clock = new ManualClock();
    const house = makeHouse(new FakeBus(clock), clock).tools;
    const told: string[] = [];
    for (const app of [arm, maze]) {
      const asFlow: Application = { ...app, harness: 'flow' };
      expect(flowToolsFault(asFlow, house, (_level, message) => told.push(message))).toBe(undefined);
    }
    expect(arm.flow?.tools).toContain('arm.move');
    expect(told).toEqual([]);
  });

  it('is also one that its agent does not name: a flow beside it has the tools of the agent', async () => {
    const agent = { goal: () => 'go', prompt: () => '', tools: ['run.*'] } as unknown as AgentDefinition;
    const rig = rigOf(['lab.weigh'], { agent });
    await rig.cell.start();
    expect(rig.cell.status().refused?.['scale']).toMatch(
      /its agent, whose tools it has, does not name lab\.weigh$/,
    );
  });
});

it('what it does not name does not exist for it', async () => {
  for (const tools of [[], ['arm.*']])
    expect(await told({ grams: 5 }, tools)).toMatchObject({ answer: 'tool.not_found', weighed: [] });
});
