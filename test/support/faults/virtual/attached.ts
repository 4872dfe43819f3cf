import { ChannelBook } from '../../../../adapters/foxglove/channel-book.ts';
import { ServiceBook } from '../../../../adapters/foxglove/service-book.ts';
import { FoxgloveSession } from '../../../../adapters/foxglove/session.ts';
import { MessageTexts } from '../../../../adapters/rosbridge/message-json.ts';
import { RosbridgeSession } from '../../../../adapters/rosbridge/session.ts';
import { type CallName, EdgeError, METHODS } from '../../../../contract/index.ts';
import { ClientTopics } from '../../../../daemon/execution/attached/client-topics.ts';
import { SampleFeed } from '../../../../daemon/execution/attached/sample-feed.ts';
import { TWIST } from '../../../../formats/cdr/index.ts';
import { schemaFor } from '../../../../formats/ros2/index.ts';
import type { ApiCaller } from '../../../../io/attached/api-caller.ts';
import { AttachedRobot } from '../../../../io/attached/attached-robot.ts';
import { OWN_SERVICES } from '../../../../io/attached/own-services.ts';
import { RobotDoor } from '../../../../io/attached/robot-door.ts';
import { SendQueue } from '../../../../io/attached/send-queue.ts';
import { Thaw } from '../../../../io/attached/thaw.ts';
import { ARM_COMMAND, ARM_TRAJECTORY } from '../../../../sim/arm/arm-topics.ts';
import { data, request } from '../../foxglove-session.ts';
import type { Asker } from './askers.ts';
import type { VirtualDaemon } from './daemon.ts';
import type { VirtualExecution } from './execution.ts';
import { VirtualProcess } from './process.ts';

const { execution } = METHODS;
/** Who the token of the client names. */
const PRINCIPAL = 'dora';
const HAND_MS = 60;
/** A client without the lease asks for it again this often, milliseconds. */
const TAKES_MS = 500;
const COMMAND = { topic: '/cmd_vel', type: TWIST };

export type AttachedKind = 'foxglove' | 'rosbridge' | 'live';

/** What a client wants to publish: a topic, a type, a value. */
export type Publication = readonly [topic: string, type: string, value: object];

const speeds = (linear: number | null, angular: number | null) => ({
  linear: { x: linear, y: 0, z: 0 },
  angular: { x: 0, y: 0, z: angular },
});
/** The hand of the client turns to the right, where no person of a trial turns. */
export const STEERS: Publication = [COMMAND.topic, COMMAND.type, speeds(0.05, -0.8)];
/** Other ways to a robot that a client may try. */
export const ELSEWHERE: readonly Publication[] = [
  STEERS,
  [COMMAND.topic, COMMAND.type, speeds(null, 1e30)],
  ['/cmd_vel_out', TWIST, speeds(0.2, 0.4)],
  [COMMAND.topic, 'std_msgs/msg/Float64MultiArray', { layout: { dim: [], data_offset: 0 }, data: [1] }],
  [ARM_COMMAND.topic, ARM_COMMAND.type, { layout: { dim: [], data_offset: 0 }, data: [1, 1, 1, 1, 1, 1, 0] }],
  [ARM_TRAJECTORY.topic, ARM_TRAJECTORY.type, { joint_names: ['joint_1'], points: [] }],
];

