import { type Clock, EdgeError, type GraphSnapshot, LIMITS, type Sample } from '../../contract/core.ts';
import type { RobotView } from '../../io/attached/attached-robot.ts';
import { Reports } from '../../io/attached/reports.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import type { SendQueue } from '../../io/attached/send-queue.ts';
import type { AssetShelf } from './asset-shelf.ts';
import { advertised, type Channel, type ChannelBook } from './channel-book.ts';
import { ClientChannels } from './client-channels.ts';
import { type ClientMessage, readText } from './client-message.ts';
import { ConnectionGraph } from './connection-graph.ts';
import { assetResponse, dataHead, readBinary, timeFrame } from './frames.ts';
import { ParameterDesk } from './parameter-desk.ts';
import { advertisedService, type Service, type ServiceBook } from './service-book.ts';
import { ServiceDesk } from './service-desk.ts';

export type SessionParts = {
  readonly clock: Clock;
  readonly robot: RobotView;
  /** Undefined: this client may only look. */
  readonly door: Door | undefined;
  readonly queue: Pick<SendQueue, 'answer' | 'sample' | 'forget' | 'hasAnswers'>;
  readonly channels: ChannelBook;
  readonly services: ServiceBook;
  readonly assets: Pick<AssetShelf, 'fetch'>;
  readonly name: string;
  /** Another one after each start of the server. */
  readonly sessionId: string;
  /** The robot is reached over ROS: it has a graph, services and parameters. */
  readonly hasRos: boolean;
  /** Times are those of a simulation, so clients need them. */
  readonly isSimulated: boolean;
  /** Ends the connection. */
  hangUp(code: number, reason: string): void;
};

const LEVELS = { info: 0, warning: 1, error: 2 } as const;
/** Encodings of messages that clients publish. */
const ENCODINGS = ['json', 'cdr'] as const;
const TIME_MS = 50;

/**
 * One client of the Foxglove WebSocket protocol. `foxglove.sdk.v1` and `foxglove.websocket.v1` have the same messages. No
 * I/O: messages come in, and answers and samples go to the queue of the client.
 */
export class FoxgloveSession {
  readonly #parts: SessionParts;
  readonly #reports: Reports;
  readonly #subscriptions = new Map<number, { readonly channel: Channel; readonly end: () => void }>();
  readonly #published: ClientChannels;
  readonly #parameters: ParameterDesk;
  readonly #calls: ServiceDesk;
  readonly #graph = new ConnectionGraph();
  #endGraph: (() => void) | undefined;
  readonly #endMissed: () => void;
  #faults = 0;
  #assets = 0;
  #timeMs = -Infinity;
  #closed = false;

