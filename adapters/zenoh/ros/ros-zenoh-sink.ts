import { EdgeError, LIMITS, type Sample, type SampleSink, type TopicSpec } from '../../../contract/core.ts';
import { encodeTwist, encodeTwistStamped, TWIST, TWIST_STAMPED } from '../../../formats/cdr/index.ts';
import { VelocityGuard } from '../../../formats/ros2/velocity-guard.ts';
import type { RosZenohSession } from './session.ts';
import { TopicWriter } from './topic-writer.ts';

/** How often the guards of velocity topics look, milliseconds. */
const GUARD_TICK_MS = 25;
/** Six numbers of eight bytes. */
const TWIST_BYTES = 48;

type Written = { readonly writer: TopicWriter; readonly guard: VelocityGuard | undefined };

/**
 * Samples as publications for ROS nodes on rmw_zenoh. Velocity topics (Twist, TwistStamped) are guarded here: a
 * command that is not renewed within `LIMITS.COMMAND_EXPIRY_MS` is answered by a stop, and so is every start and
 * the close, for what drove the robot before may have died without a word.
 */
export class RosZenohSink implements SampleSink {
  readonly #session: RosZenohSession;
  readonly #written = new Map<string, Written>();
  readonly #opening = new Map<string, Promise<void>>();
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(session: RosZenohSession) {
    this.#session = session;
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
    const written = this.#written.get(sample.topic);
    if (!written || this.#closed) return false;
    const { guard, writer } = written;
    const stops = guard !== undefined && isStop(sample.bytes);
    guard?.command(stops, this.#session.clock.monotonicMs());
    return writer.offer(sample.bytes, { must: stops });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const [, { writer, guard }] of this.#written)
      if (guard?.moving) writer.offer(this.#stop(writer.type), { must: true });
    await Promise.all([...this.#written.values()].map(({ writer }) => writer.close()));
    await this.#session.release(this);
  }

  async #advertise(topic: TopicSpec): Promise<void> {
    await this.#session.start(this);
    const writer = new TopicWriter(this.#session, topic);
    await writer.open();
    if (this.#closed) {
      // Closed while the topic was declared: nobody would undeclare it any more.
      await writer.close();
      await this.#session.release(this);
      throw new EdgeError('ros.failed', {
        operation: 'advertise',
        subject: topic.topic,
        message: 'already closed',
      });
    }
    const moves = topic.type === TWIST || topic.type === TWIST_STAMPED;
    const guard = moves ? new VelocityGuard(LIMITS.COMMAND_EXPIRY_MS) : undefined;
    this.#written.set(topic.topic, { writer, guard });
    if (guard) this.#timer ??= this.#session.clock.every(GUARD_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#session.clock.monotonicMs();
    for (const [topic, { writer, guard }] of this.#written) {
      const due = guard?.tick(nowMs, writer.listeners);
      // The link may be full just because the robot is driving away: a stop is not dropped there, nor forgotten.
      if (due?.stop && !writer.offer(this.#stop(writer.type), { must: true })) guard?.halt();
      if (due?.expired) this.#session.report('warn', `${topic}: command expired, stopped`);
    }
  }

  #stop(type: string): Uint8Array {
    const still = { linear: { x: 0, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } };
    if (type !== TWIST_STAMPED) return encodeTwist(still);
    const stamp = this.#session.clock.now();
    return encodeTwistStamped({ header: { stamp, frame_id: 'base_link' }, twist: still });
  }
}

/** All six numbers at the end of the message are zero, stamped or not. */
function isStop(bytes: Uint8Array): boolean {
  return bytes.length >= 4 + TWIST_BYTES && bytes.subarray(-TWIST_BYTES).every((byte) => byte === 0);
}
