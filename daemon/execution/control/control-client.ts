import {
  type Clock,
  EdgeError,
  type Maneuver,
  type MapSnapshot,
  type MotionResult,
  type NavigateGoal,
  type RobotState,
  type Sample,
  type Timer,
  type Twist2d,
  type WorkCounter,
  withDeadline,
} from '../../../contract/core.ts';
import type { Drive } from '../drive.ts';
import type { CoreCounts, TickResult } from './control-core.ts';
import type { Answers, Ask, ControlPort, FromControl, ToControl } from './messages.ts';
import { ROBOT_TOPICS, type RobotTopics, roleOf } from './robot-topics.ts';
import { isSignalType } from './signals.ts';
import { driveLegs } from './way-legs.ts';

/** A control thread as its starter hands it over. */
export type ControlHandle = {
  readonly port: ControlPort;
  /** Ends the thread, however it is; may be called twice. */
  terminate(): void;
  onExit(listen: (reason: string) => void): void;
};

export type ControlClientDeps = {
  readonly clock: Clock;
  /** Starts a thread. A throw counts as a thread that ended at once. */
  spawn(): ControlHandle;
  readonly topics?: RobotTopics;
  /** The lease that is held now: a motion continues under the lease that it started with. Absent: 0. */
  lease?(): number;
  /** Every control step: the command goes to the robot, the receipts to the log. */
  onTick(result: TickResult, madeAtMs?: number): void;
  /** Simulation time may continue. */
  onWake(): void;
  /** A thread has its policy: the configured one, or another one because of `fault`. */
  onReady?(fault: EdgeError | undefined): void;
  /** The thread is gone and will be restarted: the robot has to be stopped by the caller. */
  onDown(reason: string): void;
};

/** State and map are answered at once; later than this the thread hangs, milliseconds. */
const ANSWER_MS = 5_000;
/** What lies in the port of a thread is read within this, milliseconds. */
const READ_MS = 100;
const PING_EVERY_MS = 1_000;
/** A thread that loads its policy answers nothing yet; later than this it hangs, milliseconds. */
const READY_MS = 40_000;
/** First delay before a new thread, doubled up to the next, milliseconds. */
const RESTART_FIRST_MS = 100;
/**
 * A thread that hangs is terminated this long after the robot was ordered to stand, milliseconds: zeros are repeated
 * for 500 ms by what sends them, which may be this very process.
 */
const TERMINATE_AFTER_MS = 600;
const RESTART_MAX_MS = 5_000;

/** A thread that closes ends with the inference that it is at; later than this it is terminated, milliseconds. */
const END_MS = 1_000;

type Waiting = { resolve: (value: never) => void; reject: (error: EdgeError) => void; motion: boolean };

/**
 * The other end of the control thread: typed questions with deadlines, and motions by number, which an abort cancels. A thread that dies or does not answer
 * a ping is replaced; what was asked of it then rejects with `cell.restarted`.
 */
export class ControlClient implements Drive {
  readonly #deps: ControlClientDeps;
  readonly #lease: () => number;
  #motions = 0;
  readonly #topics: RobotTopics;
  #handle: ControlHandle | undefined;
  #waiting = new Map<number, Waiting>();
  #ids = 0;
  #restarts = 0;
  #delay = RESTART_FIRST_MS;
  #pings: Timer | undefined;
  #restart: Timer | undefined;
  #closed = false;
  #isReady = false;
  #readyLimit: Timer | undefined;
  #counts: CoreCounts | undefined;
  #ticks = 0;
  /** Of any kind, failures included: each shows that the thread works. */
  #answers = 0;
  #policy = '';
  #hz = 0;

  constructor(deps: ControlClientDeps) {
    this.#deps = deps;
    this.#topics = deps.topics ?? ROBOT_TOPICS;
    this.#lease = deps.lease ?? (() => 0);
  }

  start(): void {
    this.#spawn();
    this.#pings = this.#deps.clock.every(PING_EVERY_MS, () => this.#ping());
  }