/** The API in the name of one client, asked from the thread of the servers: its routes reduced to what they pass on. */
function apiOf(daemon: VirtualDaemon, server: VirtualProcess): Pick<ApiCaller, 'get' | 'post'> {
  const leaseOf = (body: unknown) => (body as { lease_id?: number }).lease_id;
  const calls: Readonly<Record<string, (body: object) => [CallName, object]>> = {
    '/v1/lease': () => [execution.leaseTake, { role: 'teleoperation', holder: PRINCIPAL }],
    '/v1/lease/renew': (body) => [execution.leaseRenew, { leaseId: leaseOf(body), by: PRINCIPAL }],
    '/v1/lease/return': (body) => [execution.leaseReturn, { leaseId: leaseOf(body), by: PRINCIPAL }],
    '/v1/teleop': ({ lease_id, ...rest }: { lease_id?: number }) => [
      execution.teleopCommand,
      { leaseId: lease_id, by: PRINCIPAL, ...rest },
    ],
    '/v1/estop': () => [execution.estopEngage, { source: 'api', by: PRINCIPAL, reason: '' }],
  };
  const ask = <T>(url: string, call: CallName, body: object, ms: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const operation = { operation: `POST ${url}`, subject: 'the API of this daemon' };
      const timer = server.after(ms, () => reject(new EdgeError('deadline.exceeded', operation)));
      const back = (settle: () => void) =>
        server.deliver(() => {
          timer.cancel();
          settle();
        });
      daemon.api.post(url, call, body, ms).then(
        (answer) => back(() => resolve(answer as T)),
        (thrown: unknown) => back(() => reject(thrown as Error)),
      );
    });
  return {
    get: (path) => ask(path, execution.leaseState, {}, 4_000),
    post: async (path, body, ms = 4_000) => {
      const call = calls[path];
      const isLease = path === '/v1/lease/renew' && leaseOf(body) === undefined;
      // As the schema of the route refuses it.
      if (!call || isLease)
        throw new EdgeError('schema.invalid', { operation: `POST ${path}`, subject: 'lease_id' });
      return ask(path, ...call(body as object), ms);
    },
  };
}

/** A client of the servers for Foxglove and rosbridge, which steers under the lease that it takes. */
export class AttachedClient implements Asker {
  readonly process: VirtualProcess;
  readonly #daemon: VirtualDaemon;
  readonly #kind: AttachedKind;
  /** Takes the lease, again where it has lost it. */
  readonly #takes: boolean;
  readonly #wants: () => Publication;
  #life: VirtualExecution | undefined;
  /** Of `live`: the process of the API that its connection leads through. */
  #through: VirtualProcess | undefined;
  #send: Connection | undefined;
  /** It was refused something since it has asked for the lease. */
  #isRefused = false;
  #timers: { cancel(): void }[] = [];

  constructor(
    daemon: VirtualDaemon,
    kind: AttachedKind,
    options: { readonly takes?: boolean; readonly wants?: () => Publication } = {},
  ) {
    this.#daemon = daemon;
    this.#kind = kind;
    this.#takes = options.takes ?? true;
    this.#wants = options.wants ?? (() => STEERS);
    this.process = new VirtualProcess('client', daemon.host);
  }

  start(): void {
    this.#attach();
    this.#timers.push(
      this.process.every(HAND_MS, () => this.#send?.publish(this.#wants())),
      this.process.every(TAKES_MS, () => this.#attach()),
    );
  }

  end(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  /** SIGKILL: the kernel closes its connection. */
  kill(): void {
    this.process.kill();
    this.#send?.close();
  }

  #attach(): void {
    const { execution: life, api } = this.#daemon;
    const through = this.#kind === 'live' ? api.process : undefined;
    const isNew = life !== this.#life || through !== this.#through;
    const isThere = [life.process, through].every((one) => !one?.isFrozen && !one?.isDead);
    if (isNew && isThere) {
      this.#send?.close();
      this.#life = life;
      this.#through = through;
      this.#isRefused = true;
      this.#send = connect(this.#daemon, life, this.process, this.#kind, (frame) => {
        if (typeof frame === 'string' && frame.includes('"status"')) this.#isRefused = true;
        // The answer to a call of a service.
        if (typeof frame === 'string' && frame.includes('Failure')) this.#isRefused = true;
      });
    }
    if (!this.#takes || !this.#isRefused) return;
    this.#isRefused = false;
    this.#send?.call(OWN_SERVICES.takeLease);
  }
}

type Connection = {
  call(service: string): void;
  publish(publication: Publication): void;
  close(): void;
};

/**
 * One connection: the session is in the thread of the servers, the door in the main thread of the execution cell. `heard`:
 * what the client reads.
 */
