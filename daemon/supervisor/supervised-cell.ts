import {
  type CellName,
  type CellReport,
  type Clock,
  type ErrorBody,
  LIMITS,
  type ProcessAccount,
  type ProcessProbe,
  type ProcessTimes,
  type Timer,
} from '../../contract/core.ts';
import type { FromCell, ToCell } from '../cell/wire.ts';
import type { CellCarrier, SpawnCell } from './cell-process.ts';
import {
  beat,
  isSuspicious,
  judge,
  type Liveness,
  newborn,
  observe,
  pardon,
  patienceOf,
  restartDelayMs,
} from './liveness.ts';
import { starvedMs } from './starvation.ts';

export type SupervisedCellOptions = {
  readonly name: CellName;
  readonly clock: Clock;
  readonly spawn: SpawnCell;
  /** Distinguishes a cell that hangs from one that the host starves. Absent: every silence counts against the cell. */
  readonly probe?: ProcessProbe | undefined;
  onMessage(message: FromCell): void;
  onChange(report: CellReport): void;
  /** Silent for long, most of it because the host starves it. Once per silence. */
  onStarved?(silentMs: number, starvedMs: number): void;
};

/** Keeps one cell running: watches its heart, kills it when it never answers, starts it again with back-off. */
export class SupervisedCell {
  readonly #options: SupervisedCellOptions;
  #carrier: CellCarrier | undefined;
  #state: CellReport['state'] = 'down';
  #liveness: Liveness = newborn(0);
  #restarts = 0;
  #failures = 0;
  #upSinceMs = 0;
  #reason = 'start';
  #rssBytes = 0;
  #watch: Timer | undefined;
  #retry: Timer | undefined;
  #lastCheckMs = 0;
  /** The host's part in this silence was reported. */
  #isStarvedReported = false;
  /** Why this process is being killed; its exit only says by which signal. */
  #killReason: string | undefined;
  #startWanted = false;
  #stopWanted = false;
  /** Why it is being started again. */
  #renewing: string | undefined;
  #waiters: ((report: CellReport) => void)[] = [];

  constructor(options: SupervisedCellOptions) {
    this.#options = options;
  }

  get name(): CellName {
    return this.#options.name;
  }

