import type {
  KeySpace,
  KeyValue,
  LedgerLine,
  NewEvent,
  RouteSpec,
  Sample,
  SampleSink,
  SubscribeOptions,
  Subscription,
  TopicSpec,
} from '../../contract/core.ts';
import { readConfig } from '../../daemon/config.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import {
  type Door,
  RobotSink,
  TopicClasses,
  type TopicClassesOptions,
} from '../../daemon/execution/door/index.ts';
import { Routes, type RoutesParts } from '../../daemon/execution/routes/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { doorOf } from './door-rig.ts';

/** All topics of a robot out into the fleet, and those of the fleet in. */
export const OUT = `[[routes]]
name = "out"
from = "ros:/**"
to = "zenoh:fleet/{robot}/{topic}"
`;
export const IN = `[[routes]]
name = "in"
from = "zenoh:fleet/*/**"
to = "ros:/*/**"
`;

/** Routes as an operator writes them. */
export function routesOf(toml: string): readonly RouteSpec[] {
  const { config, faults } = readConfig(toml, 'test.toml', {});
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  return config.routes;
}

/** CDR bytes whose last four are `n`. */
export function cdr(n: number, size = 8): Uint8Array {
  const bytes = new Uint8Array(Math.max(8, size));
  bytes[1] = 1;
  new DataView(bytes.buffer).setUint32(bytes.length - 4, n, true);
  return bytes;
}

export const numberIn = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - 4, true);

/** A key space whose subscriptions may go deaf, as one behind a link that swallows everything. */
export class DeafKeySpace extends MemoryKeySpace {
  /** Key expressions whose present subscriptions hear nothing any more. */
  readonly #deaf = new Set<symbol>();
  readonly #subscribed = new Map<symbol, string>();
  readonly declared: string[] = [];
  readonly undeclared: string[] = [];
  /** Values that get lost on their way here. */
  loses = (_value: KeyValue): boolean => false;

  deafen(keyExpr: string): void {
    for (const [id, expr] of this.#subscribed) if (expr === keyExpr) this.#deaf.add(id);
  }

  override async subscribe(
    keyExpr: string,
    onValues: (values: readonly KeyValue[]) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    const id = Symbol(keyExpr);
    this.#subscribed.set(id, keyExpr);
    this.declared.push(keyExpr);
    const inner = await super.subscribe(
      keyExpr,
      (values) => {
        const heard = this.#deaf.has(id) ? [] : values.filter((value) => !this.loses(value));
        if (heard.length > 0) onValues(heard);
      },
      options,
    );
    return {
      ...inner,
      undeclare: () => {
        this.#subscribed.delete(id);
        this.undeclared.push(keyExpr);
        return inner.undeclare();
      },
    };
  }
}

/** A sink that notes what it is given. */
export class NotingSink implements SampleSink {
  readonly advertised: TopicSpec[] = [];
  readonly samples: Sample[] = [];
  accepts = true;

  async advertise(topic: TopicSpec): Promise<void> {
    this.advertised.push(topic);
  }

  offer(sample: Sample): boolean {
    if (this.accepts) this.samples.push(sample);
    return this.accepts;
  }

  async close(): Promise<void> {}
}

export class RouteRig {
  readonly clock: ManualClock;
  readonly bus: SampleBus;
  readonly sink = new NotingSink();
  readonly robot = new RobotSink(this.sink);
  /** By default a robot that obeys `/cmd_vel`, and says that everything else is harmless. */
  readonly door: Door;
  readonly events: NewEvent[] = [];
  readonly routes: Routes;
  isRobotConnected = true;
  readonly lost: string[] = [];

  constructor(
    toml: string,
    more: Partial<RoutesParts> = {},
    clock = new ManualClock(),
    classes: TopicClassesOptions = {},
  ) {
    this.clock = clock;
    this.bus = new SampleBus({ clock, ledger: new Ledger() });
    const topics = new TopicClasses({ obeys: ['/cmd_vel'], harmless: ['/**'], ...classes });
    this.door = doorOf({ clock, topics, note: (event) => void this.events.push(event) });
    this.routes = new Routes({
      clock,
      specs: routesOf(toml),
      robot: 'r1',
      prefix: 'fleet/r1',
      bus: this.bus,
      door: this.door,
      robotPath: (name) => this.door.path(this.robot, { kind: 'route', name }),
      emit: async (events) => void this.events.push(...events),
      report: () => {},
      ...more,
    });
  }

  async start(keySpace?: KeySpace): Promise<this> {
    this.routes.start({
      isRobotConnected: () => this.isRobotConnected,
      onSessionLost: (_lost, reason) => void this.lost.push(reason),
    });
    if (keySpace) await this.routes.attach(keySpace);
    this.routes.robotConnected();
    return this;
  }

  /** As the robot says it. */
  say(topic: string, bytes: Uint8Array, type = 'std_msgs/msg/UInt32', isStamped = false): void {
    const received = this.clock.now();
    const stamp = isStamped ? received - 1_000_000n : received;
    this.bus.publish({ topic, type, stamp, received, bytes }, 'robot');
  }

  states(): string[] {
    return this.events.flatMap((e) =>
      e.kind === 'route.state' ? [`${e.payload.route} ${e.payload.state}`] : [],
    );
  }

  line(topic: string): LedgerLine | undefined {
    return this.routes.lines().find((line) => line.topic === topic);
  }
}

/** Received = forwarded + written + dropped, in every line. */
export function isBalanced(lines: readonly LedgerLine[]): boolean {
  return lines.every(
    ({ received, forwarded = 0, written, dropped }) =>
      received === forwarded + written + Object.values(dropped).reduce((sum, count) => sum + count, 0),
  );
}

/** Lets the fabric deliver, which it does by turns of the event loop. */
export async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

export { MemoryFabric, MemoryKeySpace };
