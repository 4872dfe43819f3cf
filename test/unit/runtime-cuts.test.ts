import { describe, expect, it } from 'vitest';
import { type Application, LIMITS } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze } from '../support/shipped-apps.ts';
import { effectsApp, flowApp, oneState } from '../support/test-apps.ts';

/** Runs one intent, kills the cell at each cut in turn, restarts it each time, and ends with an uncut attempt. */
async function killed(
  app: Application,
  type: string,
  robot: FakeRobot,
  cuts: readonly Cut[],
): Promise<RuntimeRig> {
  let rig: RuntimeRig | undefined;
  for (const cut of [...cuts, undefined]) {
    rig = new RuntimeRig({
      apps: [app],
      robot,
      ...(rig ? { disk: rig.disk, clock: rig.clock } : {}),
      ...(cut ? { cut } : {}),
    });
    let up = false;
    void rig.cell.start().then(() => {
      up = true;
    });
    await rig.until(() => up, 'the start');
    if (rig.of('intent.accepted').length === 0 && !rig.dead) {
      void rig.cell.submit({ type }, PERSON).catch(() => undefined);
    }
    await rig.finished();
  }
  return rig!;
}

/** Every call is answered exactly once, the end is written exactly once and last, attempts count up. */
function checkLog(rig: RuntimeRig): void {
  const called = rig.of('tool.called').map((event) => event.payload.call_id);
  const returned = rig.of('tool.returned').map((event) => event.payload.call_id);
  expect(new Set(called).size).toBe(called.length);
  expect([...returned].sort()).toEqual([...called].sort());
  expect(rig.of('run.finished')).toHaveLength(1);
  expect(rig.events.filter((event) => event.run_id !== undefined).at(-1)?.kind).toBe('run.finished');
  expect(rig.of('run.started').map((event) => event.payload.attempt)).toEqual(
    rig.of('run.started').map((_, i) => i + 1),
  );
  expect(rig.of('intent.accepted')).toHaveLength(1);
}

/** Calls that have no end. */
function unanswered(rig: RuntimeRig): string[] {
  const ended = new Set(rig.of('tool.returned').map(({ payload }) => payload.call_id));
  return rig.of('tool.called').flatMap(({ payload }) => (ended.has(payload.call_id) ? [] : [payload.tool]));
}

/** Orders of effects that are never repeated, counted by their arguments. */
function repeated(robot: FakeRobot): string[] {
  const never = robot.orders.filter((order) => order.includes('"drive"') || order.includes('"spin"'));
  return never.filter((order, index) => never.indexOf(order) !== index);
}

