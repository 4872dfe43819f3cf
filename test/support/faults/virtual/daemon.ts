import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type CallName, type CellName, LIMITS, TOPICS } from '../../../../contract/index.ts';
import type { MessageBus } from '../../../../daemon/cell/message-bus.ts';
import { ThawGuard } from '../../../../daemon/http/thaw-guard.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../../../fakes/memory-event-log.ts';
import { VirtualExecution } from './execution.ts';
import { judgeOrder } from './law.ts';
import type { Network } from './network.ts';
import { WildPolicies } from './policies.ts';
import { VirtualProcess } from './process.ts';
import type { VirtualRobot } from './robots.ts';
import { type RuntimeDeps, VirtualRuntime } from './runtime.ts';
import { VirtualStar } from './star.ts';
import { VirtualWorld } from './world.ts';

/** From the start of a cell to its being up, milliseconds. */
export const BOOT_MS = 800;
/** How often the supervisor looks for silent cells, milliseconds. */
const LOOK_MS = 250;
/** How far virtual time goes between two turns of the real event loop, milliseconds. */
const STRIDE_MS = 5;

type Check = (request: { method: string; routeOptions: { url: string } }) => Promise<void>;

/** What a daemon has beside its execution cell, where runs are tried: all of it survives its processes. */
export type RunsOptions = Pick<RuntimeDeps, 'robot' | 'hooks' | 'scheduled'> & {
  /** What lies between the robot and other machines, and the robot's own ROS graph. */
  readonly network: Network;
};

/**
 * The process of the runtime cell: runs where they are tried, and the API. Its guard against late orders is the real one,
 * its routes are reduced to what they pass on.
 */
class VirtualApi {
  readonly process: VirtualProcess;
  /** Settles when it takes requests. */
  readonly ready: Promise<void>;
  readonly #bus: MessageBus;
  readonly #runtime: VirtualRuntime | undefined;
  #check: Check = async () => {};

  constructor(host: ManualClock, star: VirtualStar, runs: RunsOptions | undefined, disk: MemoryLogDisk) {
    this.process = new VirtualProcess('runtime', host);
    this.#bus = star.join('runtime', this.process);
    new ThawGuard(this.process).watch({
      addHook: (name: string, hook: Check) => {
        if (name === 'preValidation') this.#check = hook;
      },
    } as unknown as FastifyInstance);
    this.#runtime =
      runs &&
      new VirtualRuntime({
        ...{ ...runs, receiver: runs.network.receiver, process: this.process, bus: this.#bus, disk },
      });
    this.ready = this.#runtime?.start() ?? Promise.resolve();
  }

  /** An order as its socket has it: read when the process runs, and stamped then. */
  post(url: string, call: CallName, body: unknown, ms = 60_000): Promise<unknown> {
    return this.#deliver(url, async () => {
      if (this.#runtime) await judgeOrder(this.#runtime, url, body);
      return this.#bus.request('execution', call, body as never, ms);
    });
  }

  /** Another request or message that reaches this process from outside. Never settles where the process dies first. */
  ask<T>(work: (runtime: VirtualRuntime) => T | Promise<T>, url = ''): Promise<T> {
    const runtime = this.#runtime;
    if (!runtime) throw new Error('no runs are tried here');
    return this.#deliver(url, async () => await work(runtime));
  }

  #deliver<T>(url: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.process.deliver(() => {
        this.#check({ method: 'POST', routeOptions: { url } }).then(work).then(resolve, reject);
      });
    });
  }
}

/**
 * A daemon and its robot in virtual time, deterministic but for the order in which one process wakes: real execution
 * cell, real physics, the kernel and the supervisor played by their rules.
 */