  get status(): {
    hz: number;
    ticks: number;
    starved: number;
    refused: number;
    policy: string;
    restarts: number;
  } {
    const { starved = 0, refused = 0 } = this.#counts ?? {};
    return {
      hz: this.#hz,
      ticks: this.#ticks,
      starved,
      refused,
      policy: this.#policy,
      restarts: this.#restarts,
    };
  }

  /** All counters of the thread, for metrics; undefined before its first tick. */
  get counts(): CoreCounts | undefined {
    return this.#counts;
  }

  /**
   * Answers owed count as waiting, motions do not: they may take as long as the robot needs. What the thread has done
   * are ticks and answers: an idle lockstep simulation has no ticks. A thread that loads its policy answers nothing
   * and has a limit of its own.
   */
  work(): WorkCounter {
    let waiting = 0;
    if (this.#isReady) for (const one of this.#waiting.values()) if (!one.motion) waiting++;
    return { name: 'control', done: this.#ticks + this.#answers, waiting };
  }

  /** True for a sample that the control thread has a use for. */
  wants(sample: Sample): boolean {
    return roleOf(this.#topics, sample.topic, sample.type) !== undefined || isSignalType(sample.type);
  }

  /** Copies a sample to the thread; others than those it wants are ignored. */
  offer(sample: Sample): void {
    if (!this.#handle || !this.wants(sample)) return;
    // A copy even of a Buffer, whose `slice` copies nothing: transferred memory is gone for everybody else.
    const bytes = new Uint8Array(sample.bytes);
    this.#post({ kind: 'sample', sample: { ...sample, bytes } }, [bytes.buffer]);
  }

  /** Lockstep: one control step; the samples of its moment have been offered before. */
  tick(time: bigint): Promise<TickResult> {
    return this.#expect<TickResult>('tick', (id) => ({ kind: 'tick', id, time }), ANSWER_MS * 2);
  }

  state(): Promise<RobotState> {
    return this.#ask({ op: 'state' }, ANSWER_MS);
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#ask({ op: 'map' }, ANSWER_MS);
  }

  /** It continues as long as the lease that is held now. */
  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    const lease = this.#lease();
    return driveLegs(goal, (leg) =>
      this.#motion((motionId) => this.#ask({ op: 'navigate', motionId, goal: leg, lease }), signal),
    );
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    const lease = this.#lease();
    return this.#motion((motionId) => this.#ask({ op: 'maneuver', motionId, step, lease }), signal);
  }

  /** False where there is no thread to take it. */
  steer(twist: Twist2d, lease: number, madeAtMs: number): boolean {
    this.#post({ kind: 'steer', twist, lease, madeAtMs });
    return this.#handle !== undefined;
  }

  /** Resolves when the robot stands. */
  stop(reason: string): Promise<void> {
    return this.#ask({ op: 'stop', reason });
  }

  /** Settles when the thread has ended: on its own, its policy before it, or terminated when that takes too long. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pings?.cancel();
    this.#restart?.cancel();
    this.#readyLimit?.cancel();
    this.#post({ kind: 'close' });
    this.#rejectAll('the execution cell is shutting down');
    const handle = this.#handle;
    this.#handle = undefined;
    if (!handle) return;
    const ended = new Promise<void>((resolve) => handle.onExit(() => resolve()));
    await withDeadline(this.#deps.clock, END_MS, ended, 'close', 'control').catch(() => handle.terminate());
  }

  /** An abort cancels it; it then settles with `stopped`. */
  async #motion(
    begin: (motionId: string) => Promise<MotionResult>,
    signal: AbortSignal | undefined,
  ): Promise<MotionResult> {
    const motionId = String(++this.#motions);
    const motion = begin(motionId);
    const cancel = () => this.#post({ kind: 'cancel', motionId, reason: reasonOf(signal) });
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await motion;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #ask<A extends Ask>(ask: A, ms?: number): Promise<Answers[A['op']]> {
    return this.#expect(ask.op, (id) => ({ kind: 'ask', id, ask }), ms);
  }

  #expect<T>(operation: string, message: (id: number) => ToControl, ms?: number): Promise<T> {
    if (!this.#handle) {
      const details = { operation, subject: 'control', message: 'the control loop is being restarted' };
      return Promise.reject(new EdgeError('robot.unreachable', details));
    }
    const id = ++this.#ids;
    const motion = ms === undefined;
    const answer = new Promise<T>((resolve, reject) => this.#waiting.set(id, { resolve, reject, motion }));
    this.#post(message(id));
    if (ms === undefined) return answer;
    const { clock } = this.#deps;
    const inTime = withDeadline(clock, ms, answer, operation, 'control').catch((error: unknown) => {
      if (!isLate(error)) throw error;
      // This thread may have stalled itself, and the answer lies in the port: it is read before the thread is judged.
      return withDeadline(clock, READ_MS, answer, operation, 'control');
    });
    return inTime.catch((error: unknown) => {
      this.#waiting.delete(id);
      if (isLate(error) && this.#isReady) this.#down(`${operation}: no answer within ${ms} ms`);
      throw error;
    });
  }

  #post(message: ToControl, transfer: readonly ArrayBuffer[] = []): void {
    this.#handle?.port.postMessage(message, transfer);
  }

  #spawn(): void {
    try {
      const handle = this.#deps.spawn();
      this.#handle = handle;
      this.#isReady = false;
      this.#readyLimit = this.#deps.clock.after(READY_MS, () =>
        this.#down('its policy did not load in time'),
      );
      handle.port.on('message', (message: FromControl) => {
        if (this.#handle === handle) this.#onMessage(message);
      });
      handle.onExit((reason) => {
        if (this.#handle === handle) this.#down(reason);
      });
    } catch (error) {
      this.#down(error instanceof Error ? error.message : String(error));
    }
  }

  #ping(): void {
    if (this.#handle && this.#isReady) this.#ask({ op: 'ping' }, ANSWER_MS).catch(() => {});
  }

  #onMessage(message: FromControl): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        this.#readyLimit?.cancel();
        this.#policy = message.policy.name;
        this.#hz = message.hz;
        this.#deps.onReady?.(message.fault && EdgeError.fromBody(message.fault));
        break;
      case 'ticked':
        this.#ticks++;
        this.#counts = message.counts;
        this.#delay = RESTART_FIRST_MS;
        this.#deps.onTick(message.result, message.madeAtMs);
        if (message.id !== undefined) this.#take(message.id)?.resolve(message.result as never);
        break;
      case 'wake':
        this.#deps.onWake();
        break;
      case 'answer':
        this.#answers++;
        this.#take(message.id)?.resolve(message.value as never);
        break;
      case 'failed':
        this.#answers++;
        this.#take(message.id)?.reject(EdgeError.fromBody(message.error));
        break;
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #down(reason: string): void {
    if (this.#closed) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#readyLimit?.cancel();
    this.#restarts++;
    this.#deps.onDown(reason);
    // A thread that is ended within its policy's runtime may take the process with it: the zeros are all sent first.
    if (handle) this.#deps.clock.after(TERMINATE_AFTER_MS, () => handle.terminate());
    this.#rejectAll(reason);
    this.#restart?.cancel();
    this.#restart = this.#deps.clock.after(this.#delay, () => this.#spawn());
    this.#delay = Math.min(this.#delay * 2, RESTART_MAX_MS);
  }

  #rejectAll(reason: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) {
      one.reject(
        new EdgeError('cell.restarted', { operation: 'control', subject: 'control', message: reason }),
      );
    }
  }
}

function isLate(error: unknown): boolean {
  return error instanceof EdgeError && error.code === 'deadline.exceeded';
}

function reasonOf(signal: AbortSignal | undefined): string {
  return typeof signal?.reason === 'string' ? signal.reason : 'cancelled';
}
