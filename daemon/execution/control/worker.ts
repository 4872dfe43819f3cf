import {
  type Clock,
  EdgeError,
  type ErrorBody,
  FreezeWatch,
  type MotionResult,
  type Policy,
  type Sample,
  type Timer,
} from '../../../contract/core.ts';
import type { SafetyWatch } from '../safety/safety-word.ts';
import { CORE_DEFAULTS, ControlCore, type CoreOptions } from './control-core.ts';
import type { Ask, ControlPort, FromControl, ToControl } from './messages.ts';
import type { RestingPolicy } from './resting-policy.ts';
import { roleOf } from './robot-topics.ts';
import { SenseLateness } from './sense-lateness.ts';
import { WakingMotions } from './waking-motions.ts';

/** A robot that was moved by no policy for this long lets go of it, milliseconds; looked at so often. */
const REST_AFTER_MS = 180_000;
const REST_LOOK_MS = 30_000;

export type ControlWorkerDeps = {
  readonly policy: Policy;
  /** Why `policy` stands in for the configured one. */
  readonly fault?: ErrorBody | undefined;
  /** `policy`, where it is loaded for a motion: a motion that needs it starts when it is. */
  readonly resting?: RestingPolicy | undefined;
  readonly clock: Clock;
  readonly options?: CoreOptions;
  /** Whether what moves still may, looked at in each step. */
  readonly watch?: SafetyWatch | undefined;
};

/**
 * Runs a control core behind a message port: in a worker thread's entry file with its `parentPort`, in tests
 * with one end of a `MessageChannel`. In lockstep it ticks on request; else by its own clock, in robot time
 * carried on from the newest sample. Returns once `close` arrived.
 */
export function runControlWorker(port: ControlPort, deps: ControlWorkerDeps): Promise<void> {
  return new Promise((closed) => new ControlThread(port, deps, closed).start());
}

class ControlThread {
  readonly #port: ControlPort;
  readonly #deps: ControlWorkerDeps;
  readonly #options: CoreOptions;
  readonly #core: ControlCore;
  readonly #closed: () => void;
  #timer: Timer | undefined;
  /** Ticks one after the other: a later one waits for an earlier one's inference. */
  #ticks: Promise<void> = Promise.resolve();
  #ticking = false;
  #lastTick: bigint | undefined;
  /** What robot time goes by: the newest stamp, when it came by our own clock, and how late. */
  #newest: { stamp: bigint; at: number; lateMs: number } | undefined;
  #lateness: SenseLateness;
  #hasSenses = false;
  readonly #waits = new WakingMotions();
  /** When a motion last needed the policy, monotonic milliseconds. */
  #neededMs = 0;
  #rests: Timer | undefined;
  readonly #freeze: FreezeWatch;

  constructor(port: ControlPort, deps: ControlWorkerDeps, closed: () => void) {
    this.#port = port;
    this.#deps = deps;
    this.#options = deps.options ?? CORE_DEFAULTS;
    this.#core = new ControlCore(deps.policy, deps.clock, this.#options, deps.watch);
    this.#lateness = new SenseLateness(this.#options.control.ownClock);
    this.#closed = closed;
    this.#freeze = new FreezeWatch(deps.clock, (frozenMs) => this.#thawed(frozenMs));
  }

  start(): void {
    this.#port.on('message', (message: ToControl) => this.#onMessage(message));
    const { hz, lockstep } = this.#options.control;
    if (!lockstep) {
      this.#freeze.start();
      this.#timer = this.#deps.clock.every(1000 / hz, () => this.#tickByClock());
    }
    this.#sayReady(this.#deps.fault);
  }

