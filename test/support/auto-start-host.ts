import type { EventReader, Tool } from '../../contract/index.ts';
import { AutoStart } from '../../daemon/runtime/schedule/auto-start.ts';
import { newStart } from '../../daemon/settings.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { agentApp, agents, type Work } from './agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from './runtime-rig.ts';
import { uuid } from './tiny-log.ts';

/** A host whose daemon and whose runtime cell start again and again; the disk and the clock stay. */
export class AutoStartHost {
  readonly clock = new ManualClock();
  readonly disk = new MemoryLogDisk();
  readonly #more: Partial<RigOptions>;
  /** What the mission does in the next life of the cell. */
  work: Work = async () => ({});
  tools: readonly Tool[] = [];
  rig!: RuntimeRig;
  /** The most rows that were read of one run at a time. */
  rowsOfRun = 0;
  start!: AutoStart;
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
    if (this.rig) await this.start.stop();
    const { disk, clock, work } = this;
    const { apps = [agentApp('talk')], ...more } = this.#more;
    this.rig = new RuntimeRig({
      ...{ apps, robot: new FakeRobot({ cells: 4 }), disk, clock, ...more },
      options: { ...agents({ talk: work }), tools: () => this.tools },
    });
    const { cell, context } = this.rig;
    const told = { pid: 1, attempt: this.#attempt, reason: 'test', version: '1' };
    await context.emit([{ kind: 'cell.started', payload: told }]);
    await cell.start();
    this.start = new AutoStart({
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
    this.start.start();
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
