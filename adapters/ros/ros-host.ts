import { delimiter } from 'node:path';
import {
  type Clock,
  EdgeError,
  type EndpointInfo,
  LIMITS,
  type RosApi,
  type Sample,
  type SourceState,
  type Timer,
  type TopicSpec,
} from '../../contract/core.ts';
import { advertiseOrder } from './advertise-order.ts';
import { ApiLink } from './api-link.ts';
import { ChannelNumbers } from './channel-numbers.ts';
import { installedDefinition } from './definitions.ts';
import { HostProcess } from './host-process.ts';
import { learnDefinition } from './learn-definition.ts';
import { locateRos } from './locate.ts';
import { stopMessage } from './messages.ts';
import { type NativeLibrary, prepareNative } from './native-library.ts';
import { ROS_LIMITS, type RosOptions } from './options.ts';
import { countQosEvent } from './qos-counts.ts';
import { makeRosApi } from './ros-node.ts';
import type { QosEvent, SampleFrame } from './wire.ts';

type Raw = { readonly headed: boolean };
type Subscription = {
  readonly spec: TopicSpec;
  readonly onSample: (sample: Sample) => void;
  readonly raw: Raw | undefined;
};
type StartProcess = (...life: ConstructorParameters<typeof HostProcess>) => HostProcess;

const startHostProcess: StartProcess = (...life) => new HostProcess(...life);

/**
 * The ROS node of this daemon, kept alive: its process is started again when it dies or hangs, with all
 * topics it had. Shared by source and sink; it ends when both have released it.
 */
export class RosHost {
  readonly #options: RosOptions;
  readonly clock: Clock;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #publications = new Map<number, TopicSpec>();
  readonly #holders = new Set<object>();
  readonly #listeners = new Set<(state: SourceState) => void>();
  /** Lost in processes that are gone. */
  readonly #lostBefore = new Map<string, number>();
  #process: HostProcess | undefined;
  #starting: Promise<void> | undefined;
  #connected = false;
  #reason = 'not started';
  #closed = false;
  #restarts = 0;
  #delayMs: number = ROS_LIMITS.RESTART_FIRST_MS;
  #startedAtMs = 0;
  #restartTimer: Timer | undefined;
  /** A second host with the guarded topics only, ready to stop the robot and to take over. */
  #standby: HostProcess | undefined;
  #standbyReady = false;
  #standbyTimer: Timer | undefined;
  readonly #numbers: ChannelNumbers;
  readonly #startProcess: StartProcess;
  #native: NativeLibrary | undefined;
  readonly #installed = new Map<string, string>();
  /** Sent by publishers, of types that are not installed. */
  readonly #learned = new Map<string, string>();
  /** Types that no publisher sent in time: their next topic does not wait as long. */
  readonly #untold = new Set<string>();
  readonly #link: ApiLink;
  /** Services, actions, parameters, lifecycle and graph, through whatever host runs. */
  readonly api: RosApi;
  /** Events about quality of service, by topic and kind, since this adapter was made. */
  readonly qosEvents = new Map<string, QosEvent>();

