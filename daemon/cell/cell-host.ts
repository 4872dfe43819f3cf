import {
  type Cell,
  type CellContext,
  type CellName,
  type Clock,
  EdgeError,
  type EventLog,
  type EventPayload,
  LIMITS,
  REPORT_BYTES_MAX,
  type Timer,
  TOPICS,
  withDeadline,
} from '../../contract/core.ts';
import type { Handoff } from './handoff.ts';
import { MessageBus } from './message-bus.ts';
import { messageBytes } from './message-size.ts';
import type { FromCell, MakeOrder, StartOrder, ToCell } from './wire.ts';

export type CellHostOptions = {
  readonly name: CellName;
  readonly clock: Clock;
  readonly dataDir: string;
  readonly version: string;
  readonly pid: number;
  /** The simulated world that this cell meets: what makes its runs repeatable. */
  readonly sim?: EventPayload<'cell.started'>['sim'];
  readonly post: (message: FromCell) => void;
  /** For large bodies to cells in other processes; absent: the cells are in this process. */
  readonly handoff?: Handoff;
  readonly rssBytes: () => number;
  /** Opens the cell's own log; the first thing a cell needs. */
  openLog(): Promise<EventLog>;
  /** Builds the cell from its ports: the composition root. */
  compose(context: CellContext): Promise<Cell>;
};

/** A cell that gets the stop while it is made has this long to finish starting, milliseconds. */
const MAKING_MS = 1_000;
/** The size of the process is read from the kernel once a second. */
const BEATS_PER_MEMORY_LOOK = 1_000 / LIMITS.HEARTBEAT_MS;
/** The last event and the end of the log; a disk that does not respond does not keep the process, milliseconds. */
const LOG_CLOSE_MS = 1_000;

/** Carries one cell: starts and stops it on order, beats its heart, routes its messages. */
export class CellHost {
  readonly #options: CellHostOptions;
  readonly #bus: MessageBus;
  #cell: Cell | undefined;
  #log: EventLog | undefined;
  #heart: Timer | undefined;
  #beats = 0;
  #rssBytes = 0;
  #stopping: Promise<void> | undefined;
  /** Rejects when the cell cannot be made: the start reports why. */
  #making: Promise<void> | undefined;

  constructor(options: CellHostOptions) {
    this.#options = options;
    this.#bus = new MessageBus(options.name, options.clock, options.post, options.handoff);
    this.#beat();
    this.#heart = options.clock.every(LIMITS.HEARTBEAT_MS, () => this.#beat());
  }

  async receive(message: ToCell): Promise<void> {
    if (message.t === 'make') return void this.#madeBy(message);
    if (message.t === 'start') return this.#start(message);
    if (message.t === 'stop') return this.stop('asked to');
    return this.#bus.receive(message);
  }

  async #start(order: StartOrder): Promise<void> {
    const { name, post } = this.#options;
    if (this.#stopping) return;
    try {
      await this.#madeBy(order);
      // Stopped in the meantime: nothing starts.
      if (this.#stopping) return;
      await this.#cell!.start();
      if (!this.#stopping) post({ t: 'started' });
    } catch (error) {
      post({ t: 'failed', error: EdgeError.from(error, 'internal.fault', 'start cell', name).toBody() });
    }
  }

  /** The cell is made once, before its start: cells are made side by side and start one after the other. */
  #madeBy(order: MakeOrder | StartOrder): Promise<void> {
    if (this.#stopping && !this.#making) return Promise.resolve();
    this.#making ??= this.#make(order);
    this.#making.catch(() => {});
    return this.#making;
  }

  /** The log first: it says that the cell starts before anything else can fail. */
  async #make(order: MakeOrder | StartOrder): Promise<void> {
    const { pid, version, sim } = this.#options;
    const { attempt, reason } = order;
    const log = await this.#options.openLog();
    this.#log = log;
    const context = this.#context(order, log);
    await context.emit([
      { kind: 'cell.started', payload: { pid, attempt, reason, version, ...(sim ? { sim } : {}) } },
    ]);
    this.#cell = await this.#options.compose(context);
  }

  #context(order: MakeOrder | StartOrder, log: EventLog): CellContext {
    const { name, clock, post, dataDir } = this.#options;
    return {
      name,
      clock,
      log,
      bus: this.#bus,
      dataDir,
      attempt: order.attempt,
      startReason: order.reason,
      report: (level, text, facts = {}) => post({ t: 'report', level, ...reported(text, facts) }),
      emit: async (events) => {
        const appended = await log.append(events);
        const last = appended.at(-1);
        if (last) this.#bus.broadcast(TOPICS.logGrew, { lastSeq: last.seq });
      },
    };
  }

  /** Stops the cell without a supervisor to carry messages: no answer is waited for. */
  orphaned(): Promise<void> {
    this.#bus.close();
    return this.stop('the supervisor is gone');
  }

  /** Stops the cell, then closes its log; settles within the shutdown limit and may be called twice. */
  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stopOnce(reason);
    return this.#stopping;
  }

  async #stopOnce(reason: string): Promise<void> {
    const { clock, name, post } = this.#options;
    const report = (error: unknown) =>
      post({
        t: 'report',
        level: 'error',
        message: `stop: ${error instanceof Error ? error.message : String(error)}`,
        facts: {},
      });
    try {
      const made = this.#making?.catch(() => {});
      if (made) await withDeadline(clock, MAKING_MS, made, 'make cell', name);
      if (this.#cell)
        await withDeadline(clock, LIMITS.SHUTDOWN_MS - 1_000, this.#cell.stop(), 'stop cell', name);
    } catch (error) {
      report(error);
    }
    this.#bus.close();
    try {
      const last = this.#log?.append([{ kind: 'cell.stopped', payload: { reason } }]);
      const closed = last?.finally(() => this.#log?.close());
      if (closed) await withDeadline(clock, LOG_CLOSE_MS, closed, 'close log', name);
    } catch (error) {
      report(error);
    }
    this.#heart?.cancel();
    post({ t: 'stopped' });
  }

  #beat(): void {
    if (this.#beats++ % BEATS_PER_MEMORY_LOOK === 0) this.#rssBytes = this.#options.rssBytes();
    this.#options.post({ t: 'heartbeat', work: this.#cell?.work() ?? [], rssBytes: this.#rssBytes });
  }
}

/** One line for operators, however much its facts hold. */
function reported(text: string, facts: Readonly<Record<string, unknown>>) {
  const message = text.slice(0, REPORT_BYTES_MAX);
  const bytes = messageBytes(facts, REPORT_BYTES_MAX);
  return {
    message,
    facts: bytes > REPORT_BYTES_MAX ? { left_out: 'facts', above_bytes: REPORT_BYTES_MAX } : facts,
  };
}
