import { describe, expect, it } from 'vitest';
import {
  type Application,
  EdgeError,
  METHODS,
  type PolicyHook,
  RUN_STATUSES,
  RUN_TRANSITIONS,
} from '../../contract/index.ts';
import { decisionLine } from '../../daemon/runtime/runs/decisions.ts';
import { foldRun } from '../../daemon/runtime/runs/run-fold.ts';
import { RUN_MACHINE } from '../../daemon/runtime/runs/run-machine.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze } from '../support/shipped-apps.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const FAR = { pose: { x: 2.9, y: 2.9, yaw: 0 }, tolerance: 0.2, timeoutMs: 100_000 };

/** Drives far away until somebody ends it. */
const drives = (more: Partial<Application> = {}) =>
  flowApp(
    'drives',
    oneState(async ({ robot }) => ({ event: 'ok', reason: (await robot.navigate(FAR)).outcome })),
    more,
  );

async function begun(
  rig: RuntimeRig,
  type = 'drives/go',
  more: Record<string, unknown> = {},
): Promise<string> {
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type, ...more }, PERSON);
  await rig.until(() => rig.bus.asked.includes(METHODS.execution.robotNavigate), 'the drive');
  return run.run_id;
}

/** A robot that takes orders and never answers; what it was told is in `bus.asked`. */
function deafRig(apps: readonly Application[], ...deaf: string[]): RuntimeRig {
  const rig = new RuntimeRig({ apps, robot: new FakeRobot({ cells: 4 }) });
  for (const method of deaf) rig.bus.deaf.add(method);
  return rig;
}

describe('success', () => {
  it('leaves no motion behind: what nobody waited for is stopped before the end is written', async () => {
    const robot = new FakeRobot({ cells: 4, seed: 2 });
    const hasty = oneState(async ({ robot: mine }) => {
      mine.navigate(FAR).catch(() => undefined);
      await rig.until(() => rig.bus.asked.includes(METHODS.execution.robotNavigate), 'the drive');
      return { event: 'ok', reason: 'enough' };
    });
    const rig = new RuntimeRig({ apps: [flowApp('hasty', hasty)], robot });
    await rig.cell.start();
    await rig.cell.submit({ type: 'hasty/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
    expect((await robot.state()).motion).not.toBe('moving');
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
  });
});

describe('cancel', () => {
  it('stops the robot, then writes the end, then answers', async () => {
    const robot = new FakeRobot({ cells: 4, seed: 2 });
    const rig = new RuntimeRig({ apps: [drives()], robot });
    const runId = await begun(rig);
    const state = await rig.cell.cancel(runId, 'enough');
    expect(state.status).toBe('cancelled');
    expect((await robot.state()).motion).not.toBe('moving');
    expect(rig.of('tool.returned')[0]!.payload.result?.['outcome']).toBe('stopped');
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'cancelled', reason: 'enough' });
    expect(await rig.cell.cancel(runId, 'again')).toEqual(state);
    expect(rig.of('run.finished')).toHaveLength(1);
  });

  it('takes a waiting run out of the queue, and the next one follows', async () => {
    const rig = new RuntimeRig({ apps: [drives()], robot: new FakeRobot({ cells: 4 }) });
    const first = await begun(rig);
    const second = await rig.cell.submit({ type: 'drives/go' }, PERSON);
    const third = await rig.cell.submit({ type: 'drives/go', priority: 9 }, PERSON);
    expect([second.run.status, third.run.status]).toEqual(['queued', 'queued']);
    expect((await rig.cell.cancel(second.run.run_id, 'not needed')).status).toBe('cancelled');
    await rig.cell.cancel(first, 'enough');
    await rig.until(() => rig.cell.run(third.run.run_id).run.status === 'running', 'the third');
    expect(rig.of('run.started')).toHaveLength(2);
  });

  it('comes to an end with a robot that is deaf, and says that nothing confirmed the stop', async () => {
    const rig = deafRig(
      [drives()],
      METHODS.execution.robotNavigate,
      METHODS.execution.robotCancel,
      METHODS.execution.robotStop,
    );
    const runId = await begun(rig);
    const answer = rig.cell.cancel(runId, 'enough');
    for (let i = 0; i < 80; i++) await rig.clock.advance(100);
    expect((await answer).status).toBe('cancelled');
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
    expect(rig.reports.join()).toMatch(/did not confirm its stop/);
    expect(rig.of('tool.returned')).toHaveLength(1);
  });

  it('leaves a deaf harness behind, and its late calls are refused', async () => {
    let late: unknown;
    let wake = () => {};
    const app = flowApp(
      'deaf',
      oneState(async ({ robot }) => {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        late = await robot.navigate(FAR).catch((error: unknown) => error);
        return { event: 'ok', reason: '' };
      }),
    );
    const rig = new RuntimeRig({ apps: [app], robot: new FakeRobot({ cells: 4 }) });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'deaf/go' }, PERSON);
    await rig.until(() => rig.of('run.phase').length === 1, 'the state');
    const answer = rig.cell.cancel(run.run_id, 'enough');
    for (let i = 0; i < 60; i++) await rig.clock.advance(100);
    expect((await answer).status).toBe('cancelled');
    wake();
    for (let i = 0; i < 20; i++) await rig.clock.advance(100);
    expect(late).toMatchObject({ outcome: 'stopped' });
    expect(rig.bus.asked).not.toContain(METHODS.execution.robotNavigate);
    expect(rig.events.at(-1)?.kind).toBe('run.finished');
  });
});

