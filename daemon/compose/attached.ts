import { Worker } from 'node:worker_threads';
import {
  type CellContext,
  LIMITS,
  METHODS,
  type Sample,
  SMALL_THREAD,
  type TopicSpec,
  withDeadline,
} from '../../contract/core.ts';
import { schemaFor } from '../../formats/ros2/index.ts';
import type { FromServers, ToServers } from '../../io/attached/messages.ts';
import type { Config } from '../config.ts';
import { ClientTopics } from '../execution/attached/client-topics.ts';
import { LatchedMemory } from '../execution/attached/latched-memory.ts';
import { RestartPause } from '../execution/attached/restart-pause.ts';
import { SampleFeed } from '../execution/attached/sample-feed.ts';
import { TopicDesk } from '../execution/attached/topic-desk.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import type { DoorPath } from '../execution/door/index.ts';
import { STORY_TOPICS } from '../execution/story/index.ts';
import { socketPath } from '../paths.ts';
import type { Settings } from '../settings.ts';
import type { AttachedThreadData } from './attached-main.ts';
import type { RobotIo } from './robot-parts.ts';

export type AttachedParts = {
  readonly bus: SampleBus;
  readonly io: RobotIo;
  definitionOf(type: string): string | undefined;
  /** The way of clients to the robot; undefined: there is no robot. */
  readonly path: DoorPath | undefined;
};

export type Attached = Pick<SampleFeed, 'declare' | 'release' | 'start'> & { close(): Promise<void> };

/** How long the servers may take to hang up, milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Servers for Foxglove and rosbridge clients, and for clients of the API that want live data, in a thread of their own.
 * Where no port is configured it starts with the first of the latter, and ends some time after the last.
 */
export function makeAttached(settings: Settings, context: CellContext, parts: AttachedParts): Attached {
  const { config } = settings;
  const { clock, report } = context;
  const { bus, io, path } = parts;
  const isConfigured = config.foxglove.port !== 0 || config.rosbridge.port !== 0;
  const socket = socketPath(settings.dataDir, 'live.sock');
  const waiting = new Set<() => void>();
  let isLive = false;
  let worker: Worker | undefined;
  let isClosed = false;
  let endGraph: { cancel(): void } | undefined;
  const post = (message: ToServers, transfer: readonly ArrayBuffer[] = []) =>
    worker?.postMessage(message, [...transfer]);
  const first = [...io.topics, ...(io.source ? STORY_TOPICS : [])];
  const declared = new Map<string, TopicSpec>(first.map((spec) => [spec.topic, spec]));
  const topics = new ClientTopics({ clock, path });
  const publish = (sample: Sample) => topics.publish(sample);
  const schemaOf = (type: string) => parts.definitionOf(type) ?? schemaFor(type)?.data;
  new TopicDesk({ bus, clock, publish, schemaOf, topics: () => declared.values() }).serve(context.bus);
  const latched = new LatchedMemory(bus);
  latched.declare(first);
  const makeFeed = () =>
    new SampleFeed({
      ...{ bus, clock, post, publish, schemaOf },
      now: () => clock.now(),
      watchGraph: (on) => {
        if (on && !endGraph) endGraph = io.rosApi?.graph.watch((graph) => post({ kind: 'graph', graph }));
        if (on) return;
        endGraph?.cancel();
        endGraph = undefined;
      },
    });
  let feed = makeFeed();
  let isUnused = false;
  const pause = new RestartPause({
    clock,
    isWanted: () => !isClosed && !worker && (isConfigured || waiting.size > 0),
    start: () => start(),
  });
  const start = () => {
    pause.started();
    isUnused = false;
    worker = new Worker(new URL('./attached-main.ts', import.meta.url), {
      ...SMALL_THREAD,
      workerData: threadData(settings, io),
      name: 'attached',
    });
    worker.on('message', (message: FromServers) => {
      if (message.kind === 'report') report(message.level, message.message, message.facts);
      else if (message.kind === 'live') {
        isLive = true;
        for (const opened of waiting) opened();
      } else if (message.kind === 'unused') {
        isLive = false;
        isUnused = true;
        post({ kind: 'close' });
      } else if (message.kind !== 'closed') feed.receive(message);
    });
    worker.on('error', (error) =>
      report('error', 'the servers for other programs failed', { error: String(error) }),
    );
    worker.once('exit', () => {
      feed.close();
      endGraph?.cancel();
      endGraph = undefined;
      worker = undefined;
      isLive = false;
      if (isClosed) return;
      feed = makeFeed();
      pause.ended(!isUnused);
    });
    feed.start();
    feed.declare([...declared.values()]);
    feed.remember(latched.samples());
  };
  const opened = async (): Promise<void> => {
    if (isLive) return;
    if (!worker && !isClosed && !pause.isPausing) start();
    let open = () => {};
    const live = new Promise<void>((resolve) => {
      open = resolve;
    });
    waiting.add(open);
    await withDeadline(clock, LIMITS.ATTACH_OPEN_MS, live, 'open', 'live data').finally(() =>
      waiting.delete(open),
    );
  };
  context.bus.handle(METHODS.execution.attachOpen, async () => {
    await opened();
    return { path: socket };
  });
  return {
    declare: (topics) => {
      for (const spec of topics) declared.set(spec.topic, spec);
      latched.declare(topics);
      if (worker) feed.declare(topics);
    },
    release: (topics) => {
      for (const topic of topics) declared.delete(topic);
      latched.release(topics);
      if (worker) feed.release(topics);
    },
    start: () => void (isConfigured && start()),
    async close() {
      isClosed = true;
      pause.close();
      const ending = worker;
      if (!ending) return;
      const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
      post({ kind: 'close' });
      const timer = clock.after(CLOSE_MS, () => void ending.terminate());
      await ended;
      timer.cancel();
    },
  };
}

function threadData({ config, dataDir }: Settings, io: RobotIo): AttachedThreadData {
  return {
    dataDir,
    robot: config.daemon.name,
    socketPath: socketPath(dataDir, 'live.sock'),
    command: { topic: io.command.topic, type: io.command.type },
    hasRos: io.rosApi !== undefined,
    isSimulated: config.robot.source === 'sim' || config.ros.use_sim_time,
    needsToken: config.api.auth === 'token',
    apiUrl: `http://${config.api.host}:${config.api.port}`,
    urdf: config.gate.urdf,
    assets: config.foxglove.assets,
    live: limitsOf(config.foxglove),
    foxglove: serverOf(config.foxglove),
    rosbridge: serverOf(config.rosbridge),
  };
}

/** Undefined: no port is configured. */
function serverOf(config: Config['rosbridge']): AttachedThreadData['rosbridge'] {
  const { host, port, open } = config;
  return port === 0 ? undefined : { host, port, isOpen: open, ...limitsOf(config) };
}

function limitsOf({ max_clients, queue }: Config['rosbridge']): AttachedThreadData['live'] {
  return { clientsMax: max_clients, queueBytes: queue };
}
