import {
  type CellContext,
  IdSource,
  type KeySpace,
  type KeyValue,
  type Manipulator,
  type Policy,
  type PolicyDesk,
  pause,
  type Sample,
  type TopicSpec,
  toMs,
} from '../../../../contract/index.ts';
import type { MessageBus } from '../../../../daemon/cell/message-bus.ts';
import type { Actuation } from '../../../../daemon/execution/actuation.ts';
import { ClientTopics } from '../../../../daemon/execution/attached/client-topics.ts';
import { TopicDesk } from '../../../../daemon/execution/attached/topic-desk.ts';
import { BagPlayer } from '../../../../daemon/execution/bag-player.ts';
import { Ledger, SampleBus } from '../../../../daemon/execution/bus/index.ts';
import { ControlClient, type ControlHandle } from '../../../../daemon/execution/control/control-client.ts';
import { CORE_DEFAULTS } from '../../../../daemon/execution/control/control-core.ts';
import { PursuitPolicy } from '../../../../daemon/execution/control/pursuit-policy.ts';
import { runControlWorker } from '../../../../daemon/execution/control/worker.ts';
import { serveControllers } from '../../../../daemon/execution/controllers/controller-requests.ts';
import type { ControllerSpec } from '../../../../daemon/execution/controllers/controller-spec.ts';
import {
  ControllersDesk,
  type ControllersHandle,
} from '../../../../daemon/execution/controllers/controllers-desk.ts';
import { ControllersThread } from '../../../../daemon/execution/controllers/controllers-thread.ts';
import type { StepGate } from '../../../../daemon/execution/controllers/gate-port.ts';
import type { FromThread, ThreadData, ToThread } from '../../../../daemon/execution/controllers/messages.ts';
import { SharedState } from '../../../../daemon/execution/controllers/shared-state.ts';
import { type DoorPath, holdLease, RobotSink } from '../../../../daemon/execution/door/index.ts';
import { ExecutionCell } from '../../../../daemon/execution/execution-cell.ts';
import { Routes } from '../../../../daemon/execution/routes/index.ts';
import { SafetyDesk, type SafetyOptions } from '../../../../daemon/execution/safety/safety-desk.ts';
import { SafetyWatch } from '../../../../daemon/execution/safety/safety-word.ts';
import { schemaFor } from '../../../../formats/ros2/index.ts';
import type { ManualClock } from '../../../fakes/manual-clock.ts';
import { routesOf } from '../../route-rig.ts';
import { MemoryBag } from './bag.ts';
import { type Network, openIntents } from './network.ts';
import { VirtualProcess } from './process.ts';
import type { VirtualStar } from './star.ts';
import { VirtualLink, type VirtualWorld } from './world.ts';

export type ArmDriver = Manipulator & { observe(sample: Sample): void; close(): Promise<void> };

/** What one kind of robot needs of its execution cell. */
export type RobotParts = {
  readonly topics: readonly TopicSpec[];
  readonly obeys: readonly TopicSpec[];
  readonly command: TopicSpec;
  readonly safety: SafetyOptions;
  readonly controller: ControllerSpec;
  makeGate(): StepGate;
  makeArm?(path: DoorPath, clock: VirtualProcess): ArmDriver;
};

export type ExecutionDeps = {
  readonly host: ManualClock;
  readonly star: VirtualStar;
  readonly world: VirtualWorld;
  readonly dataDir: string;
  readonly policies: PolicyDesk;
  readonly parts: RobotParts;
  readonly life: number;
  /** Where intents come from Zenoh and ROS; absent: they do not. */
  readonly network?: Network;
};

/** Whatever comes at these keys of Zenoh goes to the robot, where its door lets it. */
export const STEER_KEY = 'steer';
const ROUTES = routesOf(`[[routes]]\nname = "in"\nfrom = "zenoh:${STEER_KEY}/**"\nto = "ros:/**"\n`);

type ThreadName = 'control' | 'controllers';

/** How often the thread of controllers looks whether a step is due, milliseconds: its own sleep is exact. */
const TURN_MS = 1;

/**
 * One life of the execution cell, composed as `daemon/compose` does: the real cell with its desk of safety, its door,
 * its control thread and its controllers, each thread a process of virtual time.
 */
export class VirtualExecution {
  readonly process: VirtualProcess;
  readonly link: VirtualLink;
  readonly safety: SafetyDesk;
  readonly robot: RobotSink;
  readonly #deps: ExecutionDeps;
  readonly #cell: ExecutionCell;
  readonly #bus: MessageBus;
  readonly samples: SampleBus;
  #intents: { close(): void } | undefined;
  readonly #routes: Routes;
  readonly #controllers: ControllersDesk;
  readonly #threads: VirtualProcess[] = [];
  readonly #newest = new Map<ThreadName, { readonly process: VirtualProcess; ended(reason: string): void }>();
  /** What is listened to in the key space. */
  readonly #keys = new Map<string, (values: readonly KeyValue[]) => void>();
  #drawn = 0;