describe('a run that is cut off', () => {
  it('settles from a cut at every append, with no never effect twice and each call answered once', async () => {
    const whole = await killed(effectsApp(), 'effects/go', new FakeRobot({ cells: 4 }), []);
    expect(whole.appends.length).toBeGreaterThan(25);
    const outcomes = new Set<string>();
    for (let append = 1; append <= whole.appends.length; append++) {
      for (const when of ['before', 'after'] as const) {
        const robot = new FakeRobot({ cells: 4 });
        const rig = await killed(effectsApp(), 'effects/go', robot, [{ append, when }]);
        checkLog(rig);
        expect(repeated(robot), `cut ${when} append ${append}`).toEqual([]);
        const { status, summary } = rig.of('run.finished')[0]!.payload;
        expect(status).toBe('succeeded');
        for (const word of summary['story'] as string[]) outcomes.add(word);
        expect(summary['story']).toHaveLength(12);
      }
    }
    // The cuts between an effect and its record were among them.
    expect(outcomes).toContain('uncertain');
  });

  it('settles from a cut in every attempt', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const cuts = Array.from(
      { length: 12 },
      (_, i): Cut => ({ append: 3 + (i % 4), when: i % 2 ? 'before' : 'after' }),
    );
    const rig = await killed(effectsApp(), 'effects/go', robot, cuts);
    checkLog(rig);
    expect(repeated(robot)).toEqual([]);
    expect(rig.of('run.started').length).toBeGreaterThan(8);
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it('keeps the maze mission: killed every few appends it still finds the exit', async () => {
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const cuts = Array.from(
      { length: 10 },
      (_, i): Cut => ({ append: 4 + (i % 5), when: i % 2 ? 'before' : 'after' }),
    );
    const rig = await killed(maze, 'maze/find_exit', robot, cuts);
    checkLog(rig);
    const { status, summary } = rig.of('run.finished')[0]!.payload;
    expect([status, summary['reached']]).toEqual(['succeeded', true]);
    expect(
      rig
        .of('run.started')
        .slice(1)
        .every((event) => event.payload.resumed_from !== undefined),
    ).toBe(true);
    // The robot hears of a cut before anything else is asked of it.
    expect(robot.orders.filter((order) => order === 'stop the run is resumed').length).toBeGreaterThan(5);
  });

  it('goes on from a graceful stop without a second announcement of its phase', async () => {
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const first = new RuntimeRig({ apps: [maze], robot });
    await first.cell.start();
    await first.cell.submit({ type: 'maze/find_exit' }, PERSON);
    await first.until(() => first.of('tool.called').length === 2, 'the second drive');
    await first.cell.stop();
    expect(first.of('run.finished')).toEqual([]);
    expect((await robot.state()).motion).not.toBe('moving');
    const rig = new RuntimeRig({ apps: [maze], robot, disk: first.disk, clock: first.clock });
    await rig.cell.start();
    await rig.finished();
    checkLog(rig);
    const resumed = rig.of('run.started')[1]!;
    const next = rig.of('run.phase').find((event) => event.seq > resumed.seq)!;
    expect(next.payload.previous).toBe(resumed.payload.resumed_from);
  });

  it('fails by its rule where the application does not resume, from a cut at every append', async () => {
    const app = { ...effectsApp(), afterCut: 'fail' as const };
    const whole = await killed(app, 'effects/go', new FakeRobot({ cells: 4 }), []);
    let cutOff = 0;
    for (let append = 3; append < whole.appends.length; append++) {
      const robot = new FakeRobot({ cells: 4 });
      const rig = await killed(app, 'effects/go', robot, [{ append, when: 'after' }]);
      // The call that the cut left open has an end too, and the robot stands before anybody hears of it.
      expect(unanswered(rig), `cut after append ${append}`).toEqual([]);
      expect(rig.of('run.finished')).toHaveLength(1);
      const { status, error } = rig.of('run.finished')[0]!.payload;
      expect([status, error?.code]).toEqual(['failed', 'run.interrupted']);
      cutOff += rig.of('tool.returned').filter(({ payload }) => payload.error?.code === error?.code).length;
      expect(robot.orders.at(-1)).toMatch(/^stop .*does not resume/);
    }
    expect(cutOff).toBeGreaterThan(5);
  });

  it('is settled when its attempts do nothing but die', async () => {
    // The state reads for ever; each attempt dies at its own run.started or right after.
    const app = flowApp(
      'hang',
      oneState(() => new Promise(() => {})),
    );
    const cuts: Cut[] = [{ append: 3, when: 'after' }];
    for (let i = 0; i < LIMITS.RUN_IDLE_ATTEMPTS_MAX; i++) cuts.push({ append: 1, when: 'after' });
    const rig = await killed(app, 'hang/go', new FakeRobot({ cells: 2 }), cuts);
    const { status, error } = rig.of('run.finished')[0]!.payload;
    expect([status, error?.code]).toEqual(['failed', 'run.interrupted']);
    expect(error?.message).toMatch(/5 attempts in a row ended before they did anything/);
  });

  it('is settled when its application is gone', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const first = new RuntimeRig({ apps: [effectsApp()], robot, cut: { append: 4, when: 'after' } });
    await first.cell.start();
    await first.cell.submit({ type: 'effects/go' }, PERSON);
    await first.finished();
    expect(unanswered(first)).toEqual(['robot.maneuver']);
    const rig = new RuntimeRig({ apps: [], robot, disk: first.disk });
    await rig.cell.start();
    expect(rig.of('run.finished')[0]!.payload.error?.message).toMatch(/effects is no longer loaded/);
    expect(unanswered(rig)).toEqual([]);
    expect(robot.orders.at(-1)).toMatch(/^stop .*no longer loaded/);
  });
});
