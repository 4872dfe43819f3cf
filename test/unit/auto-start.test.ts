import { describe, expect, it } from 'vitest';
import { EdgeError, type EventReader, type PolicyHook } from '../../contract/index.ts';
import { AutoStart } from '../../daemon/runtime/schedule/auto-start.ts';
import { newStart } from '../../daemon/settings.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';
import { uuid } from '../support/tiny-log.ts';

const FULL = new EdgeError('log.failed', { operation: 'append', subject: 'disk', message: 'disk full' });

/** A host whose daemon and whose runtime cell start again and again; the disk and the clock stay. */
class Host {
  readonly clock = new ManualClock();
  readonly disk = new MemoryLogDisk();
  readonly #more: Partial<RigOptions>;
  /** What the mission does in the next life of the cell. */
  work: Work = async () => ({});
  rig!: RuntimeRig;
  /** The most rows that were read of one run at a time. */
  rowsOfRun = 0;
  #start!: AutoStart;
  #name = '';
  #started = '';
  #attempt = 0;

  constructor(more: Partial<RigOptions> = {}) {
    this.#more = more;
  }

  /** The daemon starts, after a power cut where one ran. */
  async daemon(): Promise<void> {
    await this.clock.advance(1_000);
    const { name, ts } = newStart(this.clock.now(), 'talk/go');
    this.#name = name;
    this.#started = ts;
    this.#attempt = 0;
    await this.#cell();
  }

  /** The cell dies and is started anew by the same daemon. */
  async restart(): Promise<void> {
    this.#attempt += 1;
    await this.#cell();
  }

  async #cell(): Promise<void> {
    if (this.rig) await this.#start.stop();
    const { disk, clock, work } = this;
    const { apps = [agentApp('talk')], ...more } = this.#more;
    this.rig = new RuntimeRig({
      ...{ apps, robot: new FakeRobot({ cells: 4 }), disk, clock, ...more },
      options: agents({ talk: work }),
    });
    const { cell, context } = this.rig;
    const told = { pid: 1, attempt: this.#attempt, reason: 'test', version: '1' };
    await context.emit([{ kind: 'cell.started', payload: told }]);
    await cell.start();
    this.#start = new AutoStart({
      ...{ type: 'talk/go', robot: 'robot', start: this.#name, started: this.#started },
      ...{ deadlineMs: apps[0]!.deadlineMs, clock, runtime: cell },
      reader: this.#watched(context.log.reader()),
      report: (_level, message) => this.rig.reports.push(message),
    });
  }

  #watched(reader: EventReader): Pick<EventReader, 'read' | 'cutThrough'> {
    return {
      cutThrough: () => reader.cutThrough!(),
      read: (after, limit, filter) => {
        const events = reader.read(after, limit, filter);
        if (filter?.runId !== undefined) this.rowsOfRun = Math.max(this.rowsOfRun, events.length);
        return events;
      },
    };
  }

  /** What comes last in the start of a cell, which does not wait for it. */
  async send(): Promise<void> {
    this.#start.start();
    await this.passing(10_000);
  }

  /** Runs that somebody else asked for and that are over. */
  async others(count: number): Promise<void> {
    const { context } = this.rig;
    for (let n = 1; n <= count; n++) {
      const intent = {
        ...{ intent_id: uuid(50_000 + n), type: 'talk/go', params: {} },
        ...{ policy_ctx: PERSON, targets: [], priority: 5 },
      };
      const queued = { intent_id: intent.intent_id, app: 'talk', harness: 'pi' } as const;
      const finished = { status: 'succeeded', reason: 'done', summary: {} } as const;
      await context.emit([
        { kind: 'intent.accepted', run_id: uuid(n), payload: { app: 'talk', intent } },
        { kind: 'run.queued', run_id: uuid(n), payload: queued },
        { kind: 'run.finished', run_id: uuid(n), payload: finished },
      ]);
    }
  }

  async passing(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 500) {
      await this.clock.advance(500);
      for (let i = 0; i < 40; i++) await Promise.resolve();
    }
  }

  /** Of each mission of this robot, in order. */
  get missions(): string[] {
    return this.rig
      .of('intent.accepted')
      .filter(({ payload }) => payload.intent.policy_ctx.principal === 'robot')
      .map(({ run_id }) => this.rig.cell.run(run_id!).run.status);
  }
}

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
