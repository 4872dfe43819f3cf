import { describe, expect, it } from 'vitest';
import type { PolicyHook, Tool } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';
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

  it('at any moment leaves a plan that was only to be made uncarried', async () => {
    const params = { goal: 'go', dry_run: true };
    let cuts = 0;
    for (let append = 1; append <= 14; append++) {
      const robot = new FakeRobot({ cells: 4 });
      const rig = planRig(script, { robot, cut: { append, when: 'after' } });
      await Promise.race([
        rig.cell.start().catch(() => {}),
        rig.until(() => rig.dead, 'the cut').catch(() => {}),
      ]);
      if (rig.dead) continue;
      await Promise.race([
        rig.cell.submit({ type: 'plan', params }, PERSON).catch(() => {}),
        rig.until(() => rig.dead, 'the cut').catch(() => {}),
      ]);
      await rig.until(() => rig.dead || rig.of('run.finished').length > 0, 'the end');
      if (rig.of('intent.accepted').length === 0 || rig.of('run.finished').length > 0) continue;
      cuts += 1;
      const after = planRig(script, { robot, before: rig });
      await after.cell.start();
      await after.finished();
      const { status, summary } = after.of('run.finished')[0]!.payload;
      expect([append, status, drives(robot)]).toEqual([append, 'succeeded', []]);
      expect(summary).toMatchObject({ plan: { steps: expect.any(Array) } });
    }
    expect(cuts).toBeGreaterThan(2);
  }, 60_000);

  it('after another begins a step whose motion may have happened once again, and never more', async () => {
    const one = () => [drive(0.1)];
    let most = 0;
    for (let first = 8; first <= 12; first++) {
      for (let second = 1; second <= 16; second++) {
        const robot = new FakeRobot({ cells: 4 });
        let rig = planRig(one, { robot, cut: { append: first, when: 'before' } });
        await rig.cell.start();
        void rig.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON).catch(() => {});
        await rig.until(() => rig.dead || rig.of('run.finished').length > 0, 'the first cut');
        if (rig.of('run.finished').length > 0) continue;
        const before = rig;
        rig = planRig(one, { robot, before, cut: { append: second, when: 'before' } });
        await Promise.race([
          rig.cell.start().catch(() => {}),
          rig.until(() => rig.dead, 'the cut').catch(() => {}),
        ]);
        await rig.until(() => rig.dead || rig.of('run.finished').length > 0, 'the second cut');
        if (!rig.dead || rig.of('run.finished').length > 0) continue;
        const last = planRig(one, { robot, before: rig });
        await last.cell.start();
        await last.finished();
        most = Math.max(most, drives(robot).length);
      }
    }
    expect(most).toBe(2);
  }, 60_000);

  it.each([
    ['abort', 2],
    ['retry', 2],
    ['retry', 0],
  ])('does not repeat what a tool of somebody else may have done (%s, %i)', async (fallback, replansMax) => {
    let ordered = 0;
    const order: Tool = {
      spec: {
        ...{ name: 'lab.order', description: 'Orders a part', input: { type: 'object' }, origin: 'mcp' },
        ...{ effect: 'actuate', replay: 'never', deadlineMs: 5_000 },
      },
      run: async () => {
        ordered += 1;
        return { result: { ok: true } };
      },
    };
    const given = { tools: [order], rules: { subgoals: ['lab.*', 'robot.maneuver'], replansMax } };
    const steps = () => [drive(0, { subgoal: 'lab.order', params: {}, fallback })];
    let seen = 0;
    for (let append = 8; append <= 14; append++) {
      ordered = 0;
      const rig = planRig(steps, { ...given, cut: { append, when: 'before' } });
      await rig.cell.start();
      void rig.cell.submit({ type: 'plan', params: { goal: 'order it' } }, PERSON).catch(() => {});
      await rig.until(() => rig.dead || rig.of('run.finished').length > 0, 'the cut');
      if (rig.of('run.finished').length > 0 || ordered === 0) continue;
      const returned =
        rig.of('tool.returned').filter(({ payload }) => payload.tool === 'lab.order').length > 0;
      const after = planRig(() => [drive(0.1)], { ...given, before: rig });
      await after.cell.start();
      await after.finished();
      const replanned = !returned && fallback === 'retry' && replansMax > 0;
      const reasons = after.of('plan.replanned').map(({ payload }) => payload.reason);
      expect(reasons).toHaveLength(replanned ? 1 : 0);
      if (!returned) expect(reasons[0] ?? end(after).reason).toContain('run.interrupted');
      expect(end(after).status).toBe(returned || replanned ? 'succeeded' : 'failed');
      seen += returned ? 0 : 1;
      expect([append, ordered]).toEqual([append, 1]);
    }
    expect(seen).toBeGreaterThan(0);
  });

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
