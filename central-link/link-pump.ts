import {
  type CellContext,
  type CellName,
  type Central,
  EdgeError,
  type EventReader,
  LIMITS,
  type LinkStatus,
  withDeadline,
} from '../contract/core.ts';
import { Backoff } from '../io/backoff.ts';
import { judge } from './central-state.ts';
import type { DiskDesk } from './disk-desk.ts';
import { EventLane, LANE_ORDER, type Step } from './event-lane.ts';
import type { FileLanes } from './file-lanes.ts';
import type { OrderLoop } from './order-loop.ts';
import { ReceiptBook } from './receipt-book.ts';

export type LinkOptions = {
  /** Name of this robot at central. */
  readonly robot: string;
  /** Undefined: no central is configured, the link is off. */
  readonly central: Central | undefined;
  /** Undefined: central sends no orders to this robot. */
  readonly orders?: OrderLoop;
  /** Undefined: no broker is a way to central. */
  readonly broker?: () => NonNullable<LinkStatus['broker']>;
  /** Undefined: only events go to central. */
  readonly files?: FileLanes;
  /** Undefined: the certificate of this robot, if it has one, is not renewed by the link. */
  readonly renewal?: { look(): Promise<void>; close(): void };
  /** What goes to removable disks; loaded when it is asked for. */
  readonly disk?: () => Promise<DiskDesk>;
  /** Why there is no way to central although one is configured. */
  readonly refused?: string;
  /** Opens the log of a cell; may throw while it does not exist yet. */
  openReader(cell: CellName): EventReader;
  /** Numbers from 0 up to but not including 1, for the jitter of waiting times. */
  random(): number;
};

type LaneState = {
  readonly lane: EventLane;
  readonly backoff: Backoff;
  fault: EdgeError | undefined;
  /** Called once per outage of the lane's log, not at each try. */
  lateReason: string;
  answeredMs: number;
  pushedMs: number;
  /**
   * The last push got no answer in its time. Then an answer about the position does not show that a push would succeed.
   */
  isPushLost: boolean;
};

/**
 * One turn after the other over all lanes: each lane in order sends at most one batch per turn, so a long
 * backlog of one never starves the others. Knows whether central is there and reports changes only.
 */
export class LinkPump {
  readonly #context: CellContext;
  readonly #lanes: readonly LaneState[];
  readonly #central: Backoff;
  readonly #signal: AbortSignal;
  readonly #book = new ReceiptBook();
  readonly #files: FileLanes | undefined;
  #state: 'connected' | 'disconnected' = 'disconnected';
  #reason = 'not tried yet';
  #announced: 'connected' | 'disconnected' | undefined;
  /** True while an answer of central is awaited: then no progress is no fault of the link. */
  atCentral = false;
  #tried = false;
  #downSinceMs: number | undefined;

