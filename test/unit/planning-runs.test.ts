import { describe, expect, it } from 'vitest';
import type { PolicyHook } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';
import { PlanDesk } from '../../daemon/runtime/planning/plan-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { drive, planRig } from '../support/plan-rig.ts';
import { PERSON, type RuntimeRig } from '../support/runtime-rig.ts';

async function ran<R extends RuntimeRig>(
  rig: R,
  params: Record<string, unknown> = { goal: 'go' },
): Promise<R> {
  await rig.cell.start();
  await rig.cell.submit({ type: 'plan', params }, PERSON);
  await rig.finished();
  return rig;
}

const outcomes = (rig: RuntimeRig) =>
  rig.of('plan.step_ended').map(({ payload }) => `${payload.step_id} ${payload.outcome}`);
const end = (rig: RuntimeRig) => rig.of('run.finished')[0]!.payload;
const drives = (robot: FakeRobot) => robot.orders.filter((order) => order.startsWith('maneuver'));

describe('a plan is made and carried out', () => {
  it('step by step through the gate, each in the log before it happens and after it did', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = await ran(planRig(() => [drive(0.1), drive(-0.1)], { robot }));
    expect(end(rig)).toMatchObject({ status: 'succeeded', score: 1, summary: { steps: 2, done: 2 } });
    expect(outcomes(rig)).toEqual(['step-1 succeeded', 'step-2 succeeded']);
    expect(drives(robot)).toHaveLength(2);
    const kinds = rig.events
      .filter(
        ({ kind, payload }) =>
          /^plan\.|tool\.called/.test(kind) && (payload as { tool?: string }).tool !== 'robot.facts',
      )
      .map(({ kind }) => kind);
    expect(kinds).toEqual([
      'plan.made',
      'plan.step_started',
      'tool.called',
      'plan.step_ended',
      'plan.step_started',
      'tool.called',
      'plan.step_ended',
    ]);
    const told = rig.model.requests[0]!;
    expect(told).toMatchObject({ purpose: 'plan', answerSchema: { type: 'object' } });
    expect(told.messages.at(-1)!.text).toMatch(/"robot.pose.x".*Goal: go/s);
  });

  it('asks the world whether it is done: a drive that says so without getting there has failed', async () => {
    const success = [{ fact: 'robot.pose.x', op: '>', value: 50 }];
    const rig = await ran(planRig(() => [drive(0.1, { success })]));
    expect(end(rig)).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/robot.pose.x > 50 \(it is/),
    });
    expect(rig.of('plan.step_ended')[0]!.payload).toMatchObject({
      outcome: 'failed',
      facts: { 'robot.pose.x': expect.any(Number) },
    });
  });

  it('does nothing for what is true already', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const done = [{ fact: 'robot.connected', op: '==', value: true }];
    const rig = await ran(planRig(() => [drive(0.3, { success: done })], { robot }));
    expect(end(rig)).toMatchObject({ status: 'succeeded', reason: 'the goal is reached already' });
    const later = await ran(planRig(() => [drive(0.1), drive(0.3, { success: done })], { robot }));
    expect(outcomes(later)).toEqual(['step-1 succeeded', 'step-2 already']);
    expect(drives(robot)).toHaveLength(1);
  });

  it('makes another plan, with the reason, where a step fails; and gives up when there were enough', async () => {
    const bad = drive(0.1, { success: [{ fact: 'robot.pose.x', op: '>', value: 50 }], fallback: 'replan' });
    const rig = await ran(planRig((_request, count) => (count === 1 ? [bad] : [drive(0.1)])));
    expect(end(rig)).toMatchObject({ status: 'succeeded', summary: { replans: 1 } });
    expect(rig.of('plan.replanned')[0]!.payload).toMatchObject({
      step_id: 'step-1',
      reason: expect.stringMatching(/not true/),
      left: 1,
    });
    expect(rig.model.requests[1]!.messages.at(-1)!.text).toMatch(/failed_because.*not true/);
    const stubborn = await ran(planRig(() => [bad]));
    expect(stubborn.of('plan.made')).toHaveLength(3);
    expect(end(stubborn)).toMatchObject({ status: 'failed', summary: { replans: 2 } });
  });

  it('retries a bounded number of times, skips and aborts as the step says', async () => {
    const never = [{ fact: 'robot.pose.x', op: '>', value: 50 }];
    const robot = new FakeRobot({ cells: 4 });
    const again = await ran(
      planRig(() => [drive(0.05, { success: never, fallback: 'retry' })], {
        robot,
        rules: { replansMax: 0 },
      }),
    );
    expect(drives(robot)).toHaveLength(3);
    expect(again.of('plan.step_started').map(({ payload }) => payload.attempt)).toEqual([1, 2, 3]);
    const skips = await ran(planRig(() => [drive(0.05, { success: never, fallback: 'skip' }), drive(0.05)]));
    expect(outcomes(skips)).toEqual(['step-1 skipped', 'step-2 succeeded']);
    expect(end(skips)).toMatchObject({ status: 'succeeded', score: 0.5 });
  });

  it('ends a step whose time is over by the clock of the robot, and the robot stands', async () => {
    const slow = drive(0, { params: { kind: 'wait', wait_ms: 500_000 }, deadline_ms: 2_000 });
    // Its time runs faster than any look at it: the motion says how long it took.
    const fast = await ran(planRig(() => [slow]));
    expect(end(fast)).toMatchObject({ status: 'failed', reason: expect.stringMatching(/deadline.exceeded/) });
    // Its time runs as ours does: it is ended on the way.
    const clock = new ManualClock();
    const turn = () => new Promise<void>((resolve) => void clock.after(250, resolve));
    const robot = new FakeRobot({ cells: 4, turn });
    const rig = await ran(planRig(() => [slow], { robot, clock }));
    expect(end(rig)).toMatchObject({ status: 'failed', reason: expect.stringMatching(/deadline.exceeded/) });
    expect((await robot.state()).time).toBeLessThan(20_000_000_000n);
    expect((await robot.state()).motion).toBe('stopped');
  });

  it('takes a plan that somebody wrote, checked as one of a model', async () => {
    const own = { goal: 'mine', steps: [{ step_id: 'x', ...drive(0.1) }] };
    const rig = planRig(() => {
      throw new Error('nobody asks');
    });
    await ran(rig, { plan: own });
    expect(rig.of('plan.made')[0]!.payload).toMatchObject({ by: 'caller', plan: { goal: 'mine' } });
    expect(end(rig).status).toBe('succeeded');
    const wrong = planRig(() => []);
    await ran(wrong, { plan: { ...own, steps: [{ step_id: 'x', ...drive(99) }] } });
    expect(end(wrong)).toMatchObject({ status: 'failed', error: { code: 'schema.invalid' } });
  });
});

