import { readFileSync } from 'node:fs';
import type { Clock, KeySpace, PolicyContext } from '../../../../contract/index.ts';
import type { MessageBus } from '../../../../daemon/cell/message-bus.ts';
import { IntentDoor } from '../../../../daemon/execution/intents/intent-door.ts';
import { RosIntents } from '../../../../daemon/execution/intents/ros-intents.ts';
import { RunFollower } from '../../../../daemon/execution/intents/run-follower.ts';
import { ZenohIntents } from '../../../../daemon/execution/intents/zenoh-intents.ts';
import { MemoryFabric, MemoryKeySpace } from '../../../fakes/memory-key-space.ts';
import { MemoryRos } from '../../../fakes/memory-ros.ts';
import type { VirtualProcess } from './process.ts';
import { PushReceiver } from './push-receiver.ts';

/** Key of the robot; the keys of its intents and its emergency stop start with it. */
export const BASE_KEY = 'fleet/r1';
/** The action of ROS by which nodes ask for runs. */
export const RUN_ACTION = '/run_intent';

/** Zenoh and ROS around the robot, in memory: they outlive every process of the daemon. */
export class Network {
  readonly fabric = new MemoryFabric();
  readonly ros: MemoryRos;
  /** A session of another machine. */
  readonly far: MemoryKeySpace;
  /** Of states of tasks. */
  readonly receiver: PushReceiver;

  constructor(clock: Clock) {
    this.ros = new MemoryRos(clock);
    this.far = new MemoryKeySpace(clock, this.fabric);
    this.receiver = new PushReceiver(clock);
  }
}

const SCHEMA = new URL('../../../../contract/schema/v1/intent-request.json', import.meta.url);
let schema: string | undefined;

const who = (origin: 'ros' | 'zenoh'): PolicyContext => ({
  ...{ tenant: 'local', principal: origin, roles: ['operator'], origin },
});

/** Intents over Zenoh and over ROS, as `daemon/compose/intents.ts` takes them in. What is asked waits while the process is frozen. */
export async function openIntents(
  network: Network,
  process: VirtualProcess,
  bus: MessageBus,
): Promise<{ readonly near: KeySpace; close(): void }> {
  schema ??= readFileSync(SCHEMA, 'utf8');
  const door = new IntentDoor({ bus, clock: process, report: () => {} });
  const follower = new RunFollower(door, process, bus);
  const parts = { door, follower, clock: process };
  const session = new MemoryKeySpace(process, network.fabric);
  const waits = <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve, reject) => process.deliver(() => void work().then(resolve, reject)));
  // A frozen process reads its session when it wakes up.
  const near = new Proxy(session as KeySpace, {
    get: (target, name) => {
      if (name === 'queryable')
        return ((key, answer, options) =>
          session.queryable(
            key,
            (query, part) => waits(() => answer(query, part)),
            options,
          )) satisfies KeySpace['queryable'];
      if (name === 'subscribe')
        return ((key, hear, options) =>
          session.subscribe(
            key,
            (values) => process.deliver(() => hear(values)),
            options,
          )) satisfies KeySpace['subscribe'];
      const value = target[name as keyof KeySpace] as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  await new ZenohIntents({ ...parts, base: BASE_KEY, context: who('zenoh'), schema }).attach(near);
  const { actions, graph } = network.ros;
  const served: typeof actions.serve = (name, type, { accept, execute }) =>
    actions.serve(name, type, {
      accept: (goal) => !process.isDead && accept(goal),
      execute: (goal) => waits(() => execute(goal)),
    });
  const ros = new RosIntents({
    ...{ ...parts, api: { actions: { send: actions.send, serve: served }, graph }, action: RUN_ACTION },
    ...{ context: who('ros'), clientGone: 'continue', emit: async () => {}, report: () => {} },
  });
  door.start();
  void door.opened.then(() => ros.start());
  return {
    near,
    close: () => {
      door.close();
      follower.close();
      network.ros.vanish(RUN_ACTION);
      void session.close();
    },
  };
}
