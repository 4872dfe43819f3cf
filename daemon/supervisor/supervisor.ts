import {
  type CellName,
  type CellReport,
  type Clock,
  EdgeError,
  LIMITS,
  type ProcessProbe,
  type Timer,
  TOPICS,
} from '../../contract/core.ts';
import type { FromCell, Request, Response } from '../cell/wire.ts';
import type { SpawnCell } from './cell-process.ts';
import { SupervisedCell } from './supervised-cell.ts';

/** Started first to last, stopped last to first. */
export const START_ORDER: readonly CellName[] = ['execution', 'memory', 'runtime', 'link'];

/** From the order to stop to a robot that stands: ending the runs, which stop it, milliseconds. */
const RUNTIME_STOP_MS = 3_000;
/** A cell that is started again has this long to flush and, if it moves the robot, to stop it, milliseconds. */
const RENEW_STOP_MS = LIMITS.SHUTDOWN_MS;
/** A cell that stops late still gets this long to flush, milliseconds. */
const FLUSH_MS = 500;

/** Four heartbeats missed, milliseconds. */
const DEAF_MS = 4 * LIMITS.HEARTBEAT_MS;

/** Deaths in a row after which a cell that is down is not expected to come back: half a minute of back-off. */
const DEATHS_UNTIL_HOPELESS = 7;

/** Status text for the service manager. */
export type Notifier = {
  ready(status: string): void;
  status(text: string): void;
  reloading(): void;
  watchdog(): void;
  stopping(): void;
};

export type Report = (
  level: 'debug' | 'info' | 'warn' | 'error',
  cell: string,
  message: string,
  facts: Readonly<Record<string, unknown>>,
) => void;

export type SupervisorOptions = {
  readonly clock: Clock;
  readonly spawn: SpawnCell;
  readonly probe?: ProcessProbe;
  readonly notify: Notifier;
  readonly report: Report;
  /** Half of what systemd waits for a ping; 0 without a watchdog. */
  readonly watchdogMs: number;
};

