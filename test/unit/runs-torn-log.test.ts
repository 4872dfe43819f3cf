import { describe, expect, it } from 'vitest';
import { EdgeError, type NewEvent, type RunContext } from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/attempt/active-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp } from '../support/agent-app.ts';
import { rigOf } from '../support/agent-rig.ts';
import { drive, planRig } from '../support/plan-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const ASK = {
  ...{ messages: [{ role: 'user' as const, text: 'go' }], maxTokens: 10, temperature: 0 },
  ...{ deadlineMs: 1_000, purpose: 'agent turn' },
};
const FULL = new EdgeError('log.failed', { operation: 'log.append', subject: 'test', message: 'disk full' });

/** As the router of models does: the end of a call is handed to the log, and not waited for. */
function models(returned: () => void): ModelsOfRun {
  return ({ runId, emit }) =>
    new ScriptedModel(async () => {
      const counts = { ok: true, tokens_in: 1, tokens_out: 1, duration_ms: 1 };
      const call_id = '018bcfe5-6800-7000-8000-000000000001';
      returned();
      emit([{ kind: 'model.returned', run_id: runId, payload: { call_id, ...counts } }]).catch(() => {});
      return { text: 'done' };
    });
}

describe('a run whose log refused what nobody waited for', () => {
  it('does not end with a hole: it is taken up again when the log takes events, and says all of it', async () => {
    const disk = new MemoryLogDisk();
    let attempts = 0;
    const agent = async ({ model }: RunContext) => {
      await model!.complete(ASK);
      // The disk is well again before the run writes its end.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      disk.fault = undefined;
      return { reason: `attempt ${attempts}` };
    };
    const returned = () => {
      if (++attempts === 1) disk.fault = FULL;
    };
    const rig = rigOf({ agent }, { disk, options: { models: models(returned) } });
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.started').map(({ payload }) => payload.attempt)).toEqual([1, 2]);
    expect(rig.of('model.returned')).toHaveLength(1);
    expect(rig.of('run.finished').map(({ payload }) => payload.reason)).toEqual(['attempt 2']);
    expect(rig.reports.join()).toMatch(/could not be written to its end.*disk full/);
  });
});

/** The log of this rig refuses the first appends with the end of a call (of this tool), and takes everything else. */
function refuses(rig: RuntimeRig, faults: EdgeError[] = [FULL], tool?: string): void {
  const { log } = rig.context;
  const append = log.append.bind(log);
  const left = [...faults];
  const isEnd = (event: NewEvent) =>
    event.kind === 'tool.returned' && (tool === undefined || event.payload.tool === tool);
  log.append = async (events) => {
    const fault = events.some(isEnd) ? left.shift() : undefined;
    if (fault) throw fault;
    return await append(events);
  };
}

describe('a run whose log refused the end of one call', () => {
  const works = async ({ robot, attempt }: RunContext) => {
    const { outcome } = await robot.maneuver({ kind: 'wait', durationMs: 5 });
    return { reason: `attempt ${attempt}: ${outcome}` };
  };

  it('has not failed by that: it goes on when the log takes events again, and no call is without its end', async () => {
    const rig = rigOf({ agent: works });
    refuses(rig);
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished').map(({ payload }) => payload)).toMatchObject([
      { status: 'succeeded', reason: 'attempt 2: reached' },
    ]);
    const called = rig.of('tool.called').map(({ payload }) => payload.call_id);
    const ended = rig.of('tool.returned').map(({ payload }) => payload.call_id);
    expect(called.filter((id) => !ended.includes(id))).toEqual([]);
    expect(rig.reports.join()).toMatch(/could not be written to its end.*disk full/);
  });

  it('has not failed by that either where it lived with a refusal of another kind before', async () => {
    const full = new EdgeError('cell.overloaded', { operation: 'log.append', subject: 'test' });
    const stubborn = async (context: RunContext) => {
      if (context.attempt === 1)
        await context.robot.maneuver({ kind: 'wait', durationMs: 4 }).catch(() => {});
      return await works(context);
    };
    const rig = rigOf({ agent: stubborn });
    refuses(rig, [full, FULL]);
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished').map(({ payload }) => payload)).toMatchObject([
      { status: 'succeeded', reason: 'attempt 2: reached' },
    ]);
  });

  it('is a flow that does not take its way for errors by that, and goes on where it was', async () => {
    const flow = oneState(async ({ robot }) => {
      const { outcome } = await robot.maneuver({ kind: 'wait', durationMs: 5 });
      return { event: 'ok', reason: outcome };
    });
    const rig = new RuntimeRig({ apps: [flowApp('one', flow)], robot: new FakeRobot({ cells: 4 }) });
    refuses(rig);
    await rig.cell.start();
    await rig.cell.submit({ type: 'one/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.started').map(({ payload }) => payload.attempt)).toEqual([1, 2]);
    expect(rig.of('run.phase').map(({ payload }) => payload.phase)).toEqual(['work', 'done']);
    expect(rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it('is a plan that has not failed in its step by that', async () => {
    const rig = planRig(() => [drive(0.1)]);
    refuses(rig, [FULL], 'robot.maneuver');
    await rig.cell.start();
    await rig.cell.submit({ type: 'plan', params: { goal: 'go' } }, PERSON);
    await rig.finished();
    expect(rig.of('run.started').map(({ payload }) => payload.attempt)).toEqual([1, 2]);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', summary: { done: 1 } });
  });

  it('is settled by the rule of its application where that does not resume', async () => {
    const rig = rigOf({ agent: works }, { apps: [agentApp('agent', { afterCut: 'fail' })] });
    refuses(rig);
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished').map(({ payload }) => payload.error?.code)).toEqual(['run.interrupted']);
    expect(rig.of('tool.returned')).toHaveLength(1);
  });

  it('ends when somebody ends it meanwhile, and the call has its end', async () => {
    const rig = rigOf({ agent: works });
    refuses(rig);
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.until(() => rig.cell.status().load?.unwritten !== undefined, 'a refused attempt');
    await rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.finished();
    expect(rig.cell.run(run.run_id)).toMatchObject({ run: { status: 'cancelled' }, reason: 'enough' });
    expect(rig.of('tool.returned')).toHaveLength(1);
  });
});
