/** Entry of the thread that serves Foxglove and rosbridge clients. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { AssetShelf, FoxgloveServer } from '../../adapters/foxglove/index.ts';
import { RosbridgeServer } from '../../adapters/rosbridge/index.ts';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import { ApiCaller } from '../../io/attached/api-caller.ts';
import type { AttachOptions } from '../../io/attached/attach-server.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import type { FromServers, ToServers } from '../../io/attached/messages.ts';
import { RobotDoor } from '../../io/attached/robot-door.ts';
import { Thaw } from '../../io/attached/thaw.ts';
import { shrinkHeap } from '../cell/shrink-heap.ts';
import { apiAddress } from '../client/api-client.ts';

type ServerData = Omit<AttachOptions, 'name' | 'needsToken' | 'subprotocols'>;
export type AttachedThreadData = {
  readonly dataDir: string;
  /** Name of the robot. */
  readonly robot: string;
  readonly command: { readonly topic: string; readonly type: string };
  readonly hasRos: boolean;
  readonly isSimulated: boolean;
  readonly needsToken: boolean;
  /** Where the API is before the daemon has written its address down. */
  readonly apiUrl: string;
  /** File with the description of the robot; empty: it has none. */
  readonly urdf: string;
  /** Folders with meshes. */
  readonly assets: readonly string[];
  /** Where clients of the API get live data, by the protocol of Foxglove; it is always served. */
  readonly socketPath: string;
  readonly live: Pick<ServerData, 'clientsMax' | 'queueBytes'>;
  readonly foxglove: ServerData | undefined;
  readonly rosbridge: ServerData | undefined;
};

/** A port that is taken is tried again after this time, milliseconds. */
const LISTEN_AGAIN_MS = 5_000;
/** How often the thread looks whether anybody needs it, milliseconds. */
const LOOK_MS = 10_000;

const data = workerData as AttachedThreadData;
const { dataDir, robot: name, command, hasRos, isSimulated, needsToken } = data;
const clock = new SystemClock();
const post = (message: FromServers) => parentPort!.postMessage(message);
const report = (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) =>
  post({ kind: 'report', level, message, facts });
const thaw = new Thaw(clock);
const robot = new AttachedRobot(post);
const callerOf = (token: string | undefined) =>
  new ApiCaller({ token, fetch, url: () => apiAddress(dataDir)?.url ?? data.apiUrl });
const doorOf = (api: ApiCaller) =>
  new RobotDoor({ api, robot, clock, command, isThawing: () => thaw.isRecent() });

const parts = { clock, robot, hasRos, callerOf, doorOf, report };
type Started = { readonly name: string; readonly server: { start(): Promise<number>; close(): void } };
const servers: Started[] = [];
const assets = new AssetShelf({
  folders: data.assets,
  prefixes: (process.env['AMENT_PREFIX_PATH'] ?? '').split(':').filter((path) => path !== ''),
  urdf: async () => (data.urdf === '' ? undefined : await readFile(data.urdf, 'utf8')),
});
const foxglove = (options: ServerData) =>
  new FoxgloveServer(
    { name: 'foxglove', needsToken, ...options },
    { ...parts, name, sessionId: randomUUID(), isSimulated, assets },
  );
const live = foxglove({ ...data.live, host: '', port: 0, isOpen: false, socketPath: data.socketPath });
if (data.foxglove) servers.push({ name: 'foxglove', server: foxglove(data.foxglove) });
if (data.rosbridge) {
  const server = new RosbridgeServer({ name: 'rosbridge', needsToken, ...data.rosbridge }, parts);
  servers.push({ name: 'rosbridge', server });
}

/** Where no port is configured the thread is there for clients of the API only. */
let usedMs = clock.monotonicMs();
function look(): void {
  if (live.clients > 0 || servers.length > 0) usedMs = clock.monotonicMs();
  else if (clock.monotonicMs() - usedMs > LIMITS.ATTACH_UNUSED_MS) post({ kind: 'unused' });
}

let isClosed = false;
async function serveLive(): Promise<void> {
  try {
    await live.start();
    post({ kind: 'live' });
  } catch (thrown) {
    const { code, message } = EdgeError.from(thrown, 'internal.fault', 'listen', 'live data');
    report('warn', message, { code });
    clock.after(LISTEN_AGAIN_MS, () => void (isClosed || serveLive()));
  }
}

async function start({ name, server }: Started): Promise<void> {
  try {
    const port = await server.start();
    report('info', `${name} clients can attach`, { port });
  } catch (thrown) {
    const { code, message, hint } = EdgeError.from(thrown, 'internal.fault', 'listen', name);
    report('warn', message, { code, hint });
    clock.after(LISTEN_AGAIN_MS, () => void (isClosed || start({ name, server })));
  }
}

parentPort!.on('message', (message: ToServers) => {
  if (message.kind !== 'close') return robot.receive(message);
  isClosed = true;
  thaw.close();
  unused.cancel();
  live.close();
  for (const { server } of servers) server.close();
  post({ kind: 'closed' });
  parentPort!.close();
});
thaw.start();
shrinkHeap();
const unused = clock.every(LOOK_MS, look);
void serveLive();
for (const one of servers) void start(one);