  constructor(parts: SessionParts) {
    const { clock, queue, door, robot, services } = parts;
    this.#parts = parts;
    this.#reports = new Reports({
      clock,
      isBlocked: () => queue.hasAnswers,
      send: (level, message, id) => this.#json({ op: 'status', level: LEVELS[level], message, id }),
    });
    const say = this.#reports.say.bind(this.#reports);
    this.#published = new ClientChannels({ door, encodings: ENCODINGS, say });
    this.#parameters = new ParameterDesk({ clock, robot, say, send: (message) => this.#json(message) });
    this.#calls = new ServiceDesk({ services, door, send: (head) => queue.answer({ head }) });
    this.#endMissed = robot.onMissed((topic, count) => {
      for (const { channel } of this.#subscriptions.values())
        if (channel.topic === topic) this.lost(topic, count);
    });
  }

  start(): void {
    const { name, sessionId, channels, services, door, hasRos } = this.#parts;
    this.#json({
      ...{ op: 'serverInfo', name, sessionId, capabilities: this.#capabilities() },
      ...(door ? { supportedEncodings: ENCODINGS } : {}),
      metadata: { server: 'auraison-edge', ...(hasRos ? { ROS_DISTRO: 'ros2' } : {}) },
    });
    this.#json({ op: 'advertise', channels: channels.all().map(advertised) });
    if (door) this.#json({ op: 'advertiseServices', services: services.all().map(advertisedService) });
    else this.#reports.say('info', 'token', 'without a token this client may look and not act');
  }

  receiveText(text: string): void {
    const message = readText(text);
    if (typeof message === 'string') this.#fault(message);
    else this.#take(message);
  }

  receiveBinary(frame: Uint8Array): void {
    const message = readBinary(frame);
    if (typeof message === 'string') this.#fault(message);
    else if (message.op === 'data') {
      if (!this.#published.publish(message.channelId, message.payload))
        this.#fault(`channel ${message.channelId} is not advertised by this client`);
    } else void this.#calls.call(message);
  }

  topicsChanged(added: readonly Channel[], removed: readonly Channel[]): void {
    for (const [id, { channel, end }] of this.#subscriptions) {
      if (!removed.includes(channel)) continue;
      end();
      this.#subscriptions.delete(id);
    }
    if (removed.length > 0) this.#json({ op: 'unadvertise', channelIds: removed.map(({ id }) => id) });
    if (added.length > 0) this.#json({ op: 'advertise', channels: added.map(advertised) });
  }

  servicesChanged(added: readonly Service[], removed: readonly number[]): void {
    if (!this.#parts.door) return;
    if (removed.length > 0) this.#json({ op: 'unadvertiseServices', serviceIds: removed });
    if (added.length > 0) this.#json({ op: 'advertiseServices', services: added.map(advertisedService) });
  }

  graphChanged(graph: GraphSnapshot): void {
    this.#parameters.graph = graph;
  }

  /** Messages of a topic that this client follows were dropped before they were sent. */
  lost(topic: string, count: number): void {
    if (topic !== '') this.#reports.lost(topic, count);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { end } of this.#subscriptions.values()) end();
    this.#subscriptions.clear();
    this.#endGraph?.();
    this.#endMissed();
    this.#parameters.close();
    this.#reports.close();
    void this.#parts.door?.close();
  }

  #capabilities(): string[] {
    const { door, hasRos, isSimulated } = this.#parts;
    return [
      ...(door ? ['clientPublish', 'services'] : []),
      ...(door && hasRos ? ['parameters', 'parametersSubscribe'] : []),
      ...(hasRos ? ['connectionGraph'] : []),
      ...(isSimulated ? ['time'] : []),
      'assets',
    ];
  }

  #take(message: ClientMessage): void {
    const { door, hasRos } = this.#parts;
    switch (message.op) {
      case 'subscribe':
        for (const { id, channelId } of message.subscriptions) this.#subscribe(id, channelId);
        break;
      case 'unsubscribe':
        for (const id of message.subscriptionIds) this.#unsubscribe(id);
        break;
      case 'advertise':
        this.#published.advertise(message.channels);
        break;
      case 'unadvertise':
        this.#published.unadvertise(message.channelIds);
        break;
      case 'fetchAsset':
        void this.#fetchAsset(message.uri, message.requestId);
        break;
      case 'subscribeConnectionGraph':
        this.#followGraph();
        break;
      case 'unsubscribeConnectionGraph':
        this.#endGraph?.();
        this.#endGraph = undefined;
        break;
      default:
        if (door && hasRos) void this.#parameters.take(message, door);
        else this.#fault(`${message.op}: the server does not offer parameters`);
    }
  }

  #followGraph(): void {
    if (!this.#parts.hasRos) this.#fault('this robot has no ROS graph');
    else
      this.#endGraph ??= this.#parts.robot.onGraph((graph) => {
        const update = this.#graph.update(graph);
        if (update) this.#json(update);
      });
  }

  #subscribe(id: number, channelId: number): void {
    const channel = this.#parts.channels.get(channelId);
    const fault = this.#subscriptionFault(id, channelId);
    if (!channel || fault !== undefined) {
      this.#fault(fault ?? `channel ${channelId} is not offered`);
      return;
    }
    const end = this.#parts.robot.follow(channel.topic, (sample) => this.#send(id, sample));
    this.#subscriptions.set(id, { channel, end });
  }

  #subscriptionFault(id: number, channelId: number): string | undefined {
    if (this.#subscriptions.has(id)) return `subscription ${id} exists already`;
    if ([...this.#subscriptions.values()].some(({ channel }) => channel.id === channelId))
      return `channel ${channelId} has a subscription of this client already`;
    if (this.#subscriptions.size >= LIMITS.ATTACH_SUBSCRIPTIONS_MAX)
      return `a client has at most ${LIMITS.ATTACH_SUBSCRIPTIONS_MAX} subscriptions`;
    return undefined;
  }

  #unsubscribe(id: number): void {
    const found = this.#subscriptions.get(id);
    if (!found) {
      this.#fault(`subscription ${id} does not exist`);
      return;
    }
    found.end();
    this.#subscriptions.delete(id);
    this.#parts.queue.forget(found.channel.topic);
  }

  #send(id: number, { topic, received, bytes }: Sample): void {
    const { queue, isSimulated, clock } = this.#parts;
    const time = received > 0n ? received : 0n;
    queue.sample(topic, { head: dataHead(id, time), body: bytes });
    if (!isSimulated || clock.monotonicMs() - this.#timeMs < TIME_MS) return;
    this.#timeMs = clock.monotonicMs();
    queue.sample('', { head: timeFrame(time) });
  }

  async #fetchAsset(uri: string, requestId: number): Promise<void> {
    const { queue, assets } = this.#parts;
    const isBusy = this.#assets >= LIMITS.ATTACH_CALLS_MAX / 4;
    this.#assets += 1;
    const found = isBusy
      ? { error: 'too many assets are asked for at a time' }
      : await assets
          .fetch(uri)
          .catch((thrown) => ({ error: EdgeError.from(thrown, 'internal.fault', 'read', uri).message }));
    this.#assets -= 1;
    if (!this.#closed) queue.answer({ head: assetResponse(requestId, found) });
  }

  /** A message that this server cannot do anything with. A client that sends nothing else is disconnected. */
  #fault(message: string): void {
    this.#faults += 1;
    if (this.#faults > LIMITS.ATTACH_FAULTS_MAX) this.#parts.hangUp(1008, 'too many faulty messages');
    else this.#reports.say('error', 'message', message);
  }

  #json(message: object): void {
    if (!this.#closed) this.#parts.queue.answer({ head: JSON.stringify(message) });
  }
}
