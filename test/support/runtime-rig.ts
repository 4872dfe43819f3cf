import {
  type AgentEvent,
  type Application,
  type CellContext,
  type EventLog,
  IdSource,
  type NewEvent,
  type PolicyContext,
  type PolicyHook,
  type Robot,
} from '../../contract/index.ts';
import { RuntimeCell } from '../../daemon/runtime/runtime-cell.ts';
import type { RuntimeOptions } from '../../daemon/runtime/runtime-options.ts';
import { FakeBus, serveRobot } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';

export const PERSON: PolicyContext = { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'cli' };

/** Where a log stops answering: `before` the n-th append is written, or `after` it. */
export type Cut = { readonly append: number; readonly when: 'before' | 'after' };

/** A log whose process dies at a chosen append: nothing is answered from there on. */
class CutLog implements EventLog {
  readonly #log: MemoryEventLog;
  readonly #cut: Cut | undefined;
  /** Events of each append, in order. */
  readonly sizes: number[] = [];
  died = false;

  constructor(log: MemoryEventLog, cut: Cut | undefined) {
    this.#log = log;
    this.#cut = cut;
  }

  async append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
    const number = this.sizes.push(events.length);
    const dies = this.#cut?.append === number;
    if (this.died || (dies && this.#cut?.when === 'before')) return await this.#die();
    const written = await this.#log.append(events);
    return dies || this.died ? await this.#die() : written;
  }

  #die(): Promise<never> {
    this.died = true;
    return new Promise(() => {});
  }

  reader() {
    return this.#log.reader();
  }
  verify() {
    return this.#log.verify();
  }
  close() {
    return this.#log.close();
  }
}

export type RigOptions = {
  readonly apps: readonly Application[];
  readonly robot: Robot;
  readonly hooks?: readonly PolicyHook[];
  readonly disk?: MemoryLogDisk;
  readonly cut?: Cut;
  readonly clock?: ManualClock;
  readonly options?: Partial<RuntimeOptions>;
};

/** A runtime cell with everything around it in memory. `dead()` tells whether its cut has come. */
export class RuntimeRig {
  readonly clock: ManualClock;
  readonly bus: FakeBus;
  readonly disk: MemoryLogDisk;
  readonly cell: RuntimeCell;
  /** What the cell was made with, for what stands beside it. */
  readonly context: CellContext;
  readonly reports: string[] = [];
  readonly #log: CutLog;

  constructor(options: RigOptions) {
    this.clock = options.clock ?? new ManualClock();
    this.bus = new FakeBus(this.clock);
    serveRobot(this.bus, options.robot);
    this.disk = options.disk ?? new MemoryLogDisk();
    // A killed process lets go of its log.
    this.disk.writer = undefined;
    const log = new MemoryEventLog({ cell: 'runtime', clock: this.clock, disk: this.disk });
    this.#log = new CutLog(log, options.cut);
    const floor = this.disk.events.length;
    let counter = 0;
    const ids = new IdSource(
      () => Number(this.clock.now() / 1_000_000n) + floor,
      (length) => new Uint8Array(length).fill(++counter),
    );
    const context: CellContext = {
      name: 'runtime',
      clock: this.clock,
      log: this.#log,
      bus: this.bus,
      dataDir: '',
      attempt: 0,
      startReason: 'test',
      report: (_level, message, facts) => this.reports.push(`${message} ${JSON.stringify(facts)}`),
      emit: async (events) => {
        await this.#log.append(events);
      },
    };
    this.context = context;
    const { apps, hooks = [] } = options;
    this.cell = new RuntimeCell(context, { robot: 'robot', apps, hooks, ids, ...options.options });
  }

  get events(): readonly AgentEvent[] {
    return this.disk.events;
  }

  /** How many events each append so far had. */
  get appends(): readonly number[] {
    return this.#log.sizes;
  }

  get dead(): boolean {
    return this.#log.died;
  }

  of<K extends AgentEvent['kind']>(kind: K): AgentEvent<K>[] {
    return this.events.filter((event) => event.kind === kind) as AgentEvent<K>[];
  }

  /** Lets promises settle, and time pass where nothing else happens, until `done` or the log is dead. */
  async until(done: () => boolean, what: string): Promise<void> {
    let quiet = 0;
    for (let turns = 0; turns < 200_000; turns++) {
      if (done() || this.dead) return;
      const before = this.events.length + this.bus.asked.length;
      for (let i = 0; i < 50; i++) await Promise.resolve();
      // Some harnesses wait for a turn of the event loop.
      if (quiet % 8 === 4) await new Promise((resolve) => setImmediate(resolve));
      if (this.events.length + this.bus.asked.length !== before) quiet = 0;
      // A drive takes many turns of the fake robot; time passes only when nothing has moved for long.
      else if (++quiet > 100) await this.clock.advance(100);
    }
    throw new Error(`it never came to: ${what}`);
  }

  finished(): Promise<void> {
    return this.until(
      () => this.of('run.finished').length > 0 && this.cell.status().runs.length === 0,
      'run.finished',
    );
  }
}
