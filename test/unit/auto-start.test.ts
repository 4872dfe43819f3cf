import { describe, expect, it } from 'vitest';
import { EdgeError, type PolicyHook, pause, TOPICS } from '../../contract/index.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';
import { agentApp, forever } from '../support/agent-app.ts';
import { AutoStartHost as Host } from '../support/auto-start-host.ts';
import { PERSON } from '../support/runtime-rig.ts';
import { plainTool, withTools } from '../support/stop-scope-rig.ts';

const FULL = new EdgeError('log.failed', { operation: 'append', subject: 'disk', message: 'disk full' });

describe('runs.auto_start', () => {
  it('begins the mission once at each start of the daemon, however often its cell starts', async () => {
    const host = new Host();
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['succeeded', 'succeeded']);
  });

  it('is not begun a second time where the log of its start was cut', async () => {
    const host = new Host();
    for (const starts of [1, 2]) {
      await host.daemon();
      await host.send();
      expect(host.missions).toEqual(['succeeded']);
      host.disk.cut(host.disk.events.at(-1)!.seq);
      await host.restart();
      await host.send();
      expect([starts, ...host.missions]).toEqual([starts]);
    }
  });

  it('is begun where only what was before its start is cut, also when its first process wrote nothing', async () => {
    const host = new Host();
    await host.daemon();
    await host.send();
    await host.daemon();
    await host.send();
    const { seq } = host.disk.events.findLast(({ kind }) => kind === 'cell.started')!;
    host.disk.cut(seq - 1);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
    await host.daemon();
    const started = host.disk.events.findLastIndex(({ kind }) => kind === 'cell.started');
    host.disk.events.splice(started);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded', 'succeeded']);
  });

  it('adds none to a mission that a power cut left unfinished, nor when that is done', async () => {
    const host = new Host();
    host.work = forever;
    await host.daemon();
    await host.send();
    for (let cuts = 0; cuts < 3; cuts++) {
      await host.daemon();
      await host.send();
      expect(host.missions).toEqual(['running']);
    }
    host.work = async ({ robot }) => {
      await robot.maneuver({ kind: 'wait', durationMs: 5_000 });
      return {};
    };
    await host.daemon();
    await host.send();
    await host.rig.until(() => host.missions[0] === 'succeeded', 'the mission is done');
    await host.passing(10_000);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });

  it('begins anew where the mission cannot go on after the cut, and only once', async () => {
    const host = new Host({ apps: [agentApp('talk', { afterCut: 'fail' })] });
    host.work = forever;
    await host.daemon();
    await host.send();
    host.work = async () => ({});
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['failed', 'succeeded']);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['failed', 'succeeded']);
  });

  it('begins anew where the time of the mission ran out while the power was off', async () => {
    const host = new Host({ apps: [agentApp('talk', { deadlineMs: 60_000 })] });
    host.work = forever;
    await host.daemon();
    await host.send();
    host.clock.skip(3_600_000);
    host.work = forever;
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['failed', 'running']);
  });

  it('is sent by the next process of a cell that died before it sent it', async () => {
    const host = new Host();
    await host.daemon();
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });

  it('is tried again until the log takes it, and then there is one', async () => {
    const host = new Host();
    await host.daemon();
    host.disk.fault = FULL;
    await host.send();
    expect(host.missions).toEqual([]);
    expect(host.rig.reports.filter((one) => one.startsWith('runs.auto_start'))).toEqual([
      'runs.auto_start: disk full; it is tried again',
    ]);
    host.disk.fault = undefined;
    await host.passing(10_000);
    expect(host.missions).toEqual(['succeeded']);
  });

  it('is told and left when it is denied', async () => {
    const denies: PolicyHook = {
      name: 'night',
      decide: async () => ({ decision: 'deny', reason: 'not at night' }),
    };
    const host = new Host({ hooks: [denies] });
    await host.daemon();
    await host.send();
    expect(host.rig.of('intent.refused')).toHaveLength(1);
    expect(host.rig.reports.join()).toMatch(/runs\.auto_start: .*not at night/);
  });

  /** Late for the first `times` questions, and then it decides. */
  const lateHook = (times: number, decision: 'allow' | 'deny', clock: () => ManualClock): PolicyHook => {
    let asked = 0;
    return {
      name: 'busy',
      decide: async () => {
        if (++asked <= times) await pause(clock(), 5_000);
        return { decision, reason: 'not at night' };
      },
    };
  };
  const refusals = ({ rig }: Host) => rig.of('intent.refused').map(({ payload }) => payload.error);
  const words = ({ rig }: Host) => rig.reports.filter((one) => one.startsWith('runs.auto_start'));

  it('is tried again where a policy hook gave no answer in time, after growing pauses, and begins once', async () => {
    const host: Host = new Host({ hooks: [lateHook(3, 'allow', () => host.clock)] });
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual([]);
    expect(refusals(host)[0]).toMatchObject({ code: 'policy.denied', retryable: true });
    expect(host.start.view()).toMatchObject({ state: 'waiting', intent: 'talk/go' });
    // Tries at 0, 4, 11 and 24 s: each waits for its hook for 1 s.
    await host.passing(12_000);
    expect([refusals(host).length, ...host.missions]).toEqual([3]);
    await host.passing(5_000);
    expect(host.missions).toEqual(['succeeded']);
    expect(words(host).slice(0, 3)).toEqual([
      expect.stringMatching(/no answer within 1000 ms.*try 1 of 10, the next in 3 s/),
      expect.stringMatching(/try 2 of 10, the next in 6 s/),
      expect.stringMatching(/try 3 of 10, the next in 12 s/),
    ]);
    expect(host.start.view()).toBeUndefined();
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });

  it('is not tried again after a stop', async () => {
    const host: Host = new Host({ hooks: [lateHook(3, 'allow', () => host.clock)] });
    await host.daemon();
    await host.send();
    expect(host.start.view()).toMatchObject({ state: 'waiting' });
    host.rig.cell.stops.note();
    await host.passing(120_000);
    expect(host.missions).toEqual([]);
    expect(host.start.view()).toMatchObject({
      state: 'ended',
      reason: 'the robot was stopped before it started',
    });
  });

  it.each([
    ['an agent that reads', 'the agent of a run', ['robot.state'], ['succeeded']],
    ['an agent that moves', 'the agent of a run', ['robot.*'], []],
    ['an agent that reads', 'a person', ['robot.state'], []],
  ])('of %s, after a stop of %s', async (_, who, tools, missions) => {
    const apps = [withTools('talk', tools)];
    const host: Host = new Host({ apps, hooks: [lateHook(3, 'allow', () => host.clock)] });
    host.tools = [plainTool('robot.state', 'read'), plainTool('robot.maneuver', 'actuate')];
    await host.daemon();
    await host.send();
    expect(host.start.view()).toMatchObject({ state: 'waiting' });
    const run = who === 'a person' ? {} : { run: 'r' };
    host.rig.bus.tell(TOPICS.robotStopped, { atMs: host.clock.monotonicMs(), ...run });
    await host.passing(120_000);
    expect(host.missions).toEqual(missions);
    expect(host.start.view()?.state).toBe(missions.length > 0 ? undefined : 'ended');
  });

  it('stays denied where the hook that was late denies in the end', async () => {
    const host: Host = new Host({ hooks: [lateHook(1, 'deny', () => host.clock)] });
    await host.daemon();
    await host.send();
    await host.passing(120_000);
    expect(refusals(host)).toMatchObject([{ retryable: true }, { retryable: false }]);
    expect(words(host).at(-1)).toMatch(/not at night$/);
  });

  it('ends after ten tries where no policy answers, says so, and the next process tries again', async () => {
    const host: Host = new Host({ hooks: [lateHook(10, 'allow', () => host.clock)] });
    await host.daemon();
    await host.send();
    await host.passing(900_000);
    expect(host.missions).toEqual([]);
    expect(refusals(host)).toHaveLength(10);
    expect(words(host).at(-1)).toMatch(/no policy answered in 10 tries; it is not tried again/);
    expect(host.start.view()).toMatchObject({ state: 'ended', tries: 10 });
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });

  it('counts no mission of the same type that somebody else asked for', async () => {
    const host = new Host();
    host.work = forever;
    await host.daemon();
    await host.rig.cell.submit({ type: 'talk/go' }, PERSON);
    await host.send();
    expect(host.missions).toEqual(['queued']);
  });

  it('sends none after the end of a mission that somebody cancelled, although it was of an earlier start', async () => {
    const host = new Host();
    host.work = forever;
    await host.daemon();
    await host.send();
    await host.daemon();
    await host.send();
    const { run_id } = host.rig.of('intent.accepted')[0]!;
    const cancelled = host.rig.cell.cancel(run_id!, 'enough');
    await host.passing(10_000);
    await cancelled;
    expect(host.missions).toEqual(['cancelled']);
  });

  it('has a name that no other start has, whatever the clock shows', async () => {
    const host = new Host();
    const boot = host.clock.now();
    for (let starts = 0; starts < 2; starts++) {
      host.clock.jumpWall(boot - host.clock.now());
      await host.daemon();
      await host.send();
    }
    expect(host.missions).toEqual(['succeeded', 'succeeded']);
  });

  it('looks through what ended since the start page by page, and reads one row of each run', async () => {
    const host = new Host();
    await host.daemon();
    await host.others(450);
    await host.restart();
    await host.send();
    // The heart has to beat between two pages.
    expect(host.missions).toEqual([]);
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    await host.passing(1_000);
    expect(host.missions).toEqual(['succeeded']);
    expect(host.rowsOfRun).toBe(1);
  });

  it('begins none after the time of a mission that went on has run out, such as one that a person paused', async () => {
    const host = new Host({ apps: [agentApp('talk', { deadlineMs: 60_000 })] });
    host.work = forever;
    await host.daemon();
    await host.send();
    const { run_id } = host.rig.of('intent.accepted')[0]!;
    await host.rig.cell.control.pause(run_id!, 'somebody is at the robot');
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['paused']);
    await host.passing(60_000);
    expect(host.missions).toEqual(['failed']);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['failed']);
  });

  it('stays denied until the next start of the daemon, although its cell starts anew and policies allow it', async () => {
    let decision: 'allow' | 'deny' = 'deny';
    const host = new Host({ hooks: [{ name: 'night', decide: async () => ({ decision, reason: '' }) }] });
    await host.daemon();
    await host.send();
    decision = 'allow';
    await host.restart();
    await host.send();
    expect(host.missions).toEqual([]);
    await host.daemon();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });

  it('is sent although it was refused for now, or what somebody else asked for was denied', async () => {
    const host = new Host();
    await host.daemon();
    const error = (code: 'cell.unavailable' | 'policy.denied') =>
      new EdgeError(code, { operation: 'submit', subject: 'talk/go' }).toBody();
    const judged = { hook: 'cedar', point: 'intent', subject: 'talk/go', decision: 'deny' } as const;
    const request = { principal: { tenant: 'lab', id: 'ada', origin: 'cli' } };
    await host.rig.context.emit([
      { kind: 'intent.refused', payload: { type: 'talk/go', error: error('cell.unavailable') } },
      { kind: 'policy.decided', payload: { ...judged, reason: '', duration_us: 1, request } },
      { kind: 'intent.refused', payload: { type: 'talk/go', error: error('policy.denied') } },
      { kind: 'intent.refused', payload: { type: 'talk/else', error: error('policy.denied') } },
    ]);
    await host.restart();
    await host.send();
    expect(host.missions).toEqual(['succeeded']);
  });
});
