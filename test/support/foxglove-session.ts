import { ChannelBook } from '../../adapters/foxglove/channel-book.ts';
import { ServiceBook } from '../../adapters/foxglove/service-book.ts';
import { FoxgloveSession, type SessionParts } from '../../adapters/foxglove/session.ts';
import type { EdgeError, GraphSnapshot, MessageValue, Sample } from '../../contract/index.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import type { FromServers } from '../../io/attached/messages.ts';
import type { Door, GoalView, ShownParameter } from '../../io/attached/robot-door.ts';
import { SendQueue } from '../../io/attached/send-queue.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

type Json = Record<string, unknown>;
export const SCAN = {
  topic: '/scan',
  type: 'sensor_msgs/msg/LaserScan',
  schema: 'float32[] ranges',
  latched: false,
};
export const MAP = {
  topic: '/map',
  type: 'nav_msgs/msg/OccupancyGrid',
  schema: 'int8[] data',
  latched: true,
};
export const GRAPH: GraphSnapshot = {
  nodes: [{ name: '/amcl', enclave: '/' }],
  topics: [],
  services: [{ name: '/amcl/reset', types: ['std_srvs/srv/Empty'] }],
  actions: [],
};

/** What a client asked of the robot, and what the robot answers. */
export class FakeDoor implements Door {
  readonly asked: unknown[][] = [];
  refusal: EdgeError | undefined;
  values: Record<string, ShownParameter> = {
    speed: { kind: 'double', value: 1 },
    name: { kind: 'string', value: 'a' },
  };

  async #note(...asked: unknown[]): Promise<void> {
    this.asked.push(asked);
    if (this.refusal) throw this.refusal;
  }
  publish(topic: string, type: string, bytes: Uint8Array) {
    return this.#note('publish', topic, type, [...bytes]);
  }
  publishValue(topic: string, type: string, value: MessageValue) {
    return this.#note('publish', topic, type, value);
  }
  async call(service: string, type: string, request: MessageValue): Promise<MessageValue> {
    await this.#note('call', service, type, request);
    return { done: true };
  }
  takeLease() {
    return this.#note('take');
  }
  returnLease() {
    return this.#note('return');
  }
  stop(reason: string) {
    return this.#note('stop', reason);
  }
  async parameterNames() {
    return Object.keys(this.values);
  }
  async parameters(_node: string, names: readonly string[]) {
    return Object.fromEntries(names.map((name) => [name, this.values[name] ?? { kind: 'unset' as const }]));
  }
  async setParameters(_node: string, values: Readonly<Record<string, ShownParameter>>) {
    await this.#note('set', values);
    this.values = { ...this.values, ...values };
    return {};
  }
  /** What is seen of a goal, look by look. */
  goalViews: GoalView[] = [];
  async sendGoal(action: string, type: string, goal: MessageValue): Promise<GoalView> {
    await this.#note('goal', action, type, goal);
    return this.goalViews.shift()!;
  }
  async viewGoal(): Promise<GoalView> {
    return this.goalViews.shift()!;
  }
  async cancelGoal(id: string): Promise<boolean> {
    await this.#note('cancel', id);
    return true;
  }
  close() {
    return this.#note('close');
  }
}

export function attach(more: Partial<SessionParts> = {}) {
  const clock = new ManualClock();
  const posted: FromServers[] = [];
  const robot: AttachedRobot = new AttachedRobot((message) => {
    posted.push(message);
    if (message.kind === 'follow') robot.receive({ kind: 'following' });
  });
  robot.receive({ kind: 'topics', added: [SCAN, MAP], removed: [] });
  const channels = new ChannelBook();
  for (const topic of robot.topics()) channels.add(topic);
  const services = new ServiceBook();
  const frames: (Uint8Array | string)[] = [];
  const socket = { isStuck: false };
  const stuck: (() => void)[] = [];
  const hungUp: [number, string][] = [];
  const door = new FakeDoor();
  const queue: SendQueue = new SendQueue({
    bytesMax: 64 * 1024,
    send: (frame, done) => {
      const arrive = () => {
        frames.push(frame);
        done();
      };
      if (socket.isStuck) stuck.push(arrive);
      else arrive();
    },
    dropped: (topic, count) => session.lost(topic, count),
    overrun: () => hungUp.push([1013, 'overrun']),
  });
  const session: FoxgloveSession = new FoxgloveSession({
    ...{ clock, robot, door, queue, channels, services, name: 'r1', sessionId: 's1' },
    assets: {
      fetch: async (uri) => (uri.endsWith('.stl') ? new Uint8Array([1, 2]) : { error: 'no such file' }),
    },
    ...{ hasRos: true, isSimulated: false },
    hangUp: (code, reason) => hungUp.push([code, reason]),
    ...more,
  });
  session.start();
  const json = () => frames.filter((one) => typeof one === 'string').map((one) => JSON.parse(one) as Json);
  return {
    ...{ clock, robot, posted, session, door, frames, socket, stuck, hungUp, json, services, channels },
    send: (message: unknown) => session.receiveText(JSON.stringify(message)),
    ops: (op: string) => json().filter((one) => one['op'] === op),
    binary: () => frames.filter((one) => typeof one !== 'string'),
    sample: (topic: string, bytes: Uint8Array, ticket?: number) => {
      const sample: Sample = { topic, type: '', stamp: 5n, received: 7n, bytes };
      robot.receive({ kind: 'sample', sample, ...(ticket === undefined ? {} : { ticket }) });
    },
    settled: async () => {
      for (let i = 0; i < 30; i++) await Promise.resolve();
    },
  };
}

/** A service request of a client. */
export function request(serviceId: number, callId: number, body: string, encoding = 'json'): Uint8Array {
  const [name, payload] = [Buffer.from(encoding), Buffer.from(body)];
  const head = Buffer.alloc(13);
  head.writeUInt8(2, 0);
  head.writeUInt32LE(serviceId, 1);
  head.writeUInt32LE(callId, 5);
  head.writeUInt32LE(name.length, 9);
  return Buffer.concat([head, name, payload]);
}

export function data(channelId: number, payload: Uint8Array | string): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(1, 0);
  head.writeUInt32LE(channelId, 1);
  return Buffer.concat([head, Buffer.from(payload as Uint8Array)]);
}
