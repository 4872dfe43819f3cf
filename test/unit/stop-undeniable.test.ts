import { describe, expect, it } from 'vitest';
import { EdgeError, type EStopState, IdSource, type Intent, METHODS, TOPICS } from '../../contract/index.ts';
import { type Effect, ToolGate, type ToolGateParts } from '../../daemon/runtime/gate/tool-gate.ts';
import { ToolJournal } from '../../daemon/runtime/gate/tool-journal.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { StopWatch, type StopWatchParts } from '../../daemon/runtime/robot/stop-watch.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function gateWith(more: Partial<ToolGateParts> = {}) {
  const clock = new ManualClock();
  const order: string[] = [];
  const gate = new ToolGate({
    runId: 'run',
    intent: {
      type: 'a/b',
      policy_ctx: { tenant: 'lab', principal: 'ada', roles: [], origin: 'cli' },
    } as unknown as Intent,
    clock,
    ids: new IdSource(
      () => 1,
      (length) => new Uint8Array(length),
    ),
    hooks: new PolicyGate(
      [
        {
          name: 'no',
          decide: async ({ subject }) => {
            order.push(`judged ${subject}`);
            return { decision: 'deny', reason: 'never' };
          },
        },
      ],
      clock,
    ),
    journal: new ToolJournal([]),
    signal: new AbortController().signal,
    emit: async (events) => void order.push(...events.map(({ kind }) => kind)),
    robotTime: () => undefined,
    unpaused: async () => {},
    stopRobot: async (reason) => void order.push(`stopped: ${reason}`),
    ...more,
  });
  const effect = (tool: string): Effect => ({
    ...{ tool, args: { reason: 'a child' }, effect: 'actuate', replay: 'safe', deadlineMs: 1_000 },
    work: async () => {
      order.push(`worked ${tool}`);
      return { result: { stopped: true } };
    },
  });
  return { gate, order, effect };
}

describe('a stop that an agent asks for', () => {
  it('is judged by nobody, while everything else is denied', async () => {
    const { gate, order, effect } = gateWith();
    await expect(gate.callTool(effect('robot.navigate'))).rejects.toMatchObject({ code: 'policy.denied' });
    order.length = 0;
    expect(await gate.callTool(effect('run.cancel'))).toEqual({ result: { stopped: true } });
    expect(order).toEqual(['tool.called', 'worked run.cancel', 'tool.returned']);
    order.length = 0;
    expect(await gate.callTool(effect('robot.stop'))).toEqual({ result: { stopped: true } });
    expect(order).toEqual(['stopped: a child', 'tool.called', 'worked robot.stop', 'tool.returned']);
  });

  it('stops the robot although the log is broken, the run is paused, or over', async () => {
    const broken = new EdgeError('log.failed', { operation: 'append', subject: 'log' });
    const logless = gateWith({ emit: () => Promise.reject(broken) });
    await expect(logless.gate.callTool(logless.effect('robot.stop'))).rejects.toBe(broken);
    expect(logless.order).toEqual(['stopped: a child']);
    const paused = gateWith({ unpaused: () => new Promise(() => {}) });
    void paused.gate.callTool(paused.effect('robot.stop'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(paused.order[0]).toBe('stopped: a child');
    const over = gateWith();
    over.gate.shut('the run is over');
    await expect(over.gate.callTool(over.effect('robot.stop'))).rejects.toMatchObject({
      code: 'run.cancelled',
    });
    expect(over.order).toEqual(['stopped: a child']);
  });

  it('stops no robot in a replay', async () => {
    const { gate, order, effect } = gateWith({ instead: async () => ({ result: { stopped: true } }) });
    await gate.callTool(effect('robot.stop'));
    expect(order).toEqual(['tool.called', 'tool.returned']);
  });
});

describe('runs under an emergency stop', () => {
  const ENGAGED: EStopState = {
    ...{ engaged: true, since_ns: '1', source: 'ros', by: '/emergency_stop', reason: '' },
  };

  function watchWith(answers: readonly EStopState[]) {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    const cancelled: string[] = [];
    let tell: (body: unknown) => void = () => {};
    bus.onBroadcast = (topic: string, listen: (body: unknown, from: 'execution') => void) => {
      if (topic === TOPICS.stopEngaged) tell = (body) => listen(body, 'execution');
    };
    const left = [...answers];
    bus.handle(METHODS.execution.estopState, async () => left.shift() ?? Promise.reject(new Error('down')));
    const watch = new StopWatch({
      ...{ bus, clock, report: () => {} },
      runtime: {
        status: () => ({
          runs: [
            { run_id: 'a', status: 'running' },
            { run_id: 'b', status: 'queued' },
            { run_id: 'c', status: 'succeeded' },
            { run_id: 'd', status: 'paused' },
          ],
        }),
        cancel: async (id: string, reason: string) => void cancelled.push(`${id}: ${reason}`),
      } as unknown as StopWatchParts['runtime'],
    });
    return { watch, clock, cancelled, tell: (state: EStopState) => tell(state) };
  }

  it('end, waiting ones first, so that a release begins nothing', () => {
    const { tell, cancelled } = watchWith([]);
    tell(ENGAGED);
    expect(cancelled.map((line) => line[0])).toEqual(['b', 'a', 'd']);
    expect(cancelled[0]).toContain('/emergency_stop (ros)');
  });

  it('end at a start under it, as soon as the cell that knows is there', async () => {
    const { watch, clock, cancelled } = watchWith([]);
    watch.start();
    await clock.advance(2_000);
    expect(cancelled).toEqual([]);
    watch.close();
    const late = watchWith([ENGAGED]);
    late.watch.start();
    await late.clock.advance(2_000);
    expect(late.cancelled).toHaveLength(3);
    const released = watchWith([{ ...ENGAGED, engaged: false }]);
    released.watch.start();
    await released.clock.advance(5_000);
    expect(released.cancelled).toEqual([]);
  });
});
