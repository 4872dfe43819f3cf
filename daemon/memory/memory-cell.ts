import {
  type Cell,
  type CellContext,
  type CellName,
  EdgeError,
  fieldsOf,
  type Lake,
  type LakeMove,
  type LakePlace,
  type LakeQueryRequest,
  type LakeReadReply,
  type LakeRows,
  type LakeSyncReply,
  METHODS,
  type MemoryStatus,
  TOPICS,
  type WorkCounter,
} from '../../contract/core.ts';
import { readAsk } from './lake-ask.ts';
import { LakeMoves, type MovePorts } from './lake-moves.ts';
import { LakeReads } from './lake-reads.ts';
import type { LogKeeper } from './log-keeper.ts';
import { Pacer } from './pacer.ts';
import { type OpenReader, Projector, type Round } from './projector.ts';
import type { RecallOnUse } from './recall-on-use.ts';
import { type OpenSegment, StepReader } from './step-reader.ts';

/** How often the logs are looked at when no cell reports that they grew. */
const POLL_MS = 2_000;
/** Failing rounds are repeated after this, doubling up to the next. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 30_000;

export type MemoryPorts = {
  /**
   * Opens the lake, or drops what lies there and starts again; may reject, then it is tried again. `ends` aborts when the
   * cell stops: an opening is not waited for then, also one after a rest.
   */
  openLake(anew: boolean, ends: AbortSignal): Promise<Lake>;
  /** The first opening waits this long, or until something is asked of the lake, milliseconds; absent: it does not wait. */
  readonly openAfterMs?: number;
  /** A reader of the log of a cell; a log that is not there yet reads as empty. */
  readonly openReader: OpenReader;
  /** Messages of a sealed segment. */
  readonly openSegment: OpenSegment;
  /** Absent: nothing is ever removed from the logs. */
  readonly logKeeper?: LogKeeper;
  /**
   * Tried once, in the background, when the lake came up as plain DuckDB: brings the DuckLake extension and
   * says whether opening the lake again would now give DuckLake. Absent: never tried.
   */
  upgrade?(): Promise<boolean>;
  /** Texts that are found again; absent: no call for it is answered. */
  readonly recall?: RecallOnUse;
  /** Moves the lake to servers and back. Absent: it stays where it is. */
  readonly moves?: MovePorts;
};

/** What is degraded when control steps do not get into a lake that takes everything else. */
const STEPS = 'control steps';

type Waiter = { resolve: (reply: LakeSyncReply) => void; reject: (error: unknown) => void; rebuild: boolean };

/**
 * Projects the logs of all cells into the lakehouse and answers for it. Only one thing is done to the lake at
 * a time: a round, a rebuild or a reopening; queries run beside them.
 */
export class MemoryCell implements Cell {
  readonly name: CellName = 'memory';
  readonly #context: CellContext;
  readonly #ports: MemoryPorts;
  readonly #projector: Projector;
  readonly #steps: StepReader;
  readonly #pacer: Pacer;
  readonly #reads: LakeReads;
  readonly #moves: LakeMoves | undefined;
  #lake: Lake | undefined;
  #waiters: Waiter[] = [];
  #failures = 0;
  #stepFailures = 0;
  #stepsDueMs = 0;
  #degraded = new Map<string, EdgeError>();
  #stopped = false;
  readonly #ends = new AbortController();
  #reopen = false;
  #isMoving = false;
  #upgradeTried = false;
  #loop: Promise<void> | undefined;
  #firstOpen: Promise<void> | undefined;
  /** Ends the wait before the first opening. */
  #openNow = () => {};
  #rebuilding: Promise<LakeSyncReply> | undefined;

  constructor(context: CellContext, ports: MemoryPorts) {
    this.#context = context;
    this.#ports = ports;
    this.#projector = new Projector(ports.openReader);
    this.#steps = new StepReader(ports.openSegment, context.clock, context.report);
    this.#pacer = new Pacer(context.clock, POLL_MS);
    this.#reads = new LakeReads(context.clock);
    this.#moves = ports.moves && new LakeMoves(context, ports.moves, () => this.#pacer.hurry());
  }

