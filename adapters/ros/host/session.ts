import type { Clock, TopicSpec } from '../../../contract/index.ts';
import { LIMITS } from '../../../contract/limits.ts';
import { type Control, type Notice, sampleHead } from '../wire.ts';
import { HostFault, messageOf } from './fault.ts';
import { hasLeadingHeader, headerStamp, messageClass } from './message-types.ts';
import { VelocityGuard } from './velocity-guard.ts';
import type {
  EventCallbacks,
  EventClasses,
  Publisher,
  Qos,
  Rclnodejs,
  Node as RosNode,
  Vendor,
} from './vendor.ts';

/** What the session needs of the socket to its adapter. */
export type Outlet = {
  notice(notice: Notice): void;
  /** False when the adapter does not read fast enough: the message was not taken. */
  sample(head: Buffer, message: Buffer): boolean;
};

type Advertised = {
  readonly publisher: Publisher;
  readonly topic: string;
  readonly guard: VelocityGuard | undefined;
  readonly stop: Buffer;
};

/**
 * What a keep_last history overwrites before it is read, Fast DDS does not report, and raw messages carry no
 * sequence number: it would be lost uncounted. So subscriptions are at least this deep: 2 kHz until a host that
 * stopped reading is found hung and killed. Memory is taken as messages wait, not ahead.
 */
const SUBSCRIPTION_DEPTH_MIN = 5_000;
/** How often guarded topics are looked at, milliseconds: far below any expiry. */
const GUARD_TICK_MS = 25;

/** One ROS node: raw subscriptions towards the adapter, raw publications from it, and the guards of motion. */
export class RosSession {
  readonly #rcl: Rclnodejs;
  readonly #events: EventClasses;
  readonly #node: RosNode;
  readonly #clock: Clock;
  readonly #outlet: Outlet;
  readonly #advertised = new Map<number, Advertised>();
  readonly #lost = new Map<string, number>();
  readonly #guardTimer: { cancel(): void };

  constructor(vendor: Vendor, node: RosNode, clock: Clock, outlet: Outlet) {
    this.#rcl = vendor.rcl;
    this.#events = vendor.events;
    this.#node = node;
    this.#clock = clock;
    this.#outlet = outlet;
    this.#guardTimer = clock.every(GUARD_TICK_MS, () => this.#guarded('watch motion', '', () => this.tick()));
  }

  lost(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#lost);
  }

  /** Throws `sample.unknown_type` or `ros.failed` (HostFault). */
  subscribe(channel: number, spec: TopicSpec): void {
    const headed = hasLeadingHeader(messageClass(this.#rcl, spec.type));
    const events = this.#eventsOf(this.#events.SubscriptionEventCallbacks, spec);
    if (events) events.messageLost = (event) => this.#countLost(spec.topic, Number(event.total_count_change));
    const onMessage = (message: Buffer) =>
      this.#guarded('receive', spec.topic, () => {
        const received = this.#clock.now();
        if (message.length > LIMITS.SAMPLE_BYTES_MAX) return this.#countLost(spec.topic, 1);
        const stamp = (headed && headerStamp(message)) || received;
        const head = sampleHead(channel, stamp, received, message.length);
        if (!this.#outlet.sample(head, message)) this.#countLost(spec.topic, 1);
      });
    this.#lost.set(spec.topic, 0);
    attempt('subscribe', spec.topic, () =>
      this.#node.createSubscription(
        spec.type,
        spec.topic,
        { isRaw: true, qos: this.#qos(spec, SUBSCRIPTION_DEPTH_MIN) },
        onMessage,
        events,
      ),
    );
  }

  /** Throws `sample.unknown_type` or `ros.failed`. */
  advertise(control: Extract<Control, { kind: 'advertise' }>): void {
    const { spec } = control;
    messageClass(this.#rcl, spec.type);
    const events = this.#eventsOf(this.#events.PublisherEventCallbacks, spec);
    const publisher = attempt('advertise', spec.topic, () =>
      this.#node.createPublisher(spec.type, spec.topic, { qos: this.#qos(spec, 1) }, events),
    );
    this.#advertised.set(control.channel, {
      publisher,
      topic: spec.topic,
      guard: control.guard && new VelocityGuard(control.guard.expiryMs, control.guard.standby),
      stop: Buffer.from(control.guard?.stop ?? '', 'base64'),
    });
  }

  publish(channel: number, message: Buffer): void {
    const target = this.#advertised.get(channel);
    if (!target) return;
    target.guard?.command(message.equals(target.stop), this.#clock.monotonicMs());
    this.#guarded('publish', target.topic, () => target.publisher.publish(message));
  }

  /** Stops what has to be stopped; called by the timer, and at once when the adapter is gone. */
  tick(): void {
    for (const { guard, publisher, stop, topic } of this.#advertised.values()) {
      if (!guard) continue;
      const { stop: due, expired } = guard.tick(this.#clock.monotonicMs(), publisher.subscriptionCount);
      if (due) publisher.publish(stop);
      if (expired)
        this.#outlet.notice({ kind: 'event', level: 'warn', topic, message: 'command expired, stopped' });
    }
  }

  halt(): void {
    for (const { guard } of this.#advertised.values()) guard?.halt();
    this.#guarded('stop', '', () => this.tick());
  }

  adapterLost(): void {
    for (const { guard } of this.#advertised.values()) guard?.adapterLost();
    this.#guarded('stop', '', () => this.tick());
  }

  close(): void {
    this.#guardTimer.cancel();
    this.#rcl.shutdownAll();
  }

  /** Undefined before Jazzy, where rclnodejs cannot tell losses and incompatible QoS. */
  #eventsOf(Callbacks: new () => EventCallbacks, spec: TopicSpec): EventCallbacks | undefined {
    try {
      const events = new Callbacks();
      events.incompatibleQos = () => this.#warnQos(spec);
      return events;
    } catch {
      return undefined;
    }
  }

  #countLost(topic: string, count: number): void {
    this.#lost.set(topic, (this.#lost.get(topic) ?? 0) + count);
  }

  #warnQos(spec: TopicSpec): void {
    const asked = `${spec.qos.reliability}, ${spec.qos.durability}`;
    const message = `incompatible quality of service: nothing flows between this node (${asked}) and one on the other side`;
    this.#outlet.notice({ kind: 'event', level: 'warn', topic: spec.topic, message });
  }

  /** A throw out of a callback of rclnodejs ends the process uncatchably: nothing may leave it. */
  #guarded(operation: string, topic: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const message = `${operation} failed: ${messageOf(error)}`;
      this.#outlet.notice({ kind: 'event', level: 'error', topic, message });
    }
  }

  /** Numbers of rmw/types.h. */
  #qos({ qos }: TopicSpec, depthMin: number): Qos {
    const history = qos.history === 'keep_all' ? 2 : 1;
    const reliability = qos.reliability === 'reliable' ? 1 : 2;
    const durability = qos.durability === 'transient_local' ? 1 : 2;
    return new this.#rcl.QoS(history, Math.max(qos.depth, depthMin), reliability, durability);
  }
}

function attempt<T>(operation: string, subject: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw HostFault.from(error, operation, subject);
  }
}