  constructor(options: RosOptions, clock: Clock, startProcess: StartProcess = startHostProcess) {
    this.#options = options;
    this.clock = clock;
    this.#startProcess = startProcess;
    this.#numbers = new ChannelNumbers(clock);
    this.#link = new ApiLink(clock);
    this.api = makeRosApi(this.#link, clock, (level, message) => options.report?.(level, message));
  }

  /** Full names of the nodes that this adapter makes. */
  get ownNodes(): ReadonlySet<string> {
    const name = this.#options.node ?? 'auraison_edge';
    const space = (this.#options.namespace ?? '').replace(/^\/+|\/+$/g, '');
    const prefix = space === '' ? '' : `/${space}`;
    return new Set([`${prefix}/${name}`, `${prefix}/${name}_standby`]);
  }

  isInstalled(type: string): boolean {
    return this.#installedDefinition(type) !== undefined;
  }

  /** The definition of a message type as this installation has it, or as a publisher of it sent it. */
  definitionOf(type: string): string | undefined {
    return this.#installedDefinition(type) ?? this.#learned.get(type);
  }

  /**
   * Asks the publishers of a type that is not installed for its definition; one that no publisher sent is not waited
   * for again.
   */
  async learn(spec: TopicSpec, publishers: readonly EndpointInfo[]): Promise<void> {
    const withinMs = this.#untold.has(spec.type) ? 0 : ROS_LIMITS.LEARN_MS;
    const definition = await learnDefinition(this.api, this.clock, spec, publishers, withinMs);
    if (definition === undefined) this.#untold.add(spec.type);
    else this.#learned.set(spec.type, definition);
  }

  /** The report about a type that is not installed: the package to install, and what works without it. */
  unknownType(type: string): EdgeError {
    const [pkg = '', , name = ''] = type.split('/');
    const env = { ...process.env, ...this.#options.env };
    const debian = `ros-${env['ROS_DISTRO'] ?? 'DISTRO'}-${pkg.replaceAll('_', '-')}`;
    const raw =
      this.#native?.path === undefined
        ? `its messages are not received: ${this.#native?.reason ?? 'the ROS host process has not started'}`
        : 'its messages are recorded as raw bytes, without decoding';
    return new EdgeError('sample.unknown_type', {
      operation: 'look up a message type',
      subject: type,
      message: `the message ${name} of the package ${pkg} is not installed; ${raw}`,
      hint: `install ${debian}, or source the workspace that has ${pkg}`,
    });
  }

  #installedDefinition(type: string): string | undefined {
    const known = this.#installed.get(type);
    if (known !== undefined) return known;
    const prefixes = { ...process.env, ...this.#options.env }['AMENT_PREFIX_PATH'] ?? '';
    const definition = installedDefinition(type, prefixes.split(delimiter));
    if (definition !== undefined) this.#installed.set(type, definition);
    return definition;
  }

  /** What the helper library adds, or why it is not there; undefined before the first start. */
  get native(): NativeLibrary | undefined {
    return this.#native;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether a second host stands by with the guarded topics. */
  get standbyReady(): boolean {
    return this.#standbyReady;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Joins the graph. Throws `ros.unavailable` (no ROS here) or `ros.failed`; may be called again after. */
  start(holder: object): Promise<void> {
    this.#holders.add(holder);
    this.#starting ??= this.#first().catch((error: unknown) => {
      this.#starting = undefined;
      this.#process = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Ends the node when `holder` was the last one. */
  async release(holder: object): Promise<void> {
    this.#holders.delete(holder);
    if (this.#holders.size > 0 || this.#closed) return;
    this.#closed = true;
    this.#restartTimer?.cancel();
    this.#standbyTimer?.cancel();
    await Promise.all([this.#process?.close(), this.#standby?.close()]);
    this.#change(false, 'closed');
  }

  /** `raw` takes the bytes of a type whose package is not installed here; it needs the helper library. */
  async subscribe(spec: TopicSpec, onSample: (sample: Sample) => void, raw?: Raw): Promise<number> {
    const channel = this.#numbers.take(spec.topic);
    this.#subscriptions.set(channel, { spec, onSample, raw });
    try {
      await this.#requestSubscribe(this.#current('subscribe', spec.topic), channel);
    } catch (error) {
      // A host that was only late still has the topic, and would send it under the number of another one.
      this.unsubscribe(channel);
      throw error;
    }
    return channel;
  }

  /** Subscribes a topic again, under its number. Rejects as `subscribe` does; the next host still has it. */
  async resubscribe(channel: number): Promise<void> {
    const topic = this.#subscriptions.get(channel)?.spec.topic;
    if (topic === undefined) return;
    const host = this.#current('subscribe', topic);
    host.forget(channel);
    await this.#requestSubscribe(host, channel);
  }

  unsubscribe(channel: number): void {
    if (this.#subscriptions.delete(channel)) this.#letGo(channel);
  }

  #letGo(channel: number): void {
    this.#process?.forget(channel);
    this.#numbers.release(channel);
  }

  async advertise(spec: TopicSpec): Promise<number> {
    const host = this.#current('advertise', spec.topic);
    const channel = this.#numbers.take(spec.topic);
    await this.#requestAdvertise(host, channel, spec, false).catch((error: unknown) => {
      this.#numbers.release(channel);
      throw error;
    });
    this.#publications.set(channel, spec);
    this.#prepareStandby();
    return channel;
  }

  /** False: what can move the robot stays, since its guard stops it. */
  withdraw(channel: number): boolean {
    const spec = this.#publications.get(channel);
    if (!spec || stopMessage(spec) !== undefined) return false;
    this.#publications.delete(channel);
    this.#letGo(channel);
    return true;
  }

  /** False when it was not taken: no host, or one that does not keep up. */
  publish(channel: number, bytes: Uint8Array, expiresAtMs?: number): boolean {
    return this.#connected && (this.#process?.publish(channel, bytes, expiresAtMs) ?? false);
  }

  state(): SourceState {
    const lost: Record<string, number> = Object.fromEntries(this.#lostBefore);
    for (const [topic, count] of Object.entries(this.#process?.lost ?? {}))
      lost[topic] = (lost[topic] ?? 0) + count;
    return { connected: this.#connected, reason: this.#reason, lost };
  }

  onState(listener: (state: SourceState) => void): void {
    this.#listeners.add(listener);
  }

  async #first(): Promise<void> {
    // Before anything else: what is missing of ROS is said at once.
    const { env } = locateRos(this.#options);
    this.#native ??= await prepareNative(this.clock, env, this.#options.nativeDir);
    if (this.#closed)
      throw new EdgeError('ros.failed', { operation: 'start', subject: 'ROS host', message: 'closed' });
    await this.#launch(this.#spawn());
  }

  #spawn(name = this.#options.node ?? 'auraison_edge'): HostProcess {
    const place = locateRos(this.#options);
    const native = this.#native?.path;
    if (native !== undefined)
      place.env['LD_PRELOAD'] = [native, place.env['LD_PRELOAD'] ?? '']
        .filter((path) => path !== '')
        .join(' ');
    const start = {
      node: name,
      namespace: this.#options.namespace ?? '',
      useSimTime: this.#options.useSimTime ?? false,
      native: native !== undefined,
    };
    const spawned: HostProcess = this.#startProcess(place, start, this.clock, {
      onSample: (frame) => this.#onSample(frame),
      onApiNews: (news) => this.#link.news(spawned, news),
      onQosEvent: (event) => this.#onQosEvent(event),
      onEvent: (level, message) => this.#options.report?.(level, message),
      onExit: (reason) => (spawned === this.#standby ? this.#onStandbyExit() : this.#onExit(spawned, reason)),
    });
    return spawned;
  }

  /** Makes `started` the host in charge: a new one, or the standby, which has its guarded topics already. */
  async #launch(started: HostProcess): Promise<void> {
    this.#startedAtMs = this.clock.monotonicMs();
    this.#process = started;
    await started.ready();
    // What moves the robot first: its stop is owed since the process before this one died.
    for (const [channel, spec] of this.#publications) {
      if (!started.has(channel)) await this.#requestAdvertise(started, channel, spec, false);
    }
    for (const channel of this.#subscriptions.keys()) {
      await this.#requestSubscribe(started, channel).catch((error: unknown) => {
        // One topic that can no longer be subscribed does not affect the others.
        if (!started.alive) throw error;
        this.#options.report?.('error', error instanceof Error ? error.message : String(error));
      });
    }
    await this.#link.attach(started);
    this.#change(true, '');
    this.#prepareStandby();
  }

  #requestSubscribe(target: HostProcess, channel: number): Promise<void> {
    const { spec, raw } = this.#subscriptions.get(channel)!;
    return target.request({ kind: 'subscribe', channel, spec, ...(raw ? { raw } : {}) });
  }

  #onQosEvent(event: QosEvent): void {
    countQosEvent(this.qosEvents, event);
    if (this.#options.onQosEvent) this.#options.onQosEvent(event);
    else this.#options.report?.('warn', `${event.topic}: ${event.message}; ${event.hint}`);
  }

  #requestAdvertise(target: HostProcess, channel: number, spec: TopicSpec, standby: boolean): Promise<void> {
    return target.request(advertiseOrder(channel, spec, standby, this.#options));
  }

  /** Has a second process with all guarded topics, soon. Its failures are of no consequence; it is tried again. */
  #prepareStandby(delayMs: number = ROS_LIMITS.STANDBY_AFTER_MS): void {
    const guarded = [...this.#publications].filter(([, spec]) => stopMessage(spec) !== undefined);
    if (this.#closed || this.#options.standby === false || guarded.length === 0) return;
    this.#standbyTimer?.cancel();
    this.#standbyTimer = this.clock.after(delayMs, () => {
      if (this.#closed || !this.#connected) return;
      this.#standby ??= this.#spawn(`${this.#options.node ?? 'auraison_edge'}_standby`);
      const standby = this.#standby;
      const advertiseAll = async () => {
        await standby.ready();
        for (const [channel, spec] of guarded) {
          if (!standby.has(channel)) await this.#requestAdvertise(standby, channel, spec, true);
        }
        this.#standbyReady = standby === this.#standby;
      };
      advertiseAll().catch(() => standby.kill('could not be set up'));
    });
  }

  #onStandbyExit(): void {
    this.#standby = undefined;
    this.#standbyReady = false;
    this.#prepareStandby(ROS_LIMITS.STANDBY_RETRY_MS);
  }

  #current(operation: string, subject: string): HostProcess {
    if (this.#process && !this.#closed) return this.#process;
    throw new EdgeError('ros.failed', { operation, subject, message: this.#reason });
  }

  #onSample({ channel, stamp, received, bytes }: SampleFrame): void {
    const { spec, onSample } = this.#subscriptions.get(channel) ?? {};
    if (spec) onSample?.({ topic: spec.topic, type: spec.type, stamp, received, bytes });
  }

  #onExit(gone: HostProcess, reason: string): void {
    for (const [topic, count] of Object.entries(gone.lost)) {
      this.#lostBefore.set(topic, (this.#lostBefore.get(topic) ?? 0) + count);
    }
    if (this.#process === gone) this.#process = undefined;
    this.#link.detach(gone, reason);
    // A first start that fails is reported to its caller; a host that once worked is started again.
    if (this.#closed || (!this.#connected && this.#restarts === 0)) return;
    const standby = this.#standbyReady ? this.#standby : undefined;
    if (standby) this.#standby = undefined;
    this.#standbyReady = false;
    // The robot stops first.
    standby?.halt();
    const next = standby ? 'the standby takes over' : 'restarting it';
    this.#options.report?.('warn', `ROS host ${reason}; ${next}`);
    this.#change(false, `ROS host ${reason}`);
    this.#scheduleRestart(standby);
  }

  #scheduleRestart(standby?: HostProcess): void {
    if (this.#closed) return;
    const upMs = this.clock.monotonicMs() - this.#startedAtMs;
    if (upMs > LIMITS.RESTART_FORGET_MS) this.#delayMs = ROS_LIMITS.RESTART_FIRST_MS;
    const delayMs = standby ? 0 : this.#delayMs;
    this.#delayMs = Math.min(this.#delayMs * 2, LIMITS.RESTART_MAX_MS);
    this.#restarts += 1;
    this.#restartTimer?.cancel();
    this.#restartTimer = this.clock.after(delayMs, () => {
      this.#restartTimer = undefined;
      const launched = standby ? this.#launch(standby) : this.#first();
      launched.catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#options.report?.('error', `ROS host: ${why}`);
        // A process that is still there after a failed start is of no use; its exit schedules the next try.
        if (this.#process) this.#process.kill('could not be set up');
        else if (!this.#restartTimer) this.#scheduleRestart();
      });
    });
  }

  #change(connected: boolean, reason: string): void {
    this.#connected = connected;
    this.#reason = reason;
    const state = this.state();
    for (const listener of this.#listeners) listener(state);
  }
}