function connect(
  daemon: VirtualDaemon,
  life: VirtualExecution,
  client: VirtualProcess,
  kind: AttachedKind,
  heard: (frame: Uint8Array | string) => void,
): Connection {
  const server = life.thread('attached');
  // Bytes of `live` pass the process of the API as they are, in both directions.
  const pipe = kind === 'live' ? daemon.api.process : undefined;
  const inward = (read: () => void) =>
    pipe ? pipe.deliver(() => server.deliver(read)) : server.deliver(read);
  const outward = (read: () => void) =>
    pipe ? pipe.deliver(() => client.deliver(read)) : client.deliver(read);
  const path = life.safety.door.path(life.robot, { kind: 'route', name: 'attached' });
  const topics = new ClientTopics({ clock: life.process, path });
  const feed = new SampleFeed({
    ...{ bus: life.samples, clock: life.process, watchGraph: () => {} },
    publish: (sample) => topics.publish(sample),
    post: (message) => server.deliver(() => robot.receive(structuredClone(message))),
    schemaOf: (type) => schemaFor(type)?.data,
    now: () => life.process.now(),
  });
  const robot = new AttachedRobot((message) =>
    life.process.deliver(() => feed.receive(structuredClone(message))),
  );
  life.process.deliver(() => feed.start());
  const thaw = new Thaw(server);
  thaw.start();
  const door = new RobotDoor({
    ...{ api: apiOf(daemon, server), robot, clock: server, command: COMMAND },
    isThawing: () => thaw.isRecent(),
  });
  const queue = new SendQueue({
    bytesMax: 1_000_000,
    send: (frame, done) => {
      outward(() => heard(frame));
      done();
    },
    ...{ dropped: () => {}, overrun: () => {} },
  });
  const parts = { clock: server, robot, door, queue, hasRos: false };
  let isOpen = true;
  const say = (message: () => void) => inward(() => void (isOpen && message()));
  const closing = (session: { close(): void }) => () => {
    if (isOpen) session.close();
    isOpen = false;
  };
  // The next connection of this life has a feed of its own.
  const close = (hangUp: () => void) => {
    life.process.deliver(() => feed.close());
    inward(hangUp);
  };
  if (kind === 'rosbridge') {
    const session: RosbridgeSession = new RosbridgeSession({
      ...{ ...parts, texts: new MessageTexts(), hangUp: () => hangUp() },
    });
    const hangUp = closing(session);
    const send = (message: object) => say(() => void session.receive(JSON.stringify(message)));
    return {
      call: (service) => send({ op: 'call_service', id: service, service }),
      publish: ([topic, type, msg]) => send({ op: 'publish', topic, type, msg }),
      close: () => close(hangUp),
    };
  }
  const services = new ServiceBook();
  const session: FoxgloveSession = new FoxgloveSession({
    ...{ ...parts, channels: new ChannelBook(), services, name: 'r1', sessionId: 's1', isSimulated: true },
    ...{ assets: { fetch: async () => ({ error: 'no such file' }) }, hangUp: () => hangUp() },
  });
  const hangUp = closing(session);
  // The kernel closes both ends of what the API passed on.
  pipe?.onKill(() => server.deliver(hangUp));
  server.deliver(() => session.start());
  const channels = new Map<string, number>();
  return {
    call: (service) => {
      const { id } = services.all().find(({ name }) => name === service)!;
      say(() => session.receiveBinary(request(id, 1, '{}')));
    },
    publish: ([topic, type, value]) => {
      const key = `${topic} ${type}`;
      const known = channels.get(key);
      const id = known ?? channels.size + 1;
      channels.set(key, id);
      const channel = { id, topic, encoding: 'json', schemaName: type };
      if (known === undefined)
        say(() => session.receiveText(JSON.stringify({ op: 'advertise', channels: [channel] })));
      say(() => session.receiveBinary(data(id, JSON.stringify(value))));
    },
    close: () => close(hangUp),
  };
}