  /** Resolves at once: the lake opens in the background, and what needs it hurries that and waits for it. */
  async start(): Promise<void> {
    const { bus } = this.#context;
    bus.handle(METHODS.memory.status, () => this.#status());
    bus.handle(METHODS.memory.query, (body) => this.#query(body));
    bus.handle(METHODS.memory.read, (body) => this.#read(body));
    bus.handle(METHODS.memory.readNext, (body) => this.#reads.next(body.readId));
    bus.handle(METHODS.memory.readClose, async (body) => this.#reads.close(fieldsOf(body)['readId']));
    bus.handle(METHODS.memory.sync, () => this.#ask(false));
    bus.handle(METHODS.memory.rebuild, () => this.#rebuild());
    bus.handle(METHODS.memory.move, ({ to }) => this.#move(to));
    this.#ports.recall?.serve(bus);
    bus.onBroadcast(TOPICS.logGrew, () => this.#pacer.grew());
    this.#firstOpen = this.#openFirst().catch((error: unknown) => this.#failed(error));
    this.#loop = this.#run();
  }

  /** Opening takes as much of the processor as half a cell: a robot that starts is ready before that. */
  async #openFirst(): Promise<void> {
    const { openAfterMs = 0 } = this.#ports;
    if (openAfterMs > 0)
      await new Promise<void>((resolve) => {
        const timer = this.#context.clock.after(openAfterMs, resolve);
        this.#openNow = () => {
          timer.cancel();
          resolve();
        };
      });
    if (!this.#stopped) await this.#open();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ends.abort();
    this.#ports.logKeeper?.stop();
    await this.#ports.recall?.stop();
    this.#pacer.hurry();
    this.#openNow();
    await this.#firstOpen;
    await this.#loop;
    this.#settle(undefined, stopping());
    this.#projector.close();
    this.#reads.closeAll();
    await this.#steps.drop();
    await this.#moves?.drop();
    await this.#lake?.close();
    this.#lake = undefined;
  }

  work(): readonly WorkCounter[] {
    // While the lake is known to be broken its work is not stalled, and a restart would not fix it. A slow link to
    // servers has deadlines of its own: overdue() counts what exceeds them.
    const isElsewhere = this.#lake?.info().place === 'remote' || this.#isMoving;
    const waiting = this.#failures > 0 || isElsewhere ? 0 : sum(Object.values(this.#projector.lag()));
    const { count, oldest } = this.#lake?.overdue() ?? { count: 0, oldest: 0 };
    return [
      // Both are one loop: while it reads steps it does not stand still.
      { name: 'projection', done: this.#projector.done + this.#steps.looked, waiting },
      // The engine cannot end some statements: only a new process gets their processors and memory back.
      { name: 'interrupted queries', done: oldest, waiting: count },
    ];
  }

  async #run(): Promise<void> {
    await this.#firstOpen;
    while (!this.#stopped) {
      await this.#pacer.due(this.#failures > 0 ? backOff(this.#failures) : 0);
      if (this.#stopped) return;
      await this.#turn();
      this.#pacer.rested();
    }
  }

  /** One round, with what was asked before it started. Never rejects. */
  async #turn(): Promise<void> {
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      if (this.#reopen) await this.#close();
      const anew = waiters.some((waiter) => waiter.rebuild);
      if (!this.#lake) await this.#open(anew);
      else if (anew) await this.#projector.rebuild(this.#lake);
      const lake = this.#lake!;
      const round = await this.#projector.round(lake, () => this.#stopped);
      for (const cell of round.disagreed)
        this.#context.report(
          'warn',
          `the lakehouse did not match the event log of ${cell} and was rebuilt from it`,
        );
      await this.#recovered('lake');
      await this.#tellFaults(round);
      this.#settle(waiters, undefined, round);
      await this.#readSteps(lake);
      if (this.#waiters.length === 0) await this.#ports.logKeeper?.look(await lake.cursors());
      await this.#stepMove(lake);
    } catch (thrown) {
      await this.#failed(thrown);
      this.#settle(waiters, this.#degraded.get('lake') ?? stopping());
    }
  }

  /** What fails here is apart: a lake that projects well stays open, and those who ask it are not interrupted. */
  async #readSteps(lake: Lake): Promise<void> {
    const { clock } = this.#context;
    if (clock.monotonicMs() < this.#stepsDueMs) return;
    try {
      const isOver = () => this.#stopped || this.#waiters.length > 0;
      const isMoreSteps = await this.#steps.slice(lake, isOver);
      const isMoreTopics = (await lake.readTopics?.(isOver)) ?? false;
      if (isMoreSteps || isMoreTopics) this.#pacer.grew();
      this.#stepFailures = 0;
      if (!this.#steps.isRefused) await this.#recovered(STEPS);
    } catch (thrown) {
      this.#stepFailures += 1;
      this.#stepsDueMs = clock.monotonicMs() + backOff(this.#stepFailures);
      // Said once: the next segment fails in other words.
      if (this.#degraded.has(STEPS)) return;
      const { code, operation, message, hint } = EdgeError.from(thrown, 'lake.failed', 'lake.read', STEPS);
      const facts = { operation, subject: STEPS, message, hint, cause: thrown };
      await this.#degrade(STEPS, new EdgeError(code, facts));
    }
  }

  /** Writes are held: this is their turn. */
  async #stepMove(lake: Lake): Promise<void> {
    this.#isMoving = true;
    try {
      const moved = await this.#moves?.step(lake);
      if (!moved) return;
      this.#lake = moved;
      await this.#steps.drop();
      await lake.close();
      await this.#moves?.done();
      this.#context.report('info', `the lakehouse was moved: ${moved.info().path}`, { ...moved.info() });
    } finally {
      this.#isMoving = false;
    }
  }

  async #move(to: LakePlace): Promise<LakeMove> {
    const lake = await this.#ready();
    if (this.#moves) return await this.#moves.ask(to, lake.info().place ?? 'embedded');
    throw new EdgeError('lake.unavailable', {
      ...{ operation: 'lake.move', subject: 'lake.engine', retryable: false },
      message: 'this lakehouse is plain DuckDB, as configured: it cannot be moved',
      hint: 'set lake.engine = "auto"',
    });
  }

  async #open(anew = false): Promise<void> {
    const lake = await this.#ports.openLake(anew, this.#ends.signal);
    this.#lake = lake;
    const info = lake.info();
    this.#context.report('info', `lake open: ${info.kind}`, { ...info });
    if (info.kind === 'duckdb') this.#tryUpgrade();
  }

  async #close(): Promise<void> {
    this.#reopen = false;
    const lake = this.#lake;
    this.#lake = undefined;
    await this.#steps.drop();
    await lake?.close();
  }

  #tryUpgrade(): void {
    const { upgrade } = this.#ports;
    if (!upgrade || this.#upgradeTried) return;
    this.#upgradeTried = true;
    const told = (message: string, facts = {}) => this.#context.report('info', message, facts);
    upgrade().then(
      (better) => {
        if (!better || this.#stopped) return;
        told('the DuckLake extension is now available: the lakehouse is reopened');
        this.#reopen = true;
        this.#pacer.hurry();
      },
      (error: unknown) => told('the DuckLake extension could not be installed', { error: String(error) }),
    );
  }

  /** The lake failed: it is closed and opened again after a while. */
  async #failed(thrown: unknown): Promise<void> {
    const error = EdgeError.from(thrown, 'lake.failed', 'lake.project', 'lake');
    this.#failures += 1;
    if (!this.#stopped) await this.#degrade('lake', error);
    try {
      await this.#close();
    } catch (closing) {
      this.#context.report('warn', 'closing the failed lakehouse failed too', { error: String(closing) });
    }
  }

  async #tellFaults(round: Round): Promise<void> {
    for (const [cell, error] of round.faults) await this.#degrade(`log of ${cell}`, error);
    for (const subject of [...this.#degraded.keys()]) {
      const cell = subject.replace('log of ', '') as CellName;
      if (subject.startsWith('log of ') && !round.faults.has(cell)) await this.#recovered(subject);
    }
  }

  async #degrade(subject: string, error: EdgeError): Promise<void> {
    const before = this.#degraded.get(subject);
    this.#degraded.set(subject, error);
    if (before?.code === error.code && before.message === error.message) return;
    this.#context.report('warn', `degraded: ${error.message}`, { ...error.toBody() });
    await this.#emit({ kind: 'cell.degraded', payload: { error: error.toBody() } });
  }

  async #recovered(subject: string): Promise<void> {
    if (subject === 'lake') this.#failures = 0;
    if (!this.#degraded.delete(subject)) return;
    this.#context.report('info', `works again: ${subject}`);
    await this.#emit({ kind: 'cell.recovered', payload: { subject } });
  }

  /** Our own log may be what is broken; then the report above is all that can be said. */
  async #emit(event: Parameters<CellContext['emit']>[0][number]): Promise<void> {
    try {
      await this.#context.emit([event]);
    } catch (error) {
      this.#context.report('warn', 'an event of the memory cell was not logged', { error: String(error) });
    }
  }

  async #status(): Promise<MemoryStatus> {
    const lake = this.#lake;
    const cursors = lake ? await lake.cursors().catch(() => undefined) : undefined;
    const lag = cursors ? this.#projector.look(cursors) : this.#projector.lag();
    const faults = [...this.#degraded].map(([subject, error]) => `${subject}: ${error.message}`).join('; ');
    const reason = faults === '' && lake === undefined ? 'it opens a moment after the start' : faults;
    const ready = lake !== undefined && !this.#degraded.has('lake');
    const move = this.#moves?.status();
    return { ready, lake: lake?.info(), lag, reason, ...(move ? { move } : {}) };
  }

  async #query(body: LakeQueryRequest): Promise<LakeRows> {
    const { sql, ...ask } = readAsk(body);
    return (await this.#ready()).query(sql, ask);
  }

  async #read(body: LakeQueryRequest): Promise<LakeReadReply> {
    const { sql, ...ask } = readAsk(body);
    const lake = await this.#ready();
    return await this.#reads.open(() => lake.read(sql, ask), body.by);
  }

  async #ready(): Promise<Lake> {
    this.#openNow();
    await this.#firstOpen;
    if (this.#lake) return this.#lake;
    throw this.#degraded.get('lake') ?? stopping();
  }

  /**
   * Joins a running rebuild: a caller that did not wait for its end and asks again must not drop what it has filled.
   */
  #rebuild(): Promise<LakeSyncReply> {
    this.#rebuilding ??= this.#ask(true).finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  /** Settled by the next round that starts after now. */
  #ask(rebuild: boolean): Promise<LakeSyncReply> {
    if (this.#stopped) return Promise.reject(stopping());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject, rebuild });
      this.#openNow();
      this.#pacer.hurry();
    });
  }

  #settle(waiters: readonly Waiter[] = this.#waiters, error: EdgeError | undefined, round?: Round): void {
    for (const waiter of waiters) {
      if (round) waiter.resolve({ projected: round.projected });
      else waiter.reject(error);
    }
  }
}

function backOff(failures: number): number {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (failures - 1));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

function stopping(): EdgeError {
  return new EdgeError('lake.unavailable', {
    operation: 'lake.use',
    subject: 'memory cell',
    message: 'the lakehouse is not open',
  });
}
