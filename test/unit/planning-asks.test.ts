import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { PlanDesk } from '../../daemon/runtime/planning/plan-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { drive, planRig } from '../support/plan-rig.ts';
import { PERSON, type RuntimeRig } from '../support/runtime-rig.ts';

const end = (rig: RuntimeRig) => rig.of('run.finished')[0]!.payload;

/** Rejections that nobody takes while this goes on: each of them ends a cell. */
async function strayRejections(work: () => Promise<void>): Promise<unknown[]> {
  const stray: unknown[] = [];
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (thrown) => stray.push(thrown));
  try {
    await work();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    return stray;
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of before) process.on('unhandledRejection', listener);
  }
}

const drives = (robot: FakeRobot) => robot.orders.filter((order) => order.startsWith('maneuver'));

describe('whoever only wants the plan', () => {
  const deskOf = (rig: RuntimeRig) =>
    new PlanDesk({ runtime: rig.cell, reader: rig.context.log.reader(), clock: rig.clock });
  async function settled<T>(rig: RuntimeRig, work: Promise<T>): Promise<T> {
    let over = false;
    work.finally(() => (over = true)).catch(() => {});
    await rig.until(() => over, 'the answer');
    return await work;
  }

  it('gets it by the deadline, and nobody carries it out', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = planRig(() => [drive(0.1)], { robot });
    await rig.cell.start();
    const reply = await settled(rig, deskOf(rig).infer({ goal: 'go' }, PERSON, 10_000));
    expect(reply).toMatchObject({ model: 'scripted', plan: { goal: 'go', steps: [{ step_id: 'step-1' }] } });
    expect(drives(robot)).toEqual([]);
    expect(deskOf(rig).view(reply.run_id)).toMatchObject({ dry_run: true, status: 'succeeded' });
  });

  it('may bring subgoals and facts of its own', async () => {
    const rig = planRig(({ messages }) => [
      {
        subgoal: 'lamp.on',
        params: { lamp: 3 },
        deadline_ms: 1_000,
        success: [{ fact: 'lamp', op: '==', value: true }],
        fallback: 'skip',
      },
      ...(messages.at(-1)!.text.includes('robot.navigate') ? [drive(1)] : []),
    ]);
    await rig.cell.start();
    const ask = {
      goal: 'light',
      world: { lamp: false },
      subgoals: [
        {
          name: 'lamp.on',
          description: 'lights',
          params: {
            type: 'object',
            properties: { lamp: { type: 'integer' } },
            required: ['lamp'],
            additionalProperties: false,
          },
        },
      ],
    };
    const { plan } = await settled(rig, deskOf(rig).infer(ask, PERSON, 10_000));
    expect(plan.steps.map(({ subgoal }) => subgoal)).toEqual(['lamp.on']);
    await expect(deskOf(rig).open({ ...ask, dry_run: false }, PERSON)).rejects.toMatchObject({
      code: 'schema.invalid',
    });
  });

  it('may describe its subgoals as pydantic does: models are held to them without references', async () => {
    const { name, description, inputSchema } = (
      JSON.parse(
        readFileSync(join(import.meta.dirname, '..', 'golden', 'mcp', 'pydantic-tools.json'), 'utf8'),
      ) as { name: string; description: string; inputSchema: { properties: Record<string, unknown> } }[]
    )[0]!;
    const { span: _tuple, ...properties } = inputSchema.properties;
    const step = (x: unknown) => ({
      ...{ subgoal: name, deadline_ms: 1_000, success: [], fallback: 'skip' },
      params: { goal: { at: { x, y: 2 } }, back: null },
    });
    const rig = planRig((_request, count) => [step(count === 1 ? '1' : 1)]);
    await rig.cell.start();
    const ask = {
      goal: 'drive',
      world: { lamp: false },
      subgoals: [{ name, description, params: { ...inputSchema, properties } }],
    };
    const { plan } = await settled(rig, deskOf(rig).infer(ask, PERSON, 10_000));
    expect(plan.steps.map(({ params }) => params)).toEqual([step(1).params]);
    // The first answer, with a text where a number belongs, was told its fault.
    expect(rig.model.requests).toHaveLength(2);
    expect(rig.model.requests[1]!.messages.at(-1)!.text).toMatch(/goal\/at\/x: .*number/);
    for (const { answerSchema } of rig.model.requests)
      expect(JSON.stringify(answerSchema)).not.toMatch(/\$ref|\$defs/);
  });

  it('is answered by its deadline when the model is deaf, leaves no run behind, and the next one is served', async () => {
    let deaf = true;
    const rig = planRig(() => (deaf ? new Promise<never>(() => {}) : [drive(0.1)]));
    await rig.cell.start();
    const late = deskOf(rig).infer({ goal: 'go' }, PERSON, 1_000);
    await expect(settled(rig, late)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await rig.until(() => rig.cell.status().runs.length === 0, 'the run is over');
    deaf = false;
    await expect(settled(rig, deskOf(rig).infer({ goal: 'go' }, PERSON, 5_000))).resolves.toHaveProperty(
      'plan',
    );
  });

  it('brings nothing down where the run came too late and the log refuses that it is ended', async () => {
    const rig = planRig(() => [drive(0.1)]);
    await rig.cell.start();
    const { cell, clock } = rig;
    let cancels = 0;
    const runtime = {
      run: cell.run.bind(cell),
      runs: cell.runs.bind(cell),
      submit: async (...asked: Parameters<typeof cell.submit>) => {
        await new Promise<void>((resolve) => void clock.after(2_000, resolve));
        return await cell.submit(...asked);
      },
      cancel: async () => {
        cancels += 1;
        throw new EdgeError('log.failed', { operation: 'append', subject: 'runtime', message: 'disk full' });
      },
    };
    const desk = new PlanDesk({ runtime, reader: rig.context.log.reader(), clock });
    const stray = await strayRejections(async () => {
      await expect(settled(rig, desk.infer({ goal: 'go' }, PERSON, 1_000))).rejects.toMatchObject({
        code: 'deadline.exceeded',
      });
      await rig.until(() => cancels === 1, 'it is told to end');
    });
    expect(stray).toEqual([]);
  });

  it('hears why there is none, typed', async () => {
    const rig = planRig(() => {
      throw new EdgeError('model.unavailable', {
        operation: 'complete',
        subject: 'm',
        message: 'it is away',
      });
    });
    await rig.cell.start();
    await expect(settled(rig, deskOf(rig).infer({ goal: 'go' }, PERSON, 5_000))).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/it is away/),
    });
    for (const ask of [{}, { goal: ' ' }, { goal: 1 }, { goal: 'x', speed: 2 }, null, []])
      await expect(deskOf(rig).infer(ask, PERSON, 100)).rejects.toMatchObject({ code: 'schema.invalid' });
  });
});