describe('deadlines', () => {
  it('of a run: the robot is stopped, then the run has failed', async () => {
    const rig = deafRig([drives({ deadlineMs: 5_000 })], METHODS.execution.robotNavigate);
    await begun(rig);
    for (let i = 0; i < 120; i++) await rig.clock.advance(100);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      status: 'failed',
      error: { code: 'deadline.exceeded' },
    });
    expect(rig.bus.asked.lastIndexOf(METHODS.execution.robotStop)).toBeGreaterThan(
      rig.bus.asked.indexOf(METHODS.execution.robotNavigate),
    );
  });

  it('of an intent: a run that waited too long never begins', async () => {
    const rig = new RuntimeRig({ apps: [drives()], robot: new FakeRobot({ cells: 4 }) });
    const first = await begun(rig);
    const deadline = (rig.clock.now() + 1_000_000_000n).toString();
    const second = await rig.cell.submit({ type: 'drives/go', deadline }, PERSON);
    await rig.clock.advance(2_500);
    expect(rig.cell.run(second.run.run_id)).toMatchObject({
      run: { status: 'failed' },
      error: { code: 'intent.expired' },
    });
    await rig.cell.cancel(first, 'enough');
    expect(rig.of('run.started')).toHaveLength(1);
  });

  it('of a tool: the robot is stopped before the call settles', async () => {
    const short = flowApp(
      'short',
      oneState(async ({ robot }) => {
        const outcome = await robot
          .navigate({ ...FAR, timeoutMs: 1_000 })
          .catch((error: EdgeError) => error.code);
        return { event: 'ok', reason: String(outcome) };
      }),
    );
    const rig = deafRig([short], METHODS.execution.robotNavigate);
    await begun(rig, 'short/go');
    for (let i = 0; i < 200; i++) await rig.clock.advance(100);
    await rig.finished();
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('deadline.exceeded');
    expect(rig.bus.asked).toContain(METHODS.execution.robotStop);
    expect(rig.of('run.phase').at(-1)?.payload.reason).toBe('ok: deadline.exceeded');
  });

  it('of a state: its motion ends and the graph says where to go', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const app = flowApp(
      'slow',
      oneState(async ({ robot: r }) => ({ event: 'ok', reason: (await r.navigate(FAR)).outcome }), {
        deadlineMs: 1_000,
      }),
    );
    const rig = new RuntimeRig({ apps: [app], robot });
    rig.bus.deaf.add(METHODS.execution.robotNavigate);
    await begun(rig, 'slow/go');
    for (let i = 0; i < 80; i++) await rig.clock.advance(100);
    expect(rig.cell.runs()[0]).toMatchObject({ phase: 'late', reason: 'late', run: { status: 'failed' } });
    expect(robot.orders.some((order) => order.startsWith('stop'))).toBe(true);
  });
});