  #sayReady(fault: ErrorBody | undefined): void {
    const { hz } = this.#options.control;
    this.#send({ kind: 'ready', policy: this.#deps.policy.describe(), hz, ...(fault ? { fault } : {}) });
  }

  #send(message: FromControl, transfer?: readonly ArrayBuffer[]): void {
    this.#port.postMessage(message, transfer);
  }

  #onMessage(message: ToControl): void {
    switch (message.kind) {
      case 'sample':
        this.#sense(message.sample);
        this.#noteTime(message.sample);
        break;
      case 'tick':
        this.#ticks = this.#ticks.then(() => this.#tick(message.id, message.time));
        break;
      case 'ask':
        void this.#answer(message.id, message.ask);
        break;
      case 'cancel':
        this.#waking(() => {
          this.#waits.start(message.motionId);
          this.#core.cancel(message.motionId, message.reason);
        });
        break;
      case 'steer':
        this.#waking(() => this.#core.steer(message.twist, message.lease, message.madeAtMs));
        break;
      case 'close':
        this.#freeze.close();
        this.#timer?.cancel();
        this.#rests?.cancel();
        void this.#deps.policy.close().finally(this.#closed);
        break;
    }
  }

  /** Where the robot restarted, its map did: a motion that waits has a goal in the map before. */
  #sense(sample: Sample): void {
    const { lives } = this.#core;
    this.#waking(() => {
      this.#core.onSample(sample);
      if (lives !== this.#core.lives && !this.#waits.isEmpty)
        this.#stop('the robot restarted').catch(() => undefined);
    });
  }

  async #answer(id: number, ask: Ask): Promise<void> {
    try {
      const value = await this.#waking(() => this.#carryOut(ask));
      const cells = ask.op === 'map' && value ? (value as { cells: Int8Array }).cells : undefined;
      this.#send({ kind: 'answer', id, value }, cells ? [cells.buffer as ArrayBuffer] : []);
    } catch (error) {
      this.#send({
        kind: 'failed',
        id,
        error: EdgeError.from(error, 'internal.fault', ask.op, 'control').toBody(),
      });
    }
  }

  #carryOut(ask: Ask): unknown {
    switch (ask.op) {
      case 'ping':
        return undefined;
      case 'state':
        return this.#core.state();
      case 'map':
        return this.#core.map();
      case 'navigate':
        return this.#navigate(ask);
      case 'maneuver':
        this.#waits.startAll();
        return this.#core.maneuver(ask.motionId, ask.step, ask.lease);
      case 'stop':
        return this.#stop(ask.reason);
    }
  }

  /** The robot stands until its policy is loaded: loading is no starvation, and no time of the motion. */
  #navigate({ motionId, goal, lease }: Extract<Ask, { op: 'navigate' }>): Promise<MotionResult> {
    const start = () => this.#core.navigate(motionId, goal, lease).finally(() => this.#needed());
    const { resting } = this.#deps;
    this.#needed();
    if (!resting || resting.isAwake) return start();
    const result = this.#waits.add(motionId, start);
    const before = resting.fault;
    void resting.wake().then(() => {
      const { fault } = resting;
      if (fault?.message !== before?.message) this.#sayReady(fault);
      this.#needed();
      this.#waking(() => this.#waits.start(motionId));
    });
    return result;
  }

  #needed(): void {
    const { resting, clock } = this.#deps;
    if (!resting) return;
    this.#neededMs = clock.monotonicMs();
    this.#rests ??= clock.every(REST_LOOK_MS, () => this.#restWhenIdle());
  }

  #restWhenIdle(): void {
    const { resting, clock } = this.#deps;
    const isIdle = this.#waits.isEmpty && this.#core.state().motion !== 'moving';
    if (!isIdle || clock.monotonicMs() - this.#neededMs < REST_AFTER_MS) return;
    this.#rests?.cancel();
    this.#rests = undefined;
    resting?.rest();
  }

  #stop(reason: string): Promise<void> {
    this.#waits.startAll();
    return this.#core.stop(reason);
  }

  /** Says so when what was asked ends the hold that a simulation may be standing in. */
  #waking<T>(act: () => T): T {
    const held = this.#core.holding;
    const result = act();
    if (held && !this.#core.holding) this.#send({ kind: 'wake' });
    return result;
  }

  /** A thread that was frozen does not continue where it was: the robot stands, and the caller has to ask again. */
  #thawed(frozenMs: number): void {
    const reason = `the control thread was suspended for ${frozenMs} ms`;
    this.#waking(() => this.#stop(reason)).catch(() => undefined);
  }

  /** A tick that was due while another waits is skipped: the next one sees newer samples. */
  #tickByClock(): void {
    this.#freeze.look();
    if (this.#ticking || !this.#newest) return;
    this.#ticking = true;
    const since = this.#deps.clock.monotonicMs() - this.#newest.at;
    const now = this.#newest.stamp + BigInt(Math.round(since * 1e6));
    // Carried on by this clock, time may have run ahead of a robot whose samples come late: it waits for them.
    if (this.#lastTick === undefined || now > this.#lastTick) this.#lastTick = now;
    // Time that waits is ahead of the samples already, by so much of their lateness.
    const aheadMs = Number(this.#lastTick - now) / 1e6;
    const lateMs = Math.max(0, this.#newest.lateMs - aheadMs);
    void this.#tick(undefined, this.#lastTick, lateMs).finally(() => {
      this.#ticking = false;
    });
  }

  async #tick(id: number | undefined, time: bigint, lateMs = 0): Promise<void> {
    const result = await this.#core.tick(time, lateMs, this.#lateness.isOffset);
    const madeAt = this.#options.control.lockstep ? {} : { madeAtMs: this.#deps.clock.monotonicMs() };
    this.#send({ kind: 'ticked', id, result, counts: this.#core.counts, ...madeAt });
  }

  #noteTime(sample: Sample): void {
    const { stamp } = sample;
    const { topics, control } = this.#options;
    const role = roleOf(topics, sample.topic, sample.type);
    const senses = role === 'scan' || role === 'odometry';
    // The others may bear the time of their receipt: that of our clock, by which nothing is ever late.
    if (!senses && this.#hasSenses) return;
    this.#hasSenses ||= senses;
    const back = this.#newest && stamp <= this.#newest.stamp;
    // A second back is another run of the robot, less is reordering.
    if (back && this.#newest!.stamp - stamp < 1_000_000_000n) return;
    if (back) {
      this.#lastTick = undefined;
      this.#lateness = new SenseLateness(control.ownClock);
    }
    const at = this.#deps.clock.monotonicMs();
    // Simulated time goes at a rate of its own: what is received by another clock drifts away from it and is not late.
    const lateMs = control.simulated || !senses ? 0 : this.#lateness.add(sample, at);
    this.#newest = { stamp, at, lateMs };
  }
}
