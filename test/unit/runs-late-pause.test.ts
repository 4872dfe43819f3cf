import { describe, expect, it } from 'vitest';
import { type AgentEvent, METHODS } from '../../contract/index.ts';
import { foldRun } from '../../daemon/runtime/runs/run-fold.ts';
import type { RunView } from '../../daemon/runtime/runs/run-view.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

/** A mission that spawns a run and drives, and ends as it is told while the drive is still under way. */
function mission(ends: () => Promise<void>) {
  const times = { begun: 0 };
  const work: Work = async ({ toolBox, robot }) => {
    if (++times.begun > 1) return {};
    await toolBox.call('run.spawn', { intent: 'kid/go' });
    void robot.navigate({ pose: { x: 1, y: 1, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 }).catch(() => {});
    await ends();
    return {};
  };
  return { work, times };
}

function rigOf(work: Work, more: Partial<RigOptions> = {}): RuntimeRig {
  return new RuntimeRig({
    ...{ apps: [agentApp('talk'), agentApp('kid')], robot: new FakeRobot({ cells: 4 }), ...more },
    options: agents({ talk: work, kid: forever }),
  });
}

/** The mission drives; from here on its robot takes 300 ms to confirm a stop. */
async function driving(rig: RuntimeRig): Promise<string> {
  rig.bus.deaf.add(METHODS.execution.robotNavigate);
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
  await rig.until(() => rig.bus.asked.includes(METHODS.execution.robotNavigate), 'the drive');
  const slowly = () => new Promise((resolve) => void rig.clock.after(300, () => resolve({})));
  rig.bus.handle(METHODS.execution.robotStop, slowly);
  return run.run_id;
}

const stops = (rig: RuntimeRig) =>
  rig.bus.asked.filter((method) => method === METHODS.execution.robotStop).length;
const ended = (rig: RuntimeRig, runId: string) => rig.of('run.finished').some((one) => one.run_id === runId);

describe('a pause that comes while a run ends', () => {
  async function late(end: (go: { resolve(): void; reject(why: Error): void }) => void) {
    const told = Promise.withResolvers<void>();
    const { work, times } = mission(() => told.promise);
    const rig = rigOf(work);
    const runId = await driving(rig);
    const before = stops(rig);
    end(told);
    await rig.until(() => stops(rig) > before, 'the stop at its end');
    const answer = rig.cell.control.pause(runId, 'somebody is in the way');
    await rig.until(() => ended(rig, runId), 'the end');
    await answer;
    const said = rig.of('run.status').filter((one) => one.run_id === runId);
    return { rig, runId, work, times, said };
  }

  it('is too late for a success: what was done is over, and is not done again after a restart', async () => {
    const { rig, runId, work, times, said } = await late((told) => told.resolve());
    expect(rig.cell.run(runId).run.status).toBe('succeeded');
    expect(said).toEqual([]);
    const next = rigOf(work, { disk: rig.disk, clock: rig.clock });
    await next.cell.start();
    await next.clock.advance(2_000);
    expect(next.cell.run(runId).run).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(times.begun).toBe(1);
  });

  it('is too late for a failure as well: nobody is told of a pause that there is not', async () => {
    const { rig, runId, said } = await late((told) => told.reject(new Error('the wheel came off')));
    expect(rig.cell.run(runId).run.status).toBe('failed');
    expect(said).toEqual([]);
  });
});

describe('a daemon that stops while a run ends', () => {
  it('leaves a success a success, although the runs that it asked for are still being ended', async () => {
    const told = Promise.withResolvers<void>();
    const rig = rigOf(mission(() => told.promise).work);
    const runId = await driving(rig);
    const before = stops(rig);
    told.resolve();
    await rig.until(() => stops(rig) > before + 1, 'the stop of the run that it asked for');
    const stopped = rig.cell.stop();
    await rig.until(() => ended(rig, runId), 'the end');
    await stopped;
    expect(rig.of('run.finished').find((one) => one.run_id === runId)!.payload.status).toBe('succeeded');
  });
});

describe('the log has the last word', () => {
  it.each(['paused', 'waiting_approval'] as const)('a success that follows %s is the end', async (status) => {
    const rig = rigOf(async () => ({}));
    await rig.cell.start();
    await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.finished();
    const end = rig.of('run.finished')[0]!;
    const own = rig.events.filter((event) => event.run_id === end.run_id && event !== end);
    const payload = { status, previous: 'running', reason: 'wait' } as const;
    const waits = { ...end, kind: 'run.status', payload } as AgentEvent<'run.status'>;
    let view: RunView | undefined;
    for (const event of [...own, waits, end]) view = foldRun(view, event);
    expect(view).toMatchObject({ state: { status: 'succeeded' }, reason: 'done' });
  });
});
