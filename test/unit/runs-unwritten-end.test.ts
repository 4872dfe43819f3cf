import { describe, expect, it } from 'vitest';
import { EdgeError, type RunContext } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

const FULL = new EdgeError('log.failed', {
  ...{ operation: 'log.append', subject: 'test', message: 'disk full' },
  hint: 'the disk is full: free some space',
});

function rigOf(work: Work, more: Partial<RigOptions> = {}): RuntimeRig {
  return new RuntimeRig({
    ...{ apps: [agentApp('talk')], robot: new FakeRobot({ cells: 4 }), ...more },
    options: agents({ talk: work }),
  });
}

async function begun(rig: RuntimeRig): Promise<string> {
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
  await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'running');
  return run.run_id;
}

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (thrown: EdgeError) => thrown,
  );
const passing = async (rig: RuntimeRig, ms: number) => {
  for (let at = 0; at < ms; at += 250) {
    await rig.clock.advance(250);
    for (let i = 0; i < 40; i++) await Promise.resolve();
  }
};

describe('the end of a run that the log refuses', () => {
  it('is tried again until the log takes it: the work is not done twice, and nobody hears of it before', async () => {
    let times = 0;
    const rig = rigOf(async () => {
      times += 1;
      rig.disk.fault = FULL;
      return { reason: 'found it', summary: { metres: 4 } };
    });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.until(() => rig.cell.status().load?.unwritten !== undefined, 'a refused end');
    await passing(rig, 20_000);
    expect(rig.cell.run(run.run_id)).toMatchObject({
      run: { status: 'running' },
      reason: expect.stringMatching(/succeeded, and waits for the log .* \(tried \d times\): .*disk full/),
    });
    const [unwritten] = rig.cell.status().load!.unwritten!;
    expect(unwritten).toMatchObject({ run_id: run.run_id, end: 'succeeded', reason: 'disk full' });
    // 1, 2, 4, 8 seconds apart: bounded, and not a storm.
    expect(unwritten!.tries).toBe(5);
    rig.disk.fault = undefined;
    await passing(rig, 30_000);
    expect(rig.of('run.finished').map(({ payload }) => payload)).toMatchObject([
      { status: 'succeeded', reason: 'found it', summary: { metres: 4 } },
    ]);
    expect([times, rig.of('run.started').length]).toEqual([1, 1]);
    expect(rig.cell.status().load!.unwritten).toBeUndefined();
    expect(rig.reports.filter((one) => one.includes('is not in the log yet'))).toHaveLength(1);
    // Its slot is free.
    const next = await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.until(() => rig.cell.run(next.run.run_id).run.status !== 'queued', 'the next');
  });

  it('of a cancelled run is kept: who cancelled is told at once, and the robot does not go on', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = rigOf(forever, { robot });
    const runId = await begun(rig);
    rig.disk.fault = FULL;
    const cancelled = outcome(rig.cell.cancel(runId, 'enough'));
    await passing(rig, 6_000);
    const refusal = await cancelled;
    expect(refusal).toMatchObject({ code: 'log.failed', retryable: true, hint: FULL.hint });
    expect(refusal!.message).toMatch(/the run is over \(cancelled\), but its end is not in the log yet/);
    expect(robot.orders.at(-1)).toMatch(/^stop/);
    expect(rig.cell.run(runId).run.status).toBe('running');
    rig.disk.fault = undefined;
    await passing(rig, 10_000);
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'cancelled' }, reason: 'enough' });
    expect(rig.of('run.started')).toHaveLength(1);
  });

  it('holds the ends of calls with it, in one piece', async () => {
    const robot = new FakeRobot({ cells: 4 });
    const rig = rigOf(
      async (context: RunContext) => {
        await context.robot.maneuver({ kind: 'wait', durationMs: 600_000 });
        return {};
      },
      { robot },
    );
    const runId = await begun(rig);
    await rig.until(() => rig.of('tool.called').length === 1, 'the call');
    rig.disk.fault = FULL;
    const cancelled = outcome(rig.cell.cancel(runId, 'enough'));
    await passing(rig, 8_000);
    expect((await cancelled)!.code).toBe('log.failed');
    rig.disk.fault = undefined;
    await passing(rig, 10_000);
    expect(rig.cell.run(runId).run.status).toBe('cancelled');
    expect(rig.of('tool.returned')).toHaveLength(1);
    expect(rig.of('run.started')).toHaveLength(1);
  });

  it('is not waited for when the daemon stops, and the next start takes the run up', async () => {
    const rig = rigOf(async () => {
      rig.disk.fault = FULL;
      return {};
    });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.until(() => rig.cell.status().load?.unwritten !== undefined, 'a refused end');
    await rig.cell.stop();
    rig.disk.fault = undefined;
    const next = rigOf(async () => ({ reason: 'again' }), { disk: rig.disk, clock: rig.clock });
    await next.cell.start();
    await next.finished();
    expect(next.cell.run(run.run_id)).toMatchObject({ run: { status: 'succeeded', attempt: 2 } });
  });

  it('that no log would take, for what it sums up, is written without that', async () => {
    const rig = rigOf(async () => ({ reason: 'done', summary: { much: 'x'.repeat(300_000) } }));
    await begun(rig).catch(() => {});
    await rig.finished();
    expect(rig.of('run.started')).toHaveLength(1);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      ...{ status: 'succeeded', summary: {} },
      reason: expect.stringMatching(/^done \(what it sums up was left out: .*300\d+ bytes/),
    });
  });
});

describe('an attempt that the log refused', () => {
  it('is told as one that waits, and an order to end it that came meanwhile stands', async () => {
    let times = 0;
    const robot = new FakeRobot({ cells: 4 });
    const rig = rigOf(
      async (context: RunContext) => {
        times += 1;
        rig.disk.fault = FULL;
        await context.robot.maneuver({ kind: 'wait', durationMs: 1 });
        return {};
      },
      { robot },
    );
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.until(() => rig.cell.status().load?.unwritten !== undefined, 'a refused attempt');
    const [waits] = rig.cell.status().load!.unwritten!;
    expect(waits).toMatchObject({ run_id: run.run_id, tries: 1 });
    expect(waits!.end).toBeUndefined();
    expect((await outcome(rig.cell.cancel(run.run_id, 'enough')))!.code).toBe('log.failed');
    rig.disk.fault = undefined;
    await passing(rig, 10_000);
    expect(rig.cell.run(run.run_id)).toMatchObject({ run: { status: 'cancelled' }, reason: 'enough' });
    expect(times).toBe(1);
    expect(robot.orders.filter((order) => !order.startsWith('stop'))).toEqual([]);
  });
});
