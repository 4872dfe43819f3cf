import {
  EdgeError,
  hasExpired,
  LIMITS,
  type Sample,
  type SampleSink,
  type TopicSpec,
} from '../../../contract/core.ts';
import { VelocityGuard } from '../../../formats/ros2/velocity-guard.ts';
import type { RosZenohSession } from './session.ts';
import type { RosZenohStandby } from './standby.ts';
import { TopicWriter } from './topic-writer.ts';
import { type Stop, stopOf } from './velocity-stop.ts';

/** How often the guards of velocity topics look, milliseconds. */
const GUARD_TICK_MS = 25;
/** Who stops the robot when this process is gone. */
type Standby = Pick<RosZenohStandby, 'guard' | 'beat' | 'close'>;
type Guarded = { readonly guard: VelocityGuard; readonly stop: Stop };
type Written = { readonly writer: TopicWriter; readonly guarded: Guarded | undefined };

/**
 * Samples as publications for ROS nodes on rmw_zenoh. Velocity topics (Twist, TwistStamped, speeds of joints) are
 * guarded here: a command that is not renewed within `LIMITS.COMMAND_EXPIRY_MS` is answered by a stop, and so is every
 * start and the close, since the former controller of the robot may have died. What this process can no longer do,
 * `standby` does.
 */
export class RosZenohSink implements SampleSink {
  readonly #session: RosZenohSession;
  readonly #standby: Standby | undefined;
  readonly #written = new Map<string, Written>();
  readonly #opening = new Map<string, Promise<void>>();
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(session: RosZenohSession, standby?: Standby) {
    this.#session = session;
    this.#standby = standby;
  }

  async advertise(topic: TopicSpec): Promise<void> {
    if (this.#written.has(topic.topic)) return;
    const opening = this.#opening.get(topic.topic) ?? this.#advertise(topic);
    this.#opening.set(topic.topic, opening);
    try {
      await opening;
    } finally {
      this.#opening.delete(topic.topic);
    }
  }

  offer(sample: Sample): boolean {
    // This thread was frozen, and the command waited for it.
    if (hasExpired(sample.expiresAtMs, this.#session.clock.monotonicMs())) return true;
    const written = this.#written.get(sample.topic);
    if (!written || this.#closed) return false;
    const { guarded, writer } = written;
    const stops = guarded?.stop.is(sample.bytes) ?? false;
    const wasMoving = guarded?.guard.moving ?? false;
    guarded?.guard.command(stops, this.#session.clock.monotonicMs());
    // Before the first command leaves: who may have to stop it knows of it.
    if (guarded && !wasMoving && !stops) this.#beat();
    return writer.offer(sample.bytes, { must: stops });
  }

  /** What can move the robot stays, since its guard stops it. */
  async withdraw(topic: string): Promise<void> {
    const written = this.#written.get(topic);
    if (!written || written.guarded) return;
    this.#written.delete(topic);
    await written.writer.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const { writer, guarded } of this.#written.values())
      if (guarded?.guard.moving) writer.offer(guarded.stop.message(), { must: true });
    await Promise.all([...this.#written.values()].map(({ writer }) => writer.close()));
    this.#standby?.close();
    await this.#session.release(this);
  }

  async #advertise(topic: TopicSpec): Promise<void> {
    await this.#session.start(this);
    const writer = new TopicWriter(this.#session, topic);
    await writer.open();
    if (this.#closed) {
      // Closed while the topic was declared: it is undeclared here.
      await writer.close();
      await this.#session.release(this);
      throw new EdgeError('ros.failed', {
        operation: 'advertise',
        subject: topic.topic,
        message: 'already closed',
      });
    }
    const stop = stopOf(topic, this.#session.clock);
    const bounded = topic.speeds !== undefined;
    const guarded = stop && { stop, guard: new VelocityGuard(LIMITS.COMMAND_EXPIRY_MS, { bounded }) };
    this.#written.set(topic.topic, { writer, guarded });
    if (guarded) this.#standby?.guard(topic);
    if (guarded) this.#timer ??= this.#session.clock.every(GUARD_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#session.clock.monotonicMs();
    for (const [topic, { writer, guarded }] of this.#written) {
      if (!guarded) continue;
      const { guard, stop } = guarded;
      const due = guard.tick(nowMs, writer.listeners);
      // The link may be full because the robot is driving away: a stop is never dropped.
      if (due.stop && !writer.offer(stop.message(), { must: true })) guard.halt();
      if (due.expired) this.#session.report('warn', `${topic}: command expired, stopped`);
    }
    this.#beat();
  }

  #beat(): void {
    if (!this.#standby) return;
    const moving = [...this.#written].filter(([, { guarded }]) => guarded?.guard.moving);
    this.#standby.beat(moving.map(([topic]) => topic));
  }
}
