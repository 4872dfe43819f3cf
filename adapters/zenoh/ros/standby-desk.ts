import { type Clock, LIMITS, type Timer } from '../../../contract/core.ts';
import { STOP_REPEATS, VelocityGuard } from '../../../formats/ros2/velocity-guard.ts';

/** One topic by which something moves, as the standby can stop it. */
export type StandbyWay = {
  readonly topic: string;
  /** Speeds of joints: other programs may drive them by the same topic. */
  readonly bounded: boolean;
  /** Subscriptions that would hear a stop. */
  listeners(): number;
  /** Sends one zero; false where it was not taken. */
  sendStop(): boolean;
};

type Guarded = {
  readonly way: StandbyWay;
  readonly guard: VelocityGuard;
  /** Zeros sent since the last beat. */
  sent: number;
};

/** How often it looks, milliseconds. */
export const STANDBY_TICK_MS = 25;
/**
 * A look that comes this long after the one before it shows that the standby itself did not run, milliseconds: beats of
 * a sender that lives may lie unread in its channel.
 */
const LATE_MS = 4 * STANDBY_TICK_MS;
/** An event loop reads what waits in its sockets before a timer that was set now, milliseconds. */
const MAIL_MS = 1;
/** A sender that was lost while something moved leaves the standby this long to be heard, milliseconds. */
const LEAVE_MS_MAX = 30_000;

export type StandbyEvents = {
  /** Topics whose beat stayed away: zeros are on their way. */
  stopped(topics: readonly string[]): void;
  /**
   * The sender is gone, and nothing is left to do: all that moved was stopped, or no listener heard it for too long.
   */
  done(): void;
};

/**
 * What the standby knows and decides: which topics move by the last beat, and when each of them is to be stopped. It
 * sends zeros by the ways that it was given and nothing else.
 */
export class StandbyDesk {
  readonly #clock: Clock;
  readonly #events: StandbyEvents;
  readonly #guarded = new Map<string, Guarded>();
  #lookMs: number;
  #leftMs: number | undefined;
  /** What moved when the sender was gone, or was being stopped: each of it is stopped before the standby leaves. */
  #owed: readonly Guarded[] = [];
  readonly #timer: Timer;

  constructor(clock: Clock, events: StandbyEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#lookMs = clock.monotonicMs();
    this.#timer = clock.every(STANDBY_TICK_MS, () => this.#look());
  }

  get hasLeft(): boolean {
    return this.#leftMs !== undefined;
  }

  guard(way: StandbyWay): void {
    const guard = new VelocityGuard(LIMITS.COMMAND_EXPIRY_MS, { standby: true, bounded: way.bounded });
    this.#guarded.set(way.topic, { way, guard, sent: 0 });
  }

  /** The sender lives; on these topics something moves by its last command. */
  beat(moving: readonly string[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, one] of this.#guarded) {
      one.guard.command(!moving.includes(topic), nowMs);
      one.sent = 0;
    }
  }

  /** The sender is gone: what moves is stopped now, and what was being stopped is stopped to the end. */
  leave(): void {
    const all = [...this.#guarded.values()];
    const moving = all.filter(({ guard }) => guard.moving);
    const stopping = all.filter(({ sent }) => sent > 0 && sent < STOP_REPEATS);
    this.#owed = [...new Set([...moving, ...stopping])];
    this.#leftMs = this.#clock.monotonicMs();
    for (const { guard } of moving) guard.adapterLost();
    this.#judge();
  }

  /**
   * A standby that did not run for a while decides nothing before it has read the mail of that time. Where the sender is
   * gone, nothing waits in it.
   */
  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const isLate = nowMs - this.#lookMs >= LATE_MS;
    this.#lookMs = nowMs;
    if (isLate && !this.hasLeft) this.#clock.after(MAIL_MS, () => this.#judge());
    else this.#judge();
  }

  #judge(): void {
    const nowMs = this.#clock.monotonicMs();
    const stopped: string[] = [];
    for (const [topic, one] of this.#guarded) {
      const due = one.guard.tick(nowMs, one.way.listeners());
      if (due.expired) stopped.push(topic);
      if (!due.stop) continue;
      if (one.way.sendStop()) one.sent++;
      else one.guard.halt();
    }
    if (stopped.length > 0) this.#events.stopped(stopped);
    if (!this.#isDone(nowMs)) return;
    this.#timer.cancel();
    this.#events.done();
  }

  #isDone(nowMs: number): boolean {
    if (this.#leftMs === undefined) return false;
    return this.#owed.every(({ sent }) => sent >= STOP_REPEATS) || nowMs - this.#leftMs > LEAVE_MS_MAX;
  }
}