export class VirtualDaemon {
  readonly host = new ManualClock();
  readonly supervisor = new VirtualProcess('supervisor', this.host);
  readonly star = new VirtualStar(this.supervisor);
  readonly policies: WildPolicies;
  readonly dataDir: string;
  readonly world: VirtualWorld;
  readonly robot: VirtualRobot;
  api: VirtualApi;
  execution: VirtualExecution;
  readonly #runs: RunsOptions | undefined;
  /** The log of the runtime cell. */
  readonly #disk = new MemoryLogDisk();
  #life = 0;
  /** Since when a process beats its heart no more. */
  readonly #silent = { execution: { sinceMs: undefined }, api: { sinceMs: undefined } };

  constructor(
    robot: VirtualRobot,
    opened: Awaited<ReturnType<VirtualRobot['open']>>,
    dataDir: string,
    runs?: (host: ManualClock) => RunsOptions,
  ) {
    this.#runs = runs?.(this.host);
    this.robot = robot;
    this.dataDir = dataDir;
    this.policies = new WildPolicies(this.host, robot.policy.inputs, (tMs) => robot.policy.values(tMs));
    this.world = new VirtualWorld(new VirtualProcess('sim', this.host), opened.world, opened.measure);
    this.world.start();
    this.api = this.#beginApi();
    this.execution = this.#begin();
    this.supervisor.every(LOOK_MS, () => this.#look());
  }

  /** Of the packages; `base` where no runs are tried. */
  get robotKind(): 'base' | 'arm' {
    return this.#runs?.robot ?? 'base';
  }

  get nowMs(): number {
    return this.host.monotonicMs();
  }

  get stopFile(): string {
    return join(this.dataDir, 'estop');
  }

  /** Where the cell keeps that the stop is engaged. */
  get keptStop(): string {
    return join(this.dataDir, 'safety', 'estop.json');
  }

  /** Virtual time goes on, and so does what real time alone does (files). */
  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STRIDE_MS) {
      await this.host.advance(Math.min(STRIDE_MS, left));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  killExecution(): void {
    this.execution.kill();
    this.#tell('execution', 'down');
    this.supervisor.after(LIMITS.RESTART_FIRST_MS + BOOT_MS, () => {
      this.execution = this.#begin();
      this.#tell('execution', 'up');
    });
  }

  killApi(): void {
    this.api.process.kill();
    this.#tell('runtime', 'down');
    this.supervisor.after(LIMITS.RESTART_FIRST_MS + BOOT_MS, () => {
      this.api = this.#beginApi();
      void this.api.ready.then(() => this.#tell('runtime', 'up'));
    });
  }

  close(): void {
    this.execution.kill();
    this.api.process.kill();
    this.supervisor.kill();
    this.world.close();
  }

  #beginApi(): VirtualApi {
    const api = new VirtualApi(this.host, this.star, this.#runs, this.#disk);
    api.ready.catch(() => {});
    return api;
  }

  #begin(): VirtualExecution {
    const { host, star, world, dataDir, policies, robot } = this;
    const life = ++this.#life;
    const made = new VirtualExecution({
      ...{ host, star, world, dataDir, policies, parts: robot.parts, life },
      ...(this.#runs ? { network: this.#runs.network } : {}),
    });
    made.start().catch(() => {});
    return made;
  }

  /** A cell that beats its heart no more is killed. */
  #look(): void {
    this.#lookAt(this.#silent.execution, this.execution.process, () => this.killExecution());
    this.#lookAt(this.#silent.api, this.api.process, () => this.killApi());
  }

  #lookAt(watched: { sinceMs: number | undefined }, process: VirtualProcess, kill: () => void): void {
    if (!process.isFrozen) watched.sinceMs = undefined;
    else if (watched.sinceMs === undefined) watched.sinceMs = this.nowMs;
    else if (this.nowMs - watched.sinceMs > LIMITS.HEARTBEAT_SILENT_MS) {
      watched.sinceMs = undefined;
      kill();
    }
  }

  #tell(name: CellName, state: 'down' | 'up'): void {
    this.star.tell(TOPICS.cellState, [{ name, state }]);
  }
}
