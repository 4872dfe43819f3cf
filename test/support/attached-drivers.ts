import { connect } from 'node:net';
import { until } from './daemon.ts';
import { StockFoxglove } from './foxglove-client.ts';

type Roslib = {
  Ros: new () => {
    connect(url: string): Promise<void>;
    on(event: 'status', listen: (status: { msg?: unknown }) => void): void;
    getTopics(done: (found: { topics: string[] }) => void, failed: (reason: unknown) => void): void;
    close(): void;
  };
  Topic: new (
    options: object,
  ) => {
    advertise(): void;
    publish(message: object): void;
    subscribe(listen: (message: Record<string, unknown>) => void): void;
    unsubscribe(): void;
  };
  Service: new (
    options: object,
  ) => {
    callService(request: object, done: (answer: object) => void, failed: (reason: string) => void): void;
  };
};
/** Its declarations name files that the package does not contain. */
export const { Ros, Topic, Service } = (await import('roslib')) as unknown as Roslib;

/** A stock client that tries to drive the base. */
export type AttachedDriver = {
  /** What the robot answered. */
  takeLease(): Promise<string>;
  publish(forward: number): void;
  /** What the client was told beside answers. */
  told(): readonly string[];
  close(): void;
};

/** Settles when the servers for attached clients listen: a daemon is up before all its ports are. */
export async function listening(port: number): Promise<void> {
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  await until(isOpen, `port ${port} listens`);
}

const TWIST = 'geometry_msgs/msg/Twist';
const TAKE = '/auraison/take_lease';

export async function foxgloveDriver(port: number, token: string): Promise<AttachedDriver> {
  await listening(port);
  return drive(new StockFoxglove(`ws://127.0.0.1:${port}/?token=${token}`));
}

/** The same protocol at the port of the API. */
export function liveDriver(apiPort: number, token: string): Promise<AttachedDriver> {
  return drive(new StockFoxglove(`ws://127.0.0.1:${apiPort}/v1/live`, 'foxglove.sdk.v1', token));
}

async function drive(client: StockFoxglove): Promise<AttachedDriver> {
  await until(() => client.services.length > 0, 'services are offered');
  const publish = client.publisher('/cmd_vel', TWIST);
  return {
    async takeLease() {
      const answered = client.answers.length;
      client.call(TAKE);
      return JSON.stringify(await until(() => client.answers[answered], 'the call is answered'));
    },
    publish: (x) => publish({ linear: { x } }),
    told: () => client.statuses.map(({ message }) => message),
    close: () => client.close(),
  };
}

export async function rosbridgeDriver(port: number, token: string): Promise<AttachedDriver> {
  await listening(port);
  const ros = new Ros();
  await ros.connect(`ws://127.0.0.1:${port}/?token=${token}`);
  const told: string[] = [];
  ros.on('status', (status: { msg?: unknown }) => told.push(String(status.msg)));
  const velocity = new Topic({ ros, name: '/cmd_vel', messageType: TWIST });
  velocity.advertise();
  const lease = new Service({ ros, name: TAKE, serviceType: 'std_srvs/srv/Trigger' });
  return {
    takeLease: () =>
      new Promise((resolve) => lease.callService({}, (one) => resolve(JSON.stringify(one)), resolve)),
    publish: (x) => velocity.publish({ linear: { x } }),
    told: () => told,
    close: () => ros.close(),
  };
}
