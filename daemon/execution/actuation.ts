import {
  type CellContext,
  type CellName,
  EdgeError,
  type EventPayload,
  isUuidv7,
  type MotionResult,
  type NewEvent,
  type Timer,
  TOPICS,
  withDeadline,
} from '../../contract/core.ts';
import { ActuationLease, LEASE_PRIORITIES, type Lease } from './lease.ts';

/** How long a lease lives without renewal, and a safe stop may take, milliseconds. */
const LEASE_TTL_MS = 3_000;
const SAFE_STOP_MS = 4_000;

/** Brings something that moves to its safe state. */
export type Stop = (reason: string) => Promise<void>;
/** Something that may move the robot without a motion of ours: goals sent through the ROS API, a play of commands. */
export type Mover = { isMoving(): boolean; readonly stop: Stop };

/** What the record says of a motion besides how it ended. */
export type MotionTold = {
  readonly motion: EventPayload<'motion.ended'>['motion'];
  readonly traceparent?: string | undefined;
};

type Motion = { readonly from: CellName; readonly ends: AbortController };

/**
 * Everything that moves in this robot, under one actuation lease: base and arm alike. A motion begins with the
 * lease, ends when the lease is lost, and the agent's lease lives as long as one of its motions does. Whatever is
 * stopped is stopped as a whole, and its audit goes to the event log.
 */
export class Actuation {
  readonly #context: CellContext;
  readonly #stops: readonly Stop[];
  readonly #movers: readonly Mover[];
  readonly #lease: ActuationLease;
  readonly #motions = new Map<string, Motion>();
  #held: Lease | undefined;
  #renewal: Timer | undefined;
  #closed = false;

  /** Every stop, whatever its cause, stops the `movers` too. */
  constructor(context: CellContext, stops: readonly Stop[], movers: readonly Mover[] = []) {
    this.#context = context;
    this.#stops = [
      ...stops,
      ...movers.map(
        ({ stop }) =>
          (reason: string) =>
            stop(reason),
      ),
    ];
    this.#movers = movers;
    this.#lease = new ActuationLease({
      clock: context.clock,
      safeStop: (reason) => this.#safeStop(reason),
      onGranted: (lease) =>
        this.note({ kind: 'lease.granted', payload: { holder: lease.holder, ttl_ms: lease.ttlMs } }),
      onEnded: (lease, reason) =>
        this.note({ kind: 'lease.released', payload: { holder: lease.holder, reason } }),
    });
    context.bus.onBroadcast(TOPICS.cellState, (body) => this.#cellsAre(body));
  }

  /** Others in this cell who command actuators (teleoperation, central) take the lease here. */
  get lease(): ActuationLease {
    return this.#lease;
  }

  /**
   * `signal` aborts when the motion is cancelled or its lease is lost, also while it waits for the lease: then it
   * begins aborted. Rejects with `lease.held`, and `cell.unavailable` once the cell stops.
   */
  async move(
    motionId: string,
    from: CellName,
    start: (signal: AbortSignal) => Promise<MotionResult>,
    told?: MotionTold,
  ): Promise<MotionResult> {
    if (this.#motions.has(motionId)) {
      throw new EdgeError('schema.invalid', {
        operation: 'robot-motion',
        subject: motionId,
        message: 'a motion of this id is under way',
      });
    }
    if (this.#closed) throw closing(motionId);
    const ends = new AbortController();
    // Known before it has the lease: whoever cancels it, or stops the robot, meanwhile is heard.
    this.#motions.set(motionId, { from, ends });
    const began = this.#context.clock.monotonicMs();
    let outcome = 'internal.fault';
    try {
      await this.#take();
      if (this.#closed) throw closing(motionId);
      const result = await start(ends.signal);
      outcome = result.outcome;
      return result;
    } catch (thrown) {
      if (thrown instanceof EdgeError) outcome = thrown.code;
      throw thrown;
    } finally {
      if (told && isUuidv7(motionId)) this.#ended(motionId, told, outcome, began);
      this.#motions.delete(motionId);
      if (this.#motions.size === 0) this.#giveBack();
    }
  }

  #ended(motionId: string, { motion, traceparent }: MotionTold, outcome: string, began: number): void {
    const duration_ms = Math.max(0, this.#context.clock.monotonicMs() - began);
    const trace = traceparent === undefined ? {} : { traceparent };
    this.note({
      kind: 'motion.ended',
      payload: { motion_id: motionId, motion, outcome, duration_ms, ...trace },
    });
  }

  /** That motion then settles; an unknown one is no error. */
  cancel(motionId: string, reason: string): void {
    this.#motions.get(motionId)?.ends.abort(reason);
  }

  /** Somebody asked for it. Rejects where standing still was not confirmed. */
  async stop(reason: string): Promise<void> {
    this.note({ kind: 'safety.stopped', payload: { reason: reason.slice(0, 512), source: 'request' } });
    await this.#stopAll(reason, 'stop');
  }

  /** Everything stands when this settles, or `SAFE_STOP_MS` have passed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#renewal?.cancel();
    const moves = this.#motions.size > 0 || this.#movers.some((mover) => mover.isMoving());
    if (moves) await this.#safeStop('the cell stops').catch(() => {});
    this.#lease.close();
  }

  note(event: NewEvent): void {
    this.#context.emit([event]).catch((error: unknown) => {
      this.#context.report('error', 'an actuation event could not be logged', {
        kind: event.kind,
        error: error instanceof Error ? error.message : String(error),
      });
    });
  }

  /** A robot does not drive on for somebody who is gone: it waits, standing, until it is asked anew. */
  #cellsAre(reports: unknown): void {
    const askers = new Set<unknown>([...this.#motions.values()].map(({ from }) => from));
    for (const { name, state } of reports as readonly { name: string; state: string }[]) {
      const gone = state === 'down' || state === 'failed' || state === 'stopped';
      if (gone && askers.has(name)) this.#safeStop(`the ${name} cell is gone`).catch(() => {});
    }
  }

  async #take(): Promise<void> {
    if (this.#held && this.#lease.holds(this.#held.id)) return;
    const lease = await this.#lease.acquire('agent', LEASE_PRIORITIES.agent, LEASE_TTL_MS);
    this.#held = lease;
    this.#renewal?.cancel();
    this.#renewal = this.#context.clock.every(LEASE_TTL_MS / 3, () => {
      if (this.#lease.holds(lease.id)) this.#lease.renew(lease.id);
    });
  }

  #giveBack(): void {
    this.#renewal?.cancel();
    if (this.#held) this.#lease.release(this.#held.id);
    this.#held = undefined;
  }

  async #safeStop(reason: string): Promise<void> {
    this.note({ kind: 'safety.stopped', payload: { reason, source: 'lease' } });
    await this.#stopAll(reason, 'safe-stop');
  }

  /** One that cannot be stopped keeps no other from being stopped; the first failure is told. */
  async #stopAll(reason: string, operation: string): Promise<void> {
    const doomed = [...this.#motions.values()];
    const stopped = Promise.allSettled(this.#stops.map((stop) => stop(reason)));
    try {
      const ends = await withDeadline(this.#context.clock, SAFE_STOP_MS, stopped, operation, 'robot');
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    } finally {
      // What a stop left running (it was being asked for at that moment) ends here.
      for (const { ends } of doomed) ends.abort(reason);
    }
  }
}

function closing(motionId: string): EdgeError {
  return new EdgeError('cell.unavailable', {
    operation: 'robot-motion',
    subject: motionId,
    message: 'the execution cell stops',
  });
}
