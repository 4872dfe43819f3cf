import type { Clock, Nanoseconds, TopicSpec } from '../../../contract/index.ts';
import { LIMITS } from '../../../contract/limits.ts';
import { type Control, type Notice, type StartOptions, sampleHead } from '../wire.ts';
import { HostFault, messageOf } from './fault.ts';
import { hasLeadingHeader, headerStamp } from './header-stamp.ts';
import { messageClass, requireInstalled } from './interface-types.ts';
import { qosCallbacks } from './qos-events.ts';
import { needsNative, RAW_TYPE, vendorQos, withNative } from './qos-settings.ts';
import { VelocityGuard } from './velocity-guard.ts';
import type {
  EventCallbacks,
  EventClasses,
  Publisher,
  Rclnodejs,
  Node as RosNode,
  Subscription,
  TypeName,
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
  /** Commands that came too late since the last look, by topic. */
  readonly #late = new Map<string, number>();
  readonly #guardTimer: { cancel(): void };
  readonly #options: StartOptions;
  readonly #subscriptions = new Map<
    number,
    { readonly topic: string; readonly subscription: Subscription }
  >();
  #toldNoClock = false;

  constructor(vendor: Vendor, node: RosNode, clock: Clock, outlet: Outlet, options: StartOptions) {
    this.#options = options;
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
  subscribe({ channel, spec, raw }: Extract<Control, { kind: 'subscribe' }>): void {
    // A second subscription would deliver each sample twice, and the first one could never be ended.
    this.unsubscribe(channel);
    const type = raw ? this.#rawType(spec) : spec.type;
    const headed = raw?.headed ?? hasLeadingHeader(messageClass(this.#rcl, spec.type));
    this.#requireNative(spec);
    const tell = (notice: Notice) => this.#outlet.notice(notice);
    const lose = (count: number) => this.#countLost(spec.topic, count);
    const events = qosCallbacks(this.#events, this.#node, this.#clock, spec, 'in', tell, lose);
    if (events) this.#guardAll(events, spec.topic);
    const onMessage = (message: Buffer) =>
      this.#guarded('receive', spec.topic, () => {
        const received = this.#now();
        if (message.length > LIMITS.SAMPLE_BYTES_MAX) return this.#countLost(spec.topic, 1);
        const stamp = (headed && headerStamp(message)) || received;
        const head = sampleHead(channel, stamp, received, message.length);
        if (!this.#outlet.sample(head, message)) this.#countLost(spec.topic, 1);
      });
    if (!this.#lost.has(spec.topic)) this.#lost.set(spec.topic, 0);
    const qos = vendorQos(this.#rcl, spec.qos, SUBSCRIPTION_DEPTH_MIN);
    const subscription = attempt('subscribe', spec.topic, () =>
      withNative(spec.qos, raw ? spec.type : undefined, () =>
        this.#node.createSubscription(type, spec.topic, { isRaw: true, qos }, onMessage, events),
      ),
    );
    this.#subscriptions.set(channel, { topic: spec.topic, subscription });
  }

  /** Of a topic that is subscribed, or advertised without a guard. */
  unsubscribe(channel: number): void {
    const sent = this.#advertised.get(channel);
    if (sent && !sent.guard) {
      this.#advertised.delete(channel);
      this.#guarded('unadvertise', sent.topic, () => this.#node.destroyPublisher(sent.publisher));
    }
    const left = this.#subscriptions.get(channel);
    if (!left) return;
    this.#subscriptions.delete(channel);
    // Counts are kept, since sums must not decrease; names without one are not reported for ever.
    if (this.#lost.get(left.topic) === 0) this.#lost.delete(left.topic);
    this.#guarded('unsubscribe', left.topic, () => this.#node.destroySubscription(left.subscription));
  }

  /** Throws `sample.unknown_type` or `ros.failed`. */
  advertise(control: Extract<Control, { kind: 'advertise' }>): void {
    const { spec } = control;
    messageClass(this.#rcl, spec.type);
    this.#requireNative(spec);
    const events = qosCallbacks(this.#events, this.#node, this.#clock, spec, 'out', (notice) =>
      this.#outlet.notice(notice),
    );
    if (events) this.#guardAll(events, spec.topic);
    const qos = vendorQos(this.#rcl, spec.qos, 1);
    const publisher = attempt('advertise', spec.topic, () =>
      withNative(spec.qos, undefined, () =>
        this.#node.createPublisher(spec.type, spec.topic, { qos }, events),
      ),
    );
    this.#node.syncHandles();
    this.#advertised.set(control.channel, {
      publisher,
      topic: spec.topic,
      guard: control.guard && new VelocityGuard(control.guard.expiryMs, control.guard),
      stop: Buffer.from(control.guard?.stop ?? '', 'base64'),
    });
  }

  /** A command that comes after `expiresAtMs` is dropped: this process, or the adapter, was frozen. */
  publish(channel: number, message: Buffer, expiresAtMs = Number.NaN): void {
    const target = this.#advertised.get(channel);
    if (!target) return;
    if (this.#clock.monotonicMs() > expiresAtMs) {
      this.#late.set(target.topic, (this.#late.get(target.topic) ?? 0) + 1);
      return;
    }
    target.guard?.command(message.equals(target.stop), this.#clock.monotonicMs());
    this.#guarded('publish', target.topic, () => target.publisher.publish(message));
  }

  #reportLate(): void {
    for (const [topic, count] of this.#late) {
      const message = `${count} commands came too late and were dropped`;
      this.#outlet.notice({ kind: 'event', level: 'warn', topic, message });
    }
    this.#late.clear();
  }

  /** Stops what has to be stopped; called by the timer, and at once when the adapter is gone. */
  tick(): void {
    this.#reportLate();
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

  /** By the clock of the node: with `use_sim_time` it is what /clock says, once it said something. */
  #now(): Nanoseconds {
    const wall = this.#clock.now();
    if (!this.#options.useSimTime) return wall;
    const simulated = this.#node.getClock().now().nanoseconds;
    if (simulated > 0n) return simulated;
    if (!this.#toldNoClock) {
      this.#toldNoClock = true;
      const message =
        'no message on /clock yet: until one arrives, samples are stamped with the clock of this host';
      this.#outlet.notice({ kind: 'event', level: 'warn', topic: '/clock', message });
    }
    return wall;
  }

  #rawType(spec: TopicSpec): TypeName {
    if (this.#options.native) return RAW_TYPE;
    // Says which package is missing.
    requireInstalled(spec.type, 'msg');
    throw new HostFault('sample.unknown_type', 'subscribe', spec.type, 'no helper library on this host');
  }

  /** Policies that cannot be applied are reported; the others hold. */
  #requireNative({ topic, qos }: TopicSpec): void {
    if (this.#options.native || !needsNative(qos)) return;
    const message =
      'deadline, lifespan and lease are not applied: they need the helper library (a C compiler)';
    this.#outlet.notice({ kind: 'event', level: 'warn', topic, message });
  }

  #guardAll(events: EventCallbacks, topic: string): void {
    for (const name of [
      'incompatibleQos',
      'incompatibleType',
      'deadline',
      'liveliness',
      'messageLost',
    ] as const) {
      const callback = events[name];
      if (callback) events[name] = (event) => this.#guarded(name, topic, () => callback(event));
    }
  }

  #countLost(topic: string, count: number): void {
    this.#lost.set(topic, (this.#lost.get(topic) ?? 0) + count);
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
}

function attempt<T>(operation: string, subject: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw HostFault.from(error, operation, subject);
  }
}