describe('who asks with bad intent', () => {
  const bad = (params: unknown, more: object = {}) => ({
    goal: 'x',
    dry_run: true,
    subgoals: [{ name: 'a', description: 'b', params }],
    ...more,
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['a pattern that never ends', bad({ type: 'string', pattern: '^(a+)+$' }), /pattern: not a word/],
    [
      'a pattern deep inside',
      bad({ properties: { a: { anyOf: [{ pattern: 'x' }] } } }),
      /pattern: not a word/,
    ],
    [
      'a reference to elsewhere',
      bad({ $ref: 'http://elsewhere/schema' }),
      /params\/\$ref: it refers to "http:\/\/elsewhere\/schema": only parts of itself/,
    ],
    [
      'a reference in a circle',
      bad({ $ref: '#/$defs/a', $defs: { a: { properties: { b: { $ref: '#/$defs/a' } } } } }),
      /params\/properties\/b\/\$ref: "#\/\$defs\/a" refers to itself/,
    ],
    [
      'a pattern behind a reference',
      bad({ properties: { a: { $ref: '#/default' } }, default: { type: 'string', pattern: '^(a+)+$' } }),
      /pattern: not a word/,
    ],
    ['names by pattern', bad({ patternProperties: { '(a+)+': {} } }), /patternProperties: not a word/],
    ['a schema without end', bad(nested(12)), /too large a schema/],
    ['something else than a schema', bad({ properties: { a: 7 } }), /no schema/],
    [
      'subgoals that would be carried out',
      bad({}, { dry_run: false }),
      /only of a plan that is not carried out/,
    ],
    [
      'a world of its own that would be acted in',
      { goal: 'x', world: { a: 1 } },
      /only of a plan that is not/,
    ],
    ['nothing', {}, /goal: missing/],
  ])('%s is refused, also where it comes as an intent', async (_name, params, message) => {
    const rig = planRig(() => [drive(0.1)]);
    await rig.cell.start();
    await rig.cell.submit({ type: 'plan', params }, PERSON);
    await rig.finished();
    expect(end(rig)).toMatchObject({
      error: { code: 'schema.invalid', message: expect.stringMatching(message) },
    });
    expect(rig.model.requests).toEqual([]);
  });
});

function nested(depth: number): object {
  return depth === 0 ? { type: 'string' } : { properties: { a: nested(depth - 1) } };
}
