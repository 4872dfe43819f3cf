import { MessageChannel } from 'node:worker_threads';
import type { Clock, EdgeError, Policy } from '../../contract/index.ts';
import { ControlClient, type ControlHandle } from '../../daemon/execution/control/control-client.ts';
import { CORE_DEFAULTS } from '../../daemon/execution/control/control-core.ts';
import type { ControlPort } from '../../daemon/execution/control/messages.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { RestingPolicy } from '../../daemon/execution/control/resting-policy.ts';
import { runControlWorker } from '../../daemon/execution/control/worker.ts';
import type { FlatWorld } from './flat-world.ts';

/** A control thread without a thread: the real worker code behind a real message channel. */
export function spawnInline(
  clock: Clock,
  lockstep: boolean,
  policy: Policy = new PursuitPolicy(),
): ControlHandle {
  const { port1, port2 } = new MessageChannel();
  const options = { ...CORE_DEFAULTS, control: { ...CORE_DEFAULTS.control, lockstep } };
  const closed = runControlWorker(port2 as unknown as ControlPort, {
    ...{ policy, clock, options },
    resting: policy instanceof RestingPolicy ? policy : undefined,
  });
  void closed.then(() => port2.close());
  return {
    port: port1 as unknown as ControlPort,
    terminate: () => port1.close(),
    onExit: (listen) => port1.once('close', () => listen('the port is closed')),
  };
}

/** The flat world in lockstep with a control thread, as the simulation is: time stands while nothing moves. */
export class FlatRobot {
  readonly client: ControlClient;
  readonly #world: FlatWorld;
  #wake: (() => void) | undefined;
  #open = true;
  readonly #running: Promise<void>;

  constructor(
    world: FlatWorld,
    clock: Clock,
    policy?: Policy,
    onReady: (fault: EdgeError | undefined) => void = () => {},
    /** Of the control thread. */
    threadClock = clock,
  ) {
    this.#world = world;
    this.client = new ControlClient({
      clock,
      spawn: () => spawnInline(threadClock, true, policy),
      onReady,
      onTick: ({ command }) => {
        if (command) world.command = command;
      },
      onWake: () => this.#wake?.(),
      onDown: () => {
        world.command = { linear: 0, angular: 0 };
      },
    });
    this.client.start();
    this.#running = this.#run();
  }

  /** The robot stands, localised. */
  async ready(): Promise<void> {
    while (!(await this.client.state()).pose) await new Promise((resolve) => setImmediate(resolve));
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#wake?.();
    await this.client.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#open) {
      for (const sample of this.#world.advance()) this.client.offer(sample);
      const result = await this.client.tick(this.#world.time).catch(() => undefined);
      if (result?.hold && this.#open) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