describe('a model that plans badly', () => {
  it('is told what is wrong and asked again; then it is over, and nothing was done', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = await ran(planRig((_r, count) => (count === 1 ? [drive(99)] : [drive(0.1)]), { robot }));
    expect(end(rig).status).toBe('succeeded');
    expect(rig.model.requests[1]!.messages.at(-1)!.text).toMatch(
      /cannot be carried out:\n\/steps\/0\/params/,
    );
    const noise = await ran(planRig(() => [drive(99)], { robot }));
    expect(end(noise)).toMatchObject({ status: 'failed', error: { code: 'model.failed' } });
    expect(drives(robot)).toHaveLength(1);
  });
});

describe('policies', () => {
  const denies = (subject: string): PolicyHook => ({
    name: 'rules',
    decide: async (question) =>
      question.point === 'tool' && question.subject === subject
        ? { decision: 'deny', reason: 'not here' }
        : { decision: 'allow', reason: '' },
  });

  it('judge every step before the first one is carried out; another plan may find another way', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const goes = {
      subgoal: 'robot.navigate',
      params: { x: 1, y: 1 },
      deadline_ms: 9_000,
      success: [],
      fallback: 'abort',
    };
    const rig = await ran(
      planRig((_r, count) => (count === 1 ? [drive(0.1), goes] : [drive(0.1)]), {
        robot,
        hooks: [denies('robot.navigate')],
      }),
    );
    expect(end(rig)).toMatchObject({ status: 'succeeded', summary: { replans: 1 } });
    expect(rig.of('plan.replanned')[0]!.payload.reason).toMatch(/policy.denied: rules: not here/);
    expect(drives(robot)).toHaveLength(1);
    // The decision that refused it is in the log, with its run.
    expect(rig.of('policy.decided').some(({ payload }) => payload.decision === 'deny')).toBe(true);
  });

  it('that forbid every way end it with their word', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = await ran(planRig(() => [drive(0.1)], { robot, hooks: [denies('robot.maneuver')] }));
    expect(end(rig)).toMatchObject({ status: 'failed', error: { code: 'policy.denied' } });
    expect(drives(robot)).toEqual([]);
  });
});