/** Starts the cells, carries their messages, brings the dead back, stops everything in reverse. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #cells = new Map<CellName, SupervisedCell>();
  /** Requests on their way: caller and answerer, so that a death answers them. By an id that is given once only. */
  readonly #open = new Map<number, Request>();
  #nextId = 1;
  readonly #timers: Timer[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    for (const name of START_ORDER) {
      this.#cells.set(
        name,
        new SupervisedCell({
          name,
          clock: options.clock,
          spawn: options.spawn,
          probe: options.probe,
          onMessage: (message) => this.#receive(name, message),
          onChange: (report) => this.#changed(report),
          onStarved: (silentMs, starvedMs) =>
            options.report('warn', name, 'the host gives it too little CPU time', {
              silentMs: Math.round(silentMs),
              starvedMs: Math.round(starvedMs),
            }),
        }),
      );
    }
  }

  /** Resolves when every cell is up or has failed its first start; the failed ones are tried on. */
  async start(): Promise<readonly CellReport[]> {
    for (const cell of this.#cells.values()) cell.boot();
    const reports: CellReport[] = [];
    for (const cell of this.#cells.values()) {
      if (this.#stopping) return reports;
      reports.push(await this.#startWithin(cell));
    }
    if (this.#stopping) return reports;
    this.#timers.push(this.#options.clock.every(1_000, () => this.#tellStates()));
    if (this.#options.watchdogMs > 0)
      this.#timers.push(this.#options.clock.every(this.#options.watchdogMs, () => this.#pingWatchdog()));
    this.#options.notify.ready(this.summary());
    this.#tellStates();
    return reports;
  }

  /** A cell that is slow to start does not keep the later ones from theirs. */
  #startWithin(cell: SupervisedCell): Promise<CellReport> {
    return this.#within(cell.start(), cell.name);
  }

  #within(started: Promise<CellReport>, name: CellName): Promise<CellReport> {
    return new Promise((resolve) => {
      const late = () => resolve(this.#cells.get(name)!.report());
      const timer = this.#options.clock.after(LIMITS.CELL_START_MS, late);
      void started.then((report) => {
        timer.cancel();
        resolve(report);
      });
    });
  }

  /** Sends to every cell that is up. */
  tell(topic: string, body: unknown): void {
    for (const cell of this.#cells.values()) cell.post({ t: 'broadcast', from: 'supervisor', topic, body });
  }

  /**
   * One cell after the other, so that what does not change keeps running. The robot stands while execution does.
   */
  async renew(names: readonly CellName[], reason: string): Promise<readonly CellReport[]> {
    const reports: CellReport[] = [];
    for (const name of names) {
      if (this.#stopping) break;
      reports.push(await this.#within(this.#cells.get(name)!.renew(reason, RENEW_STOP_MS), name));
    }
    return reports;
  }

  reports(): CellReport[] {
    return [...this.#cells.values()].map((cell) => cell.report());
  }

  /**
   * In reverse order, everything flushed, within the shutdown limit; may be called twice. The robot first: it
   * stands when the runtime cell has ended its runs, and that waits for nothing.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce();
    return this.#stopping;
  }

  async #stopOnce(): Promise<void> {
    this.#options.notify.stopping();
    for (const timer of this.#timers) timer.cancel();
    const start = this.#options.clock.monotonicMs();
    const leftMs = () =>
      Math.max(FLUSH_MS, LIMITS.SHUTDOWN_MS - FLUSH_MS - (this.#options.clock.monotonicMs() - start));
    const stop = (name: CellName, limitMs = Infinity) =>
      this.#cells.get(name)!.stop(Math.min(limitMs, leftMs()));
    const link = stop('link');
    // A runtime cell that was not started yet has no runs: nothing waits for what it loads.
    const hasRuns = this.#cells.get('runtime')!.isOrdered;
    const runtime = stop('runtime', RUNTIME_STOP_MS);
    if (hasRuns) await runtime;
    await Promise.all([link, runtime, stop('memory'), stop('execution')]);
  }

  /**
   * For an exit without waiting: cells that hang are killed. The others flush and end on their own as
   * soon as this process is gone.
   */
  abandon(): void {
    for (const cell of this.#cells.values()) cell.killIfSilent(DEAF_MS);
  }

  #receive(from: CellName, message: FromCell): void {
    const cell = this.#cells.get(from)!;
    if (message.t === 'booted') cell.booted();
    else if (message.t === 'report')
      this.#options.report(message.level, from, message.message, message.facts);
    else if (message.t === 'request') this.#route({ ...message, from });
    else if (message.t === 'response') this.#answer(from, message);
    else if (message.t === 'broadcast') {
      for (const [name, other] of this.#cells) if (name !== from) other.post({ ...message, from });
    }
  }

  #route(request: Request): void {
    const id = this.#nextId++;
    if (this.#cells.get(request.to)?.post({ ...request, id })) {
      this.#open.set(id, request);
      return;
    }
    this.#refuse(
      request,
      new EdgeError('cell.unavailable', {
        operation: request.method,
        subject: request.to,
        message: `the ${request.to} cell is not running`,
      }),
    );
  }

  /** An answer for a process that is gone goes nowhere: its successor counts its requests from the start again. */
  #answer(from: CellName, response: Response): void {
    const request = this.#open.get(response.id);
    if (request?.to !== from) return;
    this.#open.delete(response.id);
    this.#cells.get(request.from)?.post({ ...response, id: request.id, to: request.from });
  }

  #refuse(request: Request, error: EdgeError): void {
    this.#cells
      .get(request.from)
      ?.post({ t: 'response', id: request.id, to: request.from, ok: false, body: error.toBody() });
  }

  #changed(report: CellReport): void {
    const level = report.state === 'down' || report.state === 'failed' ? 'warn' : 'info';
    this.#options.report(level, report.name, report.state, {
      pid: report.pid,
      restarts: report.restarts,
      reason: report.reason,
    });
    if (report.state === 'down' || report.state === 'failed' || report.state === 'stopped')
      this.#settleOpen(report.name);
    this.#tellStates();
    this.#options.notify.status(this.summary());
  }

  /** Callers of a dead cell get their answer now, not at their deadline; requests of the dead are forgotten. */
  #settleOpen(dead: CellName): void {
    for (const [id, request] of [...this.#open]) {
      if (request.to !== dead && request.from !== dead) continue;
      this.#open.delete(id);
      if (request.to === dead) {
        this.#refuse(
          request,
          new EdgeError('cell.restarted', {
            operation: request.method,
            subject: dead,
            message: `the ${dead} cell ended while it handled this request`,
          }),
        );
      }
    }
  }

  #tellStates(): void {
    this.tell(TOPICS.cellState, this.reports());
  }

  /**
   * Fed while the robot can be controlled. An execution cell that does not come back starves it, and systemd starts
   * the daemon again; the other cells are not worth stopping the robot's.
   */
  #pingWatchdog(): void {
    const { state, deathsInARow } = this.#cells.get('execution')!.report();
    if (state === 'up' || deathsInARow <= DEATHS_UNTIL_HOPELESS) this.#options.notify.watchdog();
  }

  /** One line for people: each cell and how it is. */
  summary(): string {
    return this.reports()
      .map((r) => `${r.name} ${r.state}`)
      .join(', ');
  }
}
