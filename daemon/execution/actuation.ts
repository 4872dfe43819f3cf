import {
  type CellContext,
  type CellName,
  type CellReport,
  EdgeError,
  type EventPayload,
  isUuidv7,
  type LeaseRole,
  type MotionResult,
  type NewEvent,
  NOT_CONFIRMED,
  TOPICS,
} from '../../contract/core.ts';
import { ActuationLease, LEASE_PRIORITIES, roleOf } from './lease.ts';
import { type Mandate, MotionLeases } from './motion-leases.ts';
import { closing, lost, noteStop, preempted, whyOf } from './note-stop.ts';
import { reasonWith } from './robot-requests.ts';
import { endsLease } from './safety/lease-rules.ts';
import { SafetyWord } from './safety/safety-word.ts';
import { StopLatch } from './safety/stop-latch.ts';
import { StopNews } from './safety/stop-news.ts';
import { notConfirmed, stoppedInTime } from './safety/stopped-in-time.ts';

/** Lifetime of a lease without renewal, and the longest lifetime on request; milliseconds. */
const LEASE_TTL_MS = 3_000;
const LEASE_TTL_MS_MAX = 60_000;

/** Brings something that moves to its safe state. */
export type Stop = (reason: string) => Promise<void>;
/** Moves the robot by another way than `Actuation.move`: goals sent through the ROS API, a play of commands. */
export type Mover = { isMoving(): boolean; readonly stop: Stop };

/** Facts about a motion, for the log and for stops. */
export type MotionTold = {
  /** Absent: `Actuation` does not log the end of this motion. */
  readonly motion?: EventPayload<'motion.ended'>['motion'];
  /** The run that this motion belongs to. A stop of the run ends the motion. */
  readonly run?: string | undefined;
  /** Principal of the request at the API. */
  readonly by?: string | undefined;
  readonly traceparent?: string | undefined;
  /** What was wanted before a stop does not start; absent: it is wanted now. */
  readonly wantedAtMs?: number | undefined;
  /** A check before the lease is taken: a refusal ends nothing that moves. Cancels and stops work meanwhile. */
  readonly before?: () => Promise<void>;
};

export type { Mandate };

/** Configured lifetimes of leases. */
export type LeaseTimes = {
  /** Lifetime without renewal, and the longest lifetime that a holder may request, milliseconds. */
  readonly ttlMs: number;
  readonly ttlMsMax: number;
};

export type Safety = {
  /** Control threads read this in each step. */
  readonly word: SafetyWord;
  readonly latch: StopLatch;
  readonly times?: LeaseTimes;
};

type Motion = {
  readonly from: CellName;
  readonly ends: AbortController;
  readonly told: MotionTold | undefined;
  readonly holder: string;
  /** True: the motion ended, and it was not measured that the robot stands. */
  readonly settled: Promise<boolean>;
  /** False while the motion waits for the lease. */
  hasLease: boolean;
  /** The principal that cancelled it. */
  by?: string | undefined;
};
type Which = (motion: Motion) => boolean;

const AGENT: Mandate = { role: 'agent', holder: 'agent' };

/**
 * The motions of this robot, base and arm, under one actuation lease. A motion needs the lease to start, and ends when
 * the lease is lost. A holder keeps the lease while one of its motions is running. A stop stops the whole robot, and
 * is logged. While the emergency stop is engaged no motion starts.
 */
export class Actuation {
  readonly #context: CellContext;
  readonly #stops: readonly Stop[];
  readonly #movers: readonly Mover[];
  readonly #lease: ActuationLease;
  readonly #motions = new Map<string, Motion>();
  readonly #leases: MotionLeases;
  readonly #latch: StopLatch;
  readonly #times: LeaseTimes;
  readonly news: StopNews;
  /** Running stops of everything. */
  #stopsUnderWay = 0;
  readonly #stopListeners = new Set<() => void>();
  #closed = false;