  constructor(context: CellContext, options: LinkOptions, central: Central, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#central = new Backoff(options.random);
    this.#files = options.files;
    this.#lanes = LANE_ORDER.map((cell) => ({
      lane: new EventLane(options.robot, cell, central, (name) => options.openReader(name)),
      backoff: new Backoff(options.random),
      fault: undefined,
      lateReason: '',
      answeredMs: 0,
      pushedMs: -Infinity,
      isPushLost: false,
    }));
  }

  /** True while central does not answer: then a growing log does not trigger an earlier try. */
  get offline(): boolean {
    return this.#central.restMs(this.#context.clock.monotonicMs()) > 0;
  }

  /** One round; returns how long to rest before the next, milliseconds. Never throws because of central. */
  async turn(): Promise<number> {
    const { clock } = this.#context;
    let sent = false;
    for (const state of this.#lanes) {
      const now = clock.monotonicMs();
      if (this.#signal.aborted || this.#central.restMs(now) > 0) break;
      if (state.fault || state.backoff.restMs(now) > 0 || this.#gatherMs(state, now) > 0) continue;
      if (now - state.answeredMs >= LIMITS.LINK_PROBE_MS) state.lane.askAgain();
      const step = await this.#step(state);
      if (step?.kind === 'answered') sent = true;
    }
    const fileMs = await this.#fileTurn();
    await this.#write();
    return sent ? 0 : Math.min(fileMs, this.#restMs());
  }

  /** How long the few events of a lane wait for more: each request costs more than an event. Milliseconds. */
  #gatherMs({ lane, pushedMs }: LaneState, now: number): number {
    const restMs = pushedMs + LIMITS.LINK_GATHER_MS - now;
    if (restMs <= 0) return 0;
    const { sent, last } = lane.standing();
    return last - sent < LIMITS.LINK_GATHER_EVENTS ? restMs : 0;
  }

  /** One request of a file at most, where no event waits; returns how long to rest before the next. */
  async #fileTurn(): Promise<number> {
    const { clock } = this.#context;
    const files = this.#files;
    if (!files || this.#signal.aborted) return Infinity;
    try {
      files.follow();
    } catch (error) {
      files.failed(EdgeError.from(error, 'log.failed', 'sync files', 'log'));
      return Infinity;
    }
    if (this.offline) return Infinity;
    const now = clock.monotonicMs();
    const waits = this.#lanes.some((state) => {
      const { lane, fault, backoff } = state;
      const { sent, last } = lane.standing();
      return !fault && backoff.restMs(now) === 0 && sent < last && this.#gatherMs(state, now) === 0;
    });
    if (waits) return Infinity;
    this.atCentral = true;
    const work = withDeadline(clock, LIMITS.LINK_REQUEST_MS * 2, files.turn(), 'sync files', 'central');
    const done = await unlessAborted(work, this.#signal).catch((error: unknown) =>
      EdgeError.from(error, 'log.failed', 'sync files', 'central'),
    );
    this.atCentral = false;
    if (done instanceof EdgeError) {
      if (judge(done) === 'offline') {
        this.#offline(done);
        files.askAgain();
      } else files.failed(done);
      return Infinity;
    }
    if (done === undefined) return Infinity;
    if (done.answered) this.#central.succeeded();
    return done.restMs;
  }

  status(): LinkStatus {
    const lanes = Object.fromEntries(
      this.#lanes.map(({ lane, fault }) => [
        lane.name,
        { ...lane.standing(), ...(fault ? { fault: fault.message } : {}) },
      ]),
    );
    const stopped = this.#lanes.filter((state) => state.fault).map((state) => state.lane.name);
    const reason =
      stopped.length > 0 ? `standing still: ${stopped.join(', ')}; ${this.#reason}` : this.#reason;
    const files = this.#files ? { files: this.#files.status() } : {};
    return { ready: true, state: this.#state, reason, lanes, ...files };
  }

  /** For a request of a person: forgets all waiting times and faults. Central still refuses what it refused before. */
  retryNow(): void {
    this.#central.succeeded();
    this.#files?.retryNow();
    for (const state of this.#lanes) {
      state.fault = undefined;
      state.backoff.succeeded();
      state.pushedMs = -Infinity;
      state.lane.askAgain();
    }
  }

  /** Writes the receipts that still wait; then closes the readers. */
  async close(): Promise<void> {
    await this.#writeReceipts(true);
    for (const { lane } of this.#lanes) lane.close();
    this.#files?.close();
  }

  async #step(state: LaneState): Promise<Step | undefined> {
    const { clock } = this.#context;
    try {
      this.atCentral = true;
      const work = withDeadline(
        clock,
        LIMITS.LINK_REQUEST_MS * 2,
        state.lane.step(),
        'sync events',
        state.lane.name,
      );
      const step = await unlessAborted(work, this.#signal);
      this.atCentral = false;
      if (step === undefined) return undefined;
      if (step.kind === 'answered') {
        state.answeredMs = clock.monotonicMs();
        if (step.receipt) this.#book.note(step.receipt, step.batch);
        // A lane that has more is not one of few events.
        const { sent, last } = state.lane.standing();
        if (step.batch.length > 0) state.pushedMs = sent < last ? -Infinity : state.answeredMs;
        this.#answered(state, step.batch.length > 0);
      }
      state.backoff.succeeded();
      state.lateReason = '';
      return step;
    } catch (error) {
      this.atCentral = false;
      if (!this.#signal.aborted)
        await this.#failed(state, EdgeError.from(error, 'log.failed', 'sync events', state.lane.name));
      return undefined;
    }
  }

  #answered(state: LaneState, isPush: boolean): void {
    const { sent, last } = state.lane.standing();
    if (isPush || sent >= last) state.isPushLost = false;
    this.#tried = true;
    if (this.#lanes.some(({ isPushLost }) => isPushLost)) return;
    this.#central.succeeded();
    this.#downSinceMs = undefined;
    this.#state = 'connected';
    this.#reason = '';
  }

  async #failed(state: LaneState, error: EdgeError): Promise<void> {
    const { clock, report } = this.#context;
    const lane = state.lane.name;
    switch (judge(error)) {
      case 'offline':
        this.#offline(error);
        this.#files?.askAgain();
        state.isPushLost = state.lane.isPushing && error.code === 'deadline.exceeded';
        state.lane.askAgain();
        return;
      case 'later':
        // Nothing was lost on the way this time, and the other lanes may show that central is there.
        state.isPushLost = false;
        state.backoff.failed(clock.monotonicMs());
        if (state.lateReason !== error.message)
          report('debug', 'lane waits', { lane, reason: error.message });
        state.lateReason = error.message;
        return;
      case 'stop':
        state.fault = error;
        state.isPushLost = false;
        report('error', 'lane stands still', { lane, code: error.code, reason: error.message });
        await this.#emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]);
    }
  }

  #offline(error: EdgeError): void {
    const now = this.#context.clock.monotonicMs();
    this.#central.failed(now);
    this.#tried = true;
    this.#downSinceMs ??= now;
    this.#state = 'disconnected';
    this.#reason = error.message;
  }

  async #write(): Promise<void> {
    const downMs = this.#context.clock.monotonicMs() - (this.#downSinceMs ?? -Infinity);
    if (this.#tried && this.#announced !== this.#state && downMs >= LIMITS.LINK_OUTAGE_MS) {
      const state = this.#state;
      const reason = this.#reason.slice(0, 512);
      this.#context.report(state === 'connected' ? 'info' : 'warn', `central ${state}`, { reason });
      if (await this.#emit([{ kind: 'link.state', payload: { state, reason } }])) this.#announced = state;
    }
    await this.#writeReceipts(false);
  }

  async #writeReceipts(all: boolean): Promise<void> {
    const now = this.#context.clock.monotonicMs();
    const due = this.#book.due(now, all);
    if (due.length > 0 && (await this.#emit(due))) this.#book.wrote(due, now);
  }

  /** The own log failing is no reason to stop shipping: failed writes are tried again next turn. */
  async #emit(events: Parameters<CellContext['emit']>[0]): Promise<boolean> {
    try {
      await this.#context.emit(events);
      return true;
    } catch (error) {
      this.#context.report('error', 'link cannot write its log', { error: (error as Error).message });
      return false;
    }
  }

  #restMs(): number {
    const now = this.#context.clock.monotonicMs();
    const offline = this.#central.restMs(now);
    if (offline > 0) return offline;
    const gather = this.#lanes.map((state) => this.#gatherMs(state, now)).filter((ms) => ms > 0);
    return Math.max(
      1,
      Math.min(LIMITS.LINK_POLL_MS, ...gather, this.#book.nextMs(now) ?? LIMITS.LINK_POLL_MS),
    );
  }
}

/** The result of `work`, or undefined at once when `signal` aborts. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