describe('a cut', () => {
  const script = () => [drive(0.1), drive(-0.1), drive(0.1)];

  it('at any moment leads to the same end: no step is lost, none that happened happens again', async () => {
    const whole = await ran(planRig(script));
    const appends = whole.appends.length;
    expect(appends).toBeGreaterThan(10);
    for (let append = 1; append <= appends; append++) {
      for (const when of ['before', 'after'] as const) {
        const robot = new FakeRobot({ cells: 4 });
        const rig = planRig(script, { robot, cut: { append, when } });
        await rig.cell.start();
        await Promise.race([
          rig.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON).catch(() => {}),
          rig.until(() => rig.dead, 'the cut').catch(() => {}),
        ]);
        await rig.until(() => rig.of('run.finished').length > 0, 'the end');
        if (rig.of('intent.accepted').length === 0 || rig.of('run.finished').length > 0) continue;
        const after = planRig(script, { robot, before: rig });
        await after.cell.start();
        await after.finished();
        const where = `cut ${when} append ${append}`;
        expect([where, after.of('run.finished')[0]!.payload.status]).toEqual([where, 'succeeded']);
        // A drive that was open when it was cut may have happened: it is retried once, never more.
        expect([where, drives(robot).length >= 3 && drives(robot).length <= 4]).toEqual([where, true]);
        const ended = after.of('plan.step_ended').filter(({ payload }) => payload.outcome === 'succeeded');
        expect([where, ended.map(({ payload }) => payload.step_id)]).toEqual([
          where,
          ['step-1', 'step-2', 'step-3'],
        ]);
      }
    }
  }, 120_000);

  it('makes no second plan where the first one is in the log', async () => {
    const first = planRig(script, { cut: { append: 12, when: 'after' } });
    await first.cell.start();
    void first.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON).catch(() => {});
    await first.until(() => first.dead, 'the cut');
    expect(first.of('plan.made')).toHaveLength(1);
    const after = planRig(
      () => {
        throw new Error('asked again');
      },
      { before: first },
    );
    await after.cell.start();
    await after.finished();
    expect(after.of('plan.made')).toHaveLength(1);
  });
});

describe('pause, cancel', () => {
  it('a pause stops the step, which begins again when the run goes on', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const waits = drive(0, { params: { kind: 'wait', wait_ms: 4_000 }, deadline_ms: 500_000 });
    const rig = planRig(() => [waits], { robot });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'plan', params: { goal: 'wait' } }, PERSON);
    await rig.until(() => drives(robot).length > 0, 'it moves');
    await rig.cell.control.pause(run.run_id, 'look');
    expect(rig.of('run.finished')).toEqual([]);
    await rig.cell.control.resume(run.run_id);
    await rig.finished();
    expect(end(rig).status).toBe('succeeded');
    expect(drives(robot).length).toBeGreaterThanOrEqual(1);
  });

  it('a cancel stops the robot before it is answered', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const waits = drive(0, { params: { kind: 'wait', wait_ms: 400_000 }, deadline_ms: 500_000 });
    const rig = planRig(() => [waits], { robot });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'plan', params: { goal: 'wait' } }, PERSON);
    await rig.until(() => drives(robot).length > 0, 'it moves');
    const cancelled = rig.cell.cancel(run.run_id, 'enough');
    await rig.until(() => rig.of('run.finished').length > 0, 'the end');
    expect((await cancelled).status).toBe('cancelled');
    expect(robot.orders.at(-1)).toMatch(/^stop/);
  });
});

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

describe('a robot that is away', () => {
  it('for a moment is waited for; one that stays away ends the plan, typed, and a model is not asked', async () => {
    const rig = planRig(() => [drive(0.1)]);
    await rig.cell.start();
    const gone = new EdgeError('cell.unavailable', { operation: 'ask', subject: 'execution' });
    rig.bus.down = gone;
    await rig.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON);
    await rig.until(() => rig.of('tool.called').length >= 3, 'it looks again');
    rig.bus.down = undefined;
    await rig.finished();
    expect(end(rig).status).toBe('succeeded');
    const away = planRig(() => [drive(0.1)]);
    await away.cell.start();
    away.bus.down = gone;
    await away.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON);
    await away.finished();
    expect(end(away)).toMatchObject({ status: 'failed', error: { code: 'robot.unreachable' } });
    expect(away.model.requests).toEqual([]);
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
    ['a reference', bad({ $ref: 'http://elsewhere/schema' }), /\$ref: not a word/],
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
