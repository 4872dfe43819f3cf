import { describe, expect, it } from 'vitest';
import { EdgeError, type PolicyHook, toWireTime } from '../../contract/index.ts';
import { AutoStart } from '../../daemon/runtime/schedule/auto-start.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

const FULL = new EdgeError('log.failed', { operation: 'append', subject: 'disk', message: 'disk full' });

/** A host whose daemon and whose runtime cell start again and again; the disk and the clock stay. */
class Host {
  readonly clock = new ManualClock();
  readonly disk = new MemoryLogDisk();
  readonly #more: Partial<RigOptions>;
  /** What the mission does in the next life of the cell. */
  work: Work = async () => ({});
  rig!: RuntimeRig;
  #start!: AutoStart;
  #started = '';
  #attempt = 0;

  constructor(more: Partial<RigOptions> = {}) {
    this.#more = more;
  }

  /** The daemon starts, after a power cut where one ran. */
  async daemon(): Promise<void> {
    await this.clock.advance(1_000);
    this.#started = toWireTime(this.clock.now());
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
    this.rig = new RuntimeRig({
      ...{ apps: [agentApp('talk')], robot: new FakeRobot({ cells: 4 }), disk, clock, ...this.#more },
      options: agents({ talk: work }),
    });
    const { cell, context } = this.rig;
    const told = { pid: 1, attempt: this.#attempt, reason: 'test', version: '1' };
    await context.emit([{ kind: 'cell.started', payload: told }]);
    await cell.start();
    this.#start = new AutoStart({
      ...{ type: 'talk/go', robot: 'robot', started: this.#started, clock, runtime: cell },
      reader: context.log.reader(),
      report: (_level, message) => this.rig.reports.push(message),
    });
  }

  /** What comes last in the start of a cell. */
  async send(): Promise<void> {
    await this.#start.start();
    await this.passing(10_000);
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
});