  report(): CellReport {
    return {
      name: this.name,
      state: this.#state,
      pid: this.#carrier?.pid,
      restarts: this.#restarts,
      deathsInARow: this.#failures,
      reason: this.#reason,
      rssBytes: this.#rssBytes,
      beatAgeMs: this.#carrier?.isIdle
        ? 0
        : Math.round(this.#options.clock.monotonicMs() - this.#liveness.lastBeatMs),
      beatGapMaxMs: Math.round(this.#liveness.gapMaxMs),
    };
  }

  /** Starts the process; the cell itself starts its work on `start`, so processes boot and load side by side. */
  boot(): void {
    this.#lastCheckMs = this.#options.clock.monotonicMs();
    this.#liveness = newborn(this.#lastCheckMs);
    this.#killReason = undefined;
    this.#isStarvedReported = false;
    this.#change('booting', this.#reason);
    this.#carrier = this.#options.spawn(this.name, {
      onMessage: (message) => this.#receive(message),
      onExit: (reason) => this.#exited(reason),
    });
    this.#watch?.cancel();
    if (this.#carrier.isIdle) this.#rssBytes = 0;
    else this.#watch = this.#options.clock.every(LIMITS.HEARTBEAT_MS, () => this.#check());
  }

  /** Resolves at the first `up`, `failed` or `down`; what is not up is tried again in the background. */
  start(): Promise<CellReport> {
    if (this.#stopWanted) return Promise.resolve(this.report());
    this.#startWanted = true;
    const done = new Promise<CellReport>((resolve) => this.#waiters.push(resolve));
    if (this.#state === 'booting') this.#order();
    return done;
  }

  post(message: ToCell): boolean {
    if (this.#state !== 'up' && this.#state !== 'stopping' && message.t !== 'response') return false;
    if (!this.#carrier) return false;
    this.#carrier.post(message);
    return true;
  }

  /** Asks the cell to stop; after `deadlineMs` it is killed. Resolves when it is gone. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopWanted = true;
    this.#retry?.cancel();
    this.#watch?.cancel();
    if (!this.#carrier || this.#state === 'down' || this.#state === 'stopped') {
      this.#change('stopped', 'stopped');
      this.#tellWaiters();
      return Promise.resolve();
    }
    this.#change('stopping', 'stopping');
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(deadlineMs, () => this.#carrier?.kill());
      this.#waiters.push(() => {
        timer.cancel();
        resolve();
      });
      this.#carrier!.post({ t: 'stop' });
    });
  }

  /**
   * Starts the cell again in a process of its own, at once: it is asked to stop first and killed after `deadlineMs`.
   * Resolves as `start` does. A cell that is down comes back on its own.
   */
  async renew(reason: string, deadlineMs: number): Promise<CellReport> {
    if (this.#stopWanted || !this.#carrier) return this.report();
    this.#renewing = reason;
    const old = this.#carrier;
    const timer = this.#options.clock.after(deadlineMs, () => {
      if (this.#carrier === old) old.kill();
    });
    // A caller that waits for its end waits for its start from here on.
    const up = new Promise<CellReport>((resolve) => this.#waiters.push(resolve));
    this.#change('stopping', reason);
    this.#watch?.cancel();
    old.post({ t: 'stop' });
    return await up.finally(() => timer.cancel());
  }

  /** Kills the process if it hangs; one that beats ends on its own when its supervisor is gone. */
  killIfSilent(silentMs: number): void {
    if (this.report().beatAgeMs > silentMs) this.#carrier?.kill();
  }

  #order(): void {
    this.#change('starting', this.#reason);
    this.#carrier?.post({ t: 'start', attempt: this.#restarts, reason: this.#reason });
  }

  #receive(message: FromCell): void {
    if (message.t === 'heartbeat') {
      this.#liveness = beat(this.#liveness, this.#options.clock.monotonicMs(), message.work);
      this.#rssBytes = message.rssBytes;
      this.#isStarvedReported = false;
    } else if (message.t === 'started') {
      // A cell that got the stop while it started reports both.
      if (this.#stopWanted || this.#renewing !== undefined) return;
      this.#upSinceMs = this.#options.clock.monotonicMs();
      this.#liveness = { ...this.#liveness, gapMaxMs: 0 };
      this.#change('up', 'up');
      this.#tellWaiters();
    } else if (message.t === 'failed') {
      this.#failedToStart(message.error);
    }
    this.#options.onMessage(message);
  }

  #failedToStart(error: ErrorBody): void {
    if (this.#stopWanted || this.#renewing !== undefined) return;
    this.#change('failed', `${error.code}: ${error.message}`);
    this.#tellWaiters();
    this.#carrier?.kill();
  }

  #check(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const gapMs = nowMs - this.#lastCheckMs;
    const lateMs = gapMs - LIMITS.HEARTBEAT_MS;
    const pausedMs = lateMs > LIMITS.HEARTBEAT_MS ? lateMs : 0;
    this.#lastCheckMs = nowMs;
    if (pausedMs > 0) this.#liveness = pardon(this.#liveness, pausedMs);
    const isStarting = this.#state === 'booting' || this.#state === 'starting';
    const between = { gapMs, countedMs: gapMs - pausedMs, isStarting };
    this.#liveness = observe(this.#liveness, between, this.#look(nowMs));
    const verdict = judge(this.#liveness, nowMs, patienceOf(isStarting));
    if (verdict.alive) {
      this.#reportStarved(nowMs);
      if (this.#state === 'up' && nowMs - this.#upSinceMs > LIMITS.RESTART_FORGET_MS) this.#failures = 0;
      return;
    }
    this.#killReason = verdict.reason;
    this.#watch?.cancel();
    this.#carrier?.kill();
  }

  #reportStarved(nowMs: number): void {
    const { lastBeatMs, starvation } = this.#liveness;
    const silentMs = nowMs - lastBeatMs;
    const starved = starvedMs(starvation);
    if (silentMs <= LIMITS.HEARTBEAT_SILENT_MS || starved < silentMs / 2) return;
    if (this.#isStarvedReported) return;
    this.#isStarvedReported = true;
    this.#options.onStarved?.(silentMs, starved);
  }

  #look(nowMs: number): ProcessAccount | ProcessTimes | undefined {
    const pid = this.#carrier?.pid;
    const { probe } = this.#options;
    if (pid === undefined || !probe) return undefined;
    return isSuspicious(this.#liveness, nowMs) ? probe.look(pid) : probe.times(pid);
  }

  #exited(reason: string): void {
    this.#watch?.cancel();
    this.#carrier = undefined;
    if (this.#stopWanted) {
      this.#change('stopped', reason);
      this.#tellWaiters();
      return;
    }
    if (this.#renewing !== undefined) {
      this.#restarts++;
      this.#change('down', this.#renewing);
      this.#renewing = undefined;
      this.boot();
      return;
    }
    const why = this.#killReason ?? (this.#state === 'failed' ? this.#reason : reason);
    this.#failures++;
    this.#restarts++;
    this.#change('down', why);
    // Callers that wait for the first start continue without this cell.
    this.#tellWaiters();
    this.#retry = this.#options.clock.after(restartDelayMs(this.#failures), () => this.boot());
  }

  /** A booted process gets the command to start when a start is wanted; until then it makes its parts ready. */
  booted(): void {
    if (this.#state !== 'booting') return;
    if (this.#startWanted) this.#order();
    else this.#carrier?.post({ t: 'make', attempt: this.#restarts, reason: this.#reason });
  }

  /** Whether it got the order to start: until then it works on nothing. */
  get isOrdered(): boolean {
    return this.#carrier !== undefined && this.#state !== 'booting';
  }

  #change(state: CellReport['state'], reason: string): void {
    const before = this.#state;
    this.#state = state;
    this.#reason = reason;
    if (before !== state) this.#options.onChange(this.report());
  }

  #tellWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const tell of waiters) tell(this.report());
  }
}