  constructor(deps: ExecutionDeps) {
    const { host, star, world, dataDir, parts, life } = deps;
    this.#deps = deps;
    const process = new VirtualProcess(`execution ${life}`, host);
    this.process = process;
    const cellBus = star.join('execution', process);
    this.#bus = cellBus;
    const context = {
      ...{ name: 'execution', clock: process, bus: cellBus, dataDir, attempt: life, startReason: '' },
      ...{ report: () => {}, emit: async () => {} },
    } as unknown as CellContext;
    const bus = new SampleBus({ clock: process, ledger: new Ledger() });
    this.samples = bus;
    this.link = new VirtualLink(world, process, parts.obeys);
    for (const topic of parts.obeys) void this.link.advertise(topic);
    this.safety = new SafetyDesk(context, parts.safety);
    this.robot = new RobotSink(this.link);
    this.safety.guard(this.robot);
    const path = (kind: 'drive' | 'arm' | 'controller') =>
      this.safety.door.path(this.robot, { kind, name: '' });
    const sends = path('controller');
    const ids = new IdSource(
      () => toMs(process.now()),
      (length) => new Uint8Array(length).fill(++this.#drawn),
    );
    this.#controllers = new ControllersDesk({
      ...{ clock: process, nowMs: () => process.monotonicMs(), specs: [parts.controller] },
      ...{ policies: deps.policies, decode: () => Promise.reject(new Error('no pictures here')) },
      spawn: (data) => this.#spawnControllers(data),
      schedule: async () => 'other',
      advertise: (topic) => sends.advertise(topic),
      // As `daemon/compose/controllers.ts` hands them on.
      send: (sample) => {
        const receipt = sends.send(sample);
        return 'sample' in receipt || (receipt.verdict === 'refused' && receipt.by === 'stop');
      },
      isStopped: () => this.safety.word.stopped,
      ...{ publish: () => {}, note: () => {}, report: () => {} },
      newId: () => ids.next<string>(),
      actuation: {
        move: (id, from, start, run) =>
          this.#cell.actuation.move(id, from, start, { run }, { role: 'policy', holder: 'policy' }),
      },
    });
    serveControllers(cellBus, this.#controllers, () => this.actuation.news);
    bus.tap('controllers', (sample) => this.#controllers.observe(sample));
    this.#routes = new Routes({
      ...{ clock: process, specs: deps.network ? ROUTES : [], robot: 'r1', prefix: '', bus },
      ...{ door: this.safety.door, emit: async () => {}, report: () => {} },
      robotPath: (name) => this.safety.door.path(this.robot, { kind: 'route', name }),
    });
    const clients = new ClientTopics({
      clock: process,
      path: this.safety.door.path(this.robot, { kind: 'route', name: 'attached' }),
    });
    new TopicDesk({
      ...{ bus, clock: process, topics: () => parts.topics, schemaOf: (type) => schemaFor(type)?.data },
      publish: (sample) => clients.publish(sample),
    }).serve(cellBus);
    const { makeArm } = parts;
    this.#cell = new ExecutionCell(context, {
      ...{ sourceKind: 'sim', source: this.link, sink: path('drive'), topics: parts.topics },
      ...{ command: parts.command, bus, ledger: new Ledger(), recorder: undefined },
      makeDrive: (events) =>
        new ControlClient({
          clock: process,
          spawn: () => this.#spawnControl(),
          lease: () => this.safety.word.lease,
          ...events,
        }),
      arm: makeArm?.(path('arm'), process),
      player: this.#player(),
      movers: [
        {
          isMoving: () => this.#controllers.isMoving(),
          stop: async (reason) => void (await this.#controllers.stop(undefined, reason)),
        },
      ],
      zenoh: undefined,
      routes: this.#routes,
      safety: this.safety,
      lockstep: undefined,
      mapAreaM2: undefined,
    });
  }

  /** Plays one recording, of velocities, into the robot. */
  #player(): BagPlayer {
    const { process } = this;
    const { door } = this.safety;
    let plays = 0;
    return new BagPlayer({
      open: async () => new MemoryBag(process, this.#deps.parts.command),
      target: async () => ({
        sink: (lease) => door.path(this.robot, { kind: 'play', name: '' }, { lease }),
        ...{ reaches: 'robot', settleMs: 0 },
      }),
      pause: (ms) => pause(process, ms),
      every: (ms, fire) => process.every(ms, fire),
      nowMs: () => process.monotonicMs(),
      hold: (from) => holdLease(this.actuation, `play-${++plays}`, from, 'bag-play'),
      ...{ topics: door.topics, gate: door.gate },
    });
  }

  get actuation(): Actuation {
    return this.#cell.actuation;
  }

  /** Somebody puts this at a key, over a session of the execution cell. */
  put(key: string, words: string): void {
    const value = { key, kind: 'put', payload: new TextEncoder().encode(words) } as KeyValue;
    for (const [listened, hear] of this.#keys)
      if (listened === key) this.process.deliver(() => hear([value]));
  }

  async start(): Promise<void> {
    await this.safety.ways.attach({
      subscribe: async (key: string, hear: (values: readonly KeyValue[]) => void) => {
        this.#keys.set(key, hear);
      },
    } as unknown as KeySpace);
    await this.#cell.start();
    this.#controllers.start();
    const { network } = this.#deps;
    if (!network || this.process.isDead) return;
    const intents = await openIntents(network, this.process, this.#bus);
    this.#intents = intents;
    await this.#routes.attach(intents.near);
    if (this.process.isDead) intents.close();
  }

  /** All threads of a process stand still together. */
  freeze(): void {
    for (const one of [this.process, ...this.#threads]) one.freeze();
  }

  /** The threads wake up in any order. */
  thaw(mailFirst: boolean, threadsFirst: boolean): void {
    const threads = threadsFirst ? [...this.#threads, this.process] : [this.process, ...this.#threads];
    for (const one of threads) one.thaw(mailFirst);
  }

  /** SIGKILL: the kernel closes its sockets. */
  kill(): void {
    for (const one of [this.process, ...this.#threads]) one.kill();
    this.safety.close();
    this.#intents?.close();
    this.#deps.world.gone(this.link);
  }

  /** The newest thread of that name ends as one that threw. */
  killThread(name: ThreadName): void {
    const thread = this.#newest.get(name);
    thread?.process.kill();
    this.process.deliver(() => thread?.ended('the thread ended with code 1'));
  }

  freezeThread(name: ThreadName): void {
    this.#newest.get(name)?.process.freeze();
  }

  thawThread(name: ThreadName, mailFirst: boolean): void {
    this.#newest.get(name)?.process.thaw(mailFirst);
  }

  /** Another thread of this process: it is frozen and killed with it. */
  thread(name: string): VirtualProcess {
    const process = new VirtualProcess(name, this.#deps.host);
    this.#threads.push(process);
    return process;
  }

  #thread(name: ThreadName, ended: (reason: string) => void): VirtualProcess {
    const process = this.thread(name);
    this.#newest.set(name, { process, ended });
    return process;
  }

  #spawnControl(): ControlHandle {
    const thread = this.#thread('control', (reason) => ended(reason));
    let hears: (message: never) => void = () => {};
    let answers: (message: never) => void = () => {};
    let ended: (reason: string) => void = () => {};
    const inner = {
      postMessage: (message: unknown) => this.process.deliver(() => answers(message as never)),
      on: (_event: 'message', listen: (message: never) => void) => {
        hears = listen;
      },
    };
    thread.deliver(() => {
      void runControlWorker(inner, {
        policy: new PursuitPolicy() as Policy,
        clock: thread,
        options: CORE_DEFAULTS,
        watch: new SafetyWatch(this.safety.word.buffer, thread),
      });
    });
    return {
      port: {
        postMessage: (message) => thread.deliver(() => hears(message as never)),
        on: (_event, listen) => {
          answers = listen;
        },
      },
      terminate: () => thread.kill(),
      onExit: (listen) => {
        ended = listen;
      },
    };
  }

  #spawnControllers({ specs, shared }: ThreadData): ControllersHandle {
    let ended: (reason: string) => void = () => {};
    const process = this.#thread('controllers', (reason) => ended(reason));
    const inbox: ToThread[] = [];
    const outbox: FromThread[] = [{ kind: 'ready', tid: 42 }];
    let listen: (message: FromThread) => void = () => {};
    const watch = new SafetyWatch(this.safety.word.buffer, process);
    const thread = new ControllersThread({
      specs,
      shared: new SharedState(shared, specs),
      makeGate: () => this.#deps.parts.makeGate(),
      receive: () => inbox.shift(),
      post: (message) => {
        outbox.push(structuredClone(message));
        this.process.deliver(drain);
      },
      nowMs: () => process.monotonicMs(),
      waitedMs: () => 0,
      forbidden: (lease) => watch.why(lease),
    });
    const drain = () => {
      for (let message = outbox.shift(); message; message = outbox.shift()) listen(message);
    };
    this.process.deliver(drain);
    process.every(TURN_MS, () => thread.turn());
    return {
      post: (message) => inbox.push(structuredClone(message)),
      onMessage: (hear) => {
        listen = hear;
      },
      drain,
      onExit: (hear) => {
        ended = hear;
      },
      terminate: () => process.kill(),
    };
  }
}