  /** Every stop, whatever its cause, stops the `movers` too. */
  constructor(
    context: CellContext,
    stops: readonly Stop[],
    movers: readonly Mover[] = [],
    safety: Safety = unlatched(),
  ) {
    const { word, latch, times = { ttlMs: LEASE_TTL_MS, ttlMsMax: LEASE_TTL_MS_MAX } } = safety;
    this.#context = context;
    this.news = new StopNews(context);
    this.#latch = latch;
    this.#times = times;
    this.#stops = [...stops, ...movers.map(stopOf)];
    this.#movers = movers;
    this.#lease = new ActuationLease({
      clock: context.clock,
      word,
      // Motions that wait for the lease keep waiting: the one that takes over starts after this stop.
      safeStop: (reason) => this.#safeStop(reason, ({ hasLease }) => hasLease),
      contested: (priority) => priority > LEASE_PRIORITIES.autonomy && this.#moversMove(),
      onTakeover: (takeover) => context.bus.broadcast(TOPICS.leaseTaken, takeover),
      onGranted: ({ id, holder, ttlMs, priority }) => {
        const role = roleOf(priority);
        const payload = { holder, ttl_ms: ttlMs, lease_id: id, ...(role ? { role } : {}) };
        this.note({ kind: 'lease.granted', payload });
      },
      onEnded: (lease, reason) =>
        this.note({ kind: 'lease.released', payload: { holder: lease.holder, reason } }),
    });
    this.#leases = new MotionLeases(this.#lease, context.clock, times.ttlMs);
    context.bus.onBroadcast(TOPICS.cellState, (body) => this.#cellsAre(body as readonly CellReport[]));
  }

  /** Other parts of this cell that command actuators (teleoperation, central) take the lease here. */
  get lease(): ActuationLease {
    return this.#lease;
  }

  /** Running motions, by their id. Some of them may still wait for the lease. */
  get motions(): ReadonlyMap<string, Pick<Motion, 'told' | 'hasLease'>> {
    return this.#motions;
  }

  get times(): LeaseTimes {
    return this.#times;
  }

  /** True while a stop of everything is in progress. Commands that come meanwhile were made before the stop. */
  get stopping(): boolean {
    return this.#stopsUnderWay > 0;
  }

  /** Calls back when a stop of everything on request starts. */
  onStop(listen: () => void): void {
    this.#stopListeners.add(listen);
  }

  /**
   * Checks a command that goes another way than `move`: goals of the ROS API, plays of recorded commands. Throws
   * `estop.engaged`, and `lease.held` while a holder of a higher rank has the robot (teleoperation, central).
   */
  admit(operation: string, subject: string): void {
    this.#latch.check(operation, subject);
    const { current, state } = this.#lease;
    if (state === 'held' && current!.priority > LEASE_PRIORITIES.autonomy) {
      const message = `${current!.holder} holds the actuation lease`;
      throw new EdgeError('lease.held', { operation, subject, message });
    }
  }

  /**
   * `signal` aborts when the motion is cancelled or its lease is lost. If this happens while it waits for the lease, it
   * starts aborted. `lease` is passed to control threads: they check in each step whether it still holds. Rejects
   * with `robot.preempted` (wanted before a stop), `lease.held`, `estop.engaged`, and `cell.unavailable` once the cell stops.
   */
  async move(
    motionId: string,
    from: CellName,
    start: (signal: AbortSignal, lease: number) => Promise<MotionResult>,
    told?: MotionTold,
    mandate: Mandate = AGENT,
  ): Promise<MotionResult> {
    this.#latch.check('robot-motion', motionId);
    this.news.check('robot-motion', motionId, told?.wantedAtMs);
    if (this.#motions.has(motionId)) {
      throw new EdgeError('schema.invalid', {
        ...{
          operation: 'robot-motion',
          subject: motionId,
          message: 'a motion with this id is already running',
        },
      });
    }
    if (this.#closed) throw closing(motionId);
    const ends = new AbortController();
    const { promise: settled, resolve: settle } = Promise.withResolvers<boolean>();
    // It is entered before it has the lease, so that a cancel or a stop that comes meanwhile reaches it.
    const motion: Motion = { from, ends, told, holder: mandate.holder, settled, hasLease: false };
    this.#motions.set(motionId, motion);
    const began = this.#context.clock.monotonicMs();
    let outcome = 'internal.fault';
    let unconfirmed = false;
    try {
      await told?.before?.();
      const lease = await this.#leases.take(mandate);
      motion.hasLease = true;
      if (this.#closed) throw closing(motionId);
      // An emergency stop or the loss of the lease may have come while the motion waited.
      this.#latch.check('robot-motion', motionId);
      if (!this.#lease.holds(lease.id)) throw lost(motionId);
      const ended = await start(ends.signal, lease.id);
      unconfirmed = ended.message.includes(NOT_CONFIRMED);
      const result = preempted(ended, ends.signal);
      outcome = result.outcome;
      return result;
    } catch (thrown) {
      if (thrown instanceof EdgeError) outcome = thrown.code;
      unconfirmed = outcome === 'robot.unreachable';
      throw thrown;
    } finally {
      if (isUuidv7(motionId)) this.#ended(motionId, motion, outcome, began);
      this.#motions.delete(motionId);
      const goesOn = [...this.#motions.values()].some(({ holder }) => holder === mandate.holder);
      if (!goesOn) this.#leases.giveBack(mandate.holder);
      settle(unconfirmed);
    }
  }

  #ended(
    motionId: string,
    { told = {}, ends: { signal }, by }: Motion,
    outcome: string,
    began: number,
  ): void {
    const { motion, traceparent } = told;
    if (motion === undefined) return;
    const duration_ms = Math.max(0, this.#context.clock.monotonicMs() - began);
    const trace = traceparent === undefined ? {} : { traceparent };
    this.note({
      kind: 'motion.ended',
      payload: { motion_id: motionId, motion, outcome, duration_ms, ...whyOf(signal, by), ...trace },
    });
  }

  /** Aborts the motion, which then settles. An unknown id is no error. `by`: the principal that asked, for the log. */
  cancel(motionId: string, reason: string, by?: string): void {
    const motion = this.#motions.get(motionId);
    if (motion && !motion.ends.signal.aborted) motion.by = by;
    motion?.ends.abort(reason);
  }

  /**
   * Stops everything that moves. `role` is the rank of the caller. A lease that it may not end stays with its
   * holder, whose next command moves the robot again. `by`: the principal that asked, for the log. `run`: the run
   * whose agent asked. Rejects where it was not confirmed that the robot stands.
   */
  async stop(reason: string, role: LeaseRole = 'teleoperation', by?: string, run?: string): Promise<void> {
    this.#dismiss(role);
    this.noteStop(reason, by);
    await this.#whileStopping(() => this.#stopAll(reasonWith(reason, by), 'stop'), run);
  }

  /** Stops the motions of this run for which `isOf` is true. Motions of others continue. `by` and rejects as `stop`. */
  async stopRun(
    run: string,
    reason: string,
    { by, isOf = () => true }: { by?: string | undefined; isOf?: (told: MotionTold) => boolean } = {},
  ): Promise<void> {
    const own: Which = ({ told }) => told?.run === run && isOf(told);
    if ([...this.#motions.values()].some(own)) this.noteStop(reason, by);
    await this.#stopMotions(own, reasonWith(reason, by), 'stop');
  }

  /** The emergency stop was engaged: no motion starts, and every motion ends. Rejects as `stop`. */
  async emergency(reason: string): Promise<void> {
    // The former holder has to take the lease again: a release hands the robot to no holder.
    this.#lease.drop();
    this.note({ kind: 'safety.stopped', payload: { reason: reason.slice(0, 512), source: 'estop' } });
    await this.#whileStopping(() => this.#stopAll(reason, 'emergency-stop'));
  }

  /** Settles when everything stands, or after a deadline. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#leases.close();
    // Teleoperation has no motion here, but the lease. It loses the lease now.
    const leased = this.#lease.state !== 'free';
    this.#lease.drop();
    if (leased || this.#motions.size > 0 || this.#moversMove())
      await this.#safeStop('the execution cell is shutting down').catch(() => {});
    this.#lease.close();
  }

  /** This cell was frozen for so long: motions that it led have to be asked for again. Leases keep their own time. */
  frozen(forMs: number): void {
    if (this.#motions.size === 0 && !this.#moversMove()) return;
    this.#safeStop(`the execution cell was suspended for ${forMs} ms`).catch(() => {});
  }

  /** Stops everything that moves the robot by another way than `move`. False: nothing did. Rejects as `stop`. */
  async stopMovers(reason: string, role: LeaseRole = 'teleoperation'): Promise<boolean> {
    const moved = this.#moversMove();
    this.#dismiss(role);
    await this.#whileStopping(() => this.#stopThem(this.#movers.map(stopOf), reason, 'stop'));
    return moved;
  }

  /** A stop on request is in the log. `by`: the principal that asked. */
  noteStop(reason: string, by: string | undefined): void {
    noteStop(this.#context, reason, by);
  }

  note(event: NewEvent): void {
    this.#context.emit([event]).catch((error: unknown) => {
      this.#context.report('error', 'an actuation event could not be logged', {
        kind: event.kind,
        error: error instanceof Error ? error.message : String(error),
      });
    });
  }

  /** Stops the motions that a dead cell asked for. The robot stands until a new motion is requested. */
  #cellsAre(reports: readonly CellReport[]): void {
    const askers = new Set<unknown>([...this.#motions.values()].map(({ from }) => from));
    for (const { name, state } of reports) {
      const gone = state === 'down' || state === 'failed' || state === 'stopped';
      if (!gone || !askers.has(name)) continue;
      const reason = `the ${name} cell is no longer running`;
      this.note({ kind: 'safety.stopped', payload: { reason, source: 'lease' } });
      this.#stopMotions(({ from }) => from === name, reason, 'safe-stop').catch(() => {});
    }
  }

  /** Where no other holder commands the robot, it is stopped as by any stop. Else only these motions end. */
  async #stopMotions(which: Which, reason: string, operation: string): Promise<void> {
    const { current, state } = this.#lease;
    const others =
      state === 'stopping' ||
      (current !== undefined && !this.#leases.holdsCurrent) ||
      this.#moversMove() ||
      [...this.#motions.values()].some((motion) => motion.hasLease && !which(motion));
    if (!others) return await this.#stopAll(reason, operation, which);
    const ending = [...this.#motions.values()].filter(which);
    for (const { ends } of ending) ends.abort(reason);
    const settled = Promise.all(ending.map((motion) => motion.settled));
    const ends = await stoppedInTime(this.#context.clock, settled, operation);
    if (ends.includes(true)) throw notConfirmed(operation);
  }

  async #safeStop(reason: string, ends: Which = () => true): Promise<void> {
    this.note({ kind: 'safety.stopped', payload: { reason, source: 'lease' } });
    await this.#stopAll(reason, 'safe-stop', ends);
  }

  /** A motion that cannot be stopped does not keep the others from being stopped. Rejects with the first failure. */
  async #stopAll(reason: string, operation: string, ends: Which = () => true): Promise<void> {
    const standing = this.#stopThem(this.#stops, reason, operation);
    // In the same turn: a motion that waits for this one to end, or for the lease, must not start meanwhile.
    for (const motion of [...this.#motions.values()]) if (ends(motion)) motion.ends.abort(reason);
    await standing;
  }

  async #stopThem(stops: readonly Stop[], reason: string, operation: string): Promise<void> {
    // All stops are called in the same turn, also those after one that throws.
    const stopped = Promise.allSettled(stops.map(async (stop) => stop(reason)));
    const ends = await stoppedInTime(this.#context.clock, stopped, operation);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async #whileStopping(stop: () => Promise<void>, run?: string): Promise<void> {
    this.#stopsUnderWay++;
    for (const listen of this.#stopListeners) listen();
    const stopped = stop();
    this.news.ordered(run);
    try {
      await stopped;
    } finally {
      this.#stopsUnderWay--;
    }
  }

  /** Drops the lease of a holder that the caller may stop. Leases of motions end with their motions. */
  #dismiss(role: LeaseRole): void {
    const { current } = this.#lease;
    if (!current || this.#leases.holdsCurrent) return;
    const asker = { rank: LEASE_PRIORITIES[role], isHolder: false };
    if (endsLease('stop', asker, current.priority)) this.#lease.drop();
  }

  #moversMove(): boolean {
    return this.#movers.some((mover) => mover.isMoving());
  }
}

function stopOf({ stop }: Mover): Stop {
  return (reason) => stop(reason);
}

/** For tests of other parts, without an emergency stop. */
const unlatched = (word = new SafetyWord()): Safety => ({ word, latch: new StopLatch(word) });