describe('tool calls', () => {
  it('carry hooks, arguments with units and the robot time', async () => {
    const hook: PolicyHook = { name: 'watch', decide: async () => ({ decision: 'allow', reason: 'fine' }) };
    const app = flowApp(
      'turn',
      oneState(async ({ robot }) => ({
        event: 'ok',
        reason: (await robot.maneuver({ kind: 'spin', angle: 1 })).outcome,
      })),
    );
    const rig = new RuntimeRig({ apps: [app], robot: new FakeRobot({ cells: 4 }), hooks: [hook] });
    await rig.cell.start();
    await rig.cell.submit({ type: 'turn/go' }, PERSON);
    await rig.finished();
    const gate = ['policy.decided', 'tool.called', 'tool.returned'];
    const kinds = rig.events.map((event) => event.kind).filter((kind) => gate.includes(kind));
    // The first decision is about the intent.
    expect(kinds).toEqual(['policy.decided', ...gate]);
    expect(rig.of('tool.called')[0]!.payload).toMatchObject({
      tool: 'robot.maneuver',
      args: { kind: 'spin', angle_rad: 1 },
      effect: 'actuate',
      replay: 'never',
    });
    expect(rig.of('tool.returned')[0]!.payload).toMatchObject({
      ok: true,
      result: { outcome: 'reached' },
      robot_time_ns: expect.stringMatching(/^\d+$/),
    });
  });

  it('that a hook denies are in the log, and the robot hears nothing of them', async () => {
    const hook: PolicyHook = {
      name: 'no-driving',
      decide: async ({ point }) => ({
        decision: point === 'tool' ? 'deny' : 'allow',
        reason: 'too late in the day',
      }),
    };
    const app = flowApp(
      'turn',
      oneState(async ({ robot }) => ({
        event: 'ok',
        reason: (await robot.maneuver({ kind: 'spin', angle: 1 })).outcome,
      })),
    );
    const robot = new FakeRobot({ cells: 4 });
    const rig = new RuntimeRig({ apps: [app], robot, hooks: [hook] });
    await rig.cell.start();
    await rig.cell.submit({ type: 'turn/go' }, PERSON);
    await rig.finished();
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('policy.denied');
    expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toEqual([]);
    expect(rig.cell.runs()[0]?.phase).toBe('broken');
  });

  it.each([
    ['NaN', { pose: { x: Number.NaN, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1000 }, /\/pose\/x/],
    ['text', { pose: { x: '1', y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1000 }, /\/pose\/x/],
    [
      'an unknown field',
      { pose: { x: 1, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1000, fast: true },
      /\/fast: unknown field/,
    ],
    [
      'endless',
      { pose: { x: 1, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: Number.POSITIVE_INFINITY },
      /\/timeoutMs/,
    ],
  ])('with %s never reach the robot', async (_name, goal, message) => {
    let thrown: unknown;
    const app = flowApp(
      'bad',
      oneState(async ({ robot }) => {
        thrown = await robot.navigate(goal as never).catch((error: unknown) => error);
        return { event: 'ok', reason: '' };
      }),
    );
    const robot = new FakeRobot({ cells: 4 });
    const rig = new RuntimeRig({ apps: [app], robot });
    await rig.cell.start();
    await rig.cell.submit({ type: 'bad/go' }, PERSON);
    await rig.finished();
    expect(thrown).toMatchObject({ code: 'schema.invalid', message: expect.stringMatching(message) });
    expect(robot.orders).toEqual([]);
  });
});

describe('the execution cell', () => {
  it('may be away: the maze mission waits, and goes on when it is back', async () => {
    const robot = new FakeRobot({ seed: 4, cells: 4 });
    const rig = new RuntimeRig({ apps: [maze], robot });
    const away = new EdgeError('cell.restarted', { operation: 'request', subject: 'execution' });
    rig.bus.down = away;
    await rig.cell.start();
    await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
    for (let i = 0; i < 50; i++) await rig.clock.advance(100);
    expect(rig.of('run.finished')).toEqual([]);
    rig.bus.down = undefined;
    for (let restarts = 0; restarts < 5; restarts++) {
      const legs = rig.of('tool.called').length;
      await rig.until(
        () => rig.of('tool.called').length > legs || rig.of('run.finished').length > 0,
        'a leg',
      );
      rig.bus.down = away;
      for (let i = 0; i < 10; i++) await rig.clock.advance(100);
      rig.bus.down = undefined;
    }
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });
});

describe('runs are what their events say', () => {
  it('the table allows exactly what the contract allows', () => {
    for (const from of RUN_STATUSES) {
      const reached = new Set(
        Object.values(RUN_MACHINE[from]).filter((to) => to !== undefined && to !== from),
      );
      expect([...reached].sort()).toEqual([...RUN_TRANSITIONS[from]].sort());
    }
  });

  it('a fold in one piece and in two gives the same, and the end never changes', async () => {
    const rig = new RuntimeRig({ apps: [maze], robot: new FakeRobot({ seed: 3, cells: 4 }) });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
    await rig.finished();
    const own = rig.events.filter((event) => event.run_id === run.run_id);
    const fold = (events: typeof own, from?: ReturnType<typeof foldRun>) =>
      events.reduce((view, event) => foldRun(view, event), from);
    const whole = fold(own);
    for (let cut = 0; cut < own.length; cut++)
      expect(fold(own.slice(cut), fold(own.slice(0, cut)))).toEqual(whole);
    expect(whole?.state).toEqual(rig.cell.run(run.run_id).run);
    expect(
      fold(
        own.filter((event) => event.kind !== 'intent.accepted'),
        whole,
      )?.state,
    ).toEqual(whole?.state);
  });

  it('the same seed gives the same decisions to the last byte, at any pace', async () => {
    const decide = async (pace: number) => {
      const turn = async () => {
        for (let i = 0; i < pace; i++) await Promise.resolve();
      };
      const rig = new RuntimeRig({
        apps: [maze],
        robot: new FakeRobot({ seed: 6, cells: 6, stuckShare: 0.2, turn }),
      });
      await rig.clock.advance(pace * 1_000);
      await rig.cell.start();
      const { run } = await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
      await rig.finished();
      return (await Array.fromAsync(rig.cell.decisions(run.run_id))).join('');
    };
    const slow = await decide(7);
    expect(slow.split('\n').length).toBeGreaterThan(50);
    expect(await decide(1)).toBe(slow);
  });

  it('decision lines hold no ids and no times', async () => {
    const rig = new RuntimeRig({ apps: [maze], robot: new FakeRobot({ seed: 3, cells: 3 }) });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
    await rig.finished();
    const text = (await Array.fromAsync(rig.cell.decisions(run.run_id))).join('');
    expect(text).not.toMatch(/_ns"|duration_|[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const calls = new Map<string, number>();
    const lines = rig.events
      .filter((event) => event.run_id === run.run_id)
      .map((event) => decisionLine(event, calls));
    expect(`${lines.filter((line) => line !== undefined).join('\n')}\n`).toBe(text);
  });

  it('listings are newest first, filtered and bounded', async () => {
    const app = flowApp(
      'quick',
      oneState(async () => ({ event: 'ok', reason: '' })),
    );
    const rig = new RuntimeRig({ apps: [app], robot: new FakeRobot({ cells: 2 }) });
    await rig.cell.start();
    const ids: string[] = [];
    for (const tenant of ['lab', 'guests', 'lab', 'lab', 'lab'])
      ids.push((await rig.cell.submit({ type: 'quick/go' }, { ...PERSON, tenant })).run.run_id);
    await rig.until(() => rig.cell.status().runs.length === 0, 'all ends');
    expect(rig.cell.runs().map(({ run }) => run.run_id)).toEqual([...ids].reverse());
    expect(rig.cell.runs({ limit: 2, before: ids[3]! }).map(({ run }) => run.run_id)).toEqual([
      ids[2],
      ids[1],
    ]);
    expect(rig.cell.runs({ tenant: 'guests', limit: 1 }).map(({ run }) => run.run_id)).toEqual([ids[1]]);
    expect(rig.cell.runs({ status: 'failed' })).toEqual([]);
    expect(rig.cell.runs({ app: 'other' })).toEqual([]);
    expect(rig.cell.work()).toEqual([{ name: 'events', done: rig.events.length, waiting: 0 }]);
  });
});
