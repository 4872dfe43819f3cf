import { type Clock, type Declaration, EdgeError, type KeySpace, type Qos } from '../../../contract/core.ts';
import type { TypeBook } from '../../../formats/ros2/index.ts';
import { type GidOf, makeGidOf } from './gid.ts';
import { GraphCache } from './graph-cache.ts';
import { type Entity, type EntityKind, nodeName, tokenOf, tokensOf } from './names.ts';
import { PeerFaults } from './peer-faults.ts';
import { qosText } from './qos-text.ts';

export type RosZenohOptions = {
  /** Name of our node in the ROS graph, and its namespace. */
  readonly node: string;
  readonly namespace: string;
  /** ROS_DOMAIN_ID: graphs of different domains do not see one another. */
  readonly domain: number;
  /** Security enclave of the node; empty: none. */
  readonly enclave?: string;
  /** Another node of this daemon, in the same namespace: what it has counts as this node's. */
  readonly companion?: string;
};

export type RosZenohDeps = {
  readonly clock: Clock;
  /** Opens the key space; the session closes it. */
  readonly open: () => Promise<KeySpace>;
  readonly types: TypeBook;
  /** Reports for operators: mismatching types, quality of service, undelivered answers. */
  readonly report: (level: 'info' | 'warn' | 'error', message: string) => void;
};

/** Warnings remembered as reported; beyond it the oldest is forgotten, and reported again if it comes again. */
const TOLD_MAX = 1_024;

/** An endpoint of this node as others see it: its token is declared, its id goes into the attachments. */
export type OwnEndpoint = { readonly gid: Uint8Array; undeclare(): Promise<void> };

type Live = { readonly space: KeySpace; readonly gidOf: GidOf; readonly declared: Declaration[] };

/**
 * A ROS 2 node over a Zenoh session, by the conventions of rmw_zenoh: what its source, sink, services and
 * actions share. It is open while somebody uses it. Zenoh itself keeps a session alive over lost connections
 * and declares everything again on the other side.
 */
export class RosZenohSession {
  readonly options: RosZenohOptions;
  readonly clock: Clock;
  readonly types: TypeBook;
  readonly graph: GraphCache;
  readonly peerFaults: PeerFaults;
  readonly report: RosZenohDeps['report'];
  readonly #open: () => Promise<KeySpace>;
  readonly #users = new Set<object>();
  readonly #told = new Set<string>();
  #live: Promise<Live> | undefined;
  #zid = '';
  /** Ids of our node and its endpoints; rmw numbers both by one counter from 0. */
  #nextId = 1;

  constructor(options: RosZenohOptions, deps: RosZenohDeps) {
    this.options = options;
    this.clock = deps.clock;
    this.types = deps.types;
    this.report = deps.report;
    this.#open = deps.open;
    this.peerFaults = new PeerFaults((message) => deps.report('warn', message));
    this.graph = new GraphCache(deps.clock, (error) =>
      deps.report(
        'error',
        `a watcher of the ROS graph failed: ${error instanceof Error ? error.message : String(error)}`,
      ),
    );
  }

  /** Joins the graph, once for all users. Throws what opening the key space throws; the next call tries again. */
  async start(user: object): Promise<KeySpace> {
    this.#users.add(user);
    const live = this.#live ?? this.#join();
    this.#live = live;
    try {
      return (await live).space;
    } catch (error) {
      // Another user may have joined again meanwhile.
      if (this.#live === live) this.#live = undefined;
      this.#users.delete(user);
      throw error;
    }
  }

  /** Leaves the graph with the last user. Never throws. */
  async release(user: object): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    const live = this.#live;
    this.#live = undefined;
    if (!live) return;
    try {
      const { space, declared } = await live;
      this.graph.clear();
      await Promise.allSettled(declared.map((one) => one.undeclare()));
      await space.close();
    } catch {
      // It never came about.
    }
  }

  /** The key space, for users that have started. Throws `zenoh.closed` otherwise. */
  async space(): Promise<KeySpace> {
    return (await this.#opened('use ROS over Zenoh')).space;
  }

  /** Full name of our node. */
  get nodeName(): string {
    return nodeName({ namespace: this.#namespace, node: this.options.node });
  }

  /** True for an entity of this very session, and of its companion. */
  isOwn({ zid, node, namespace }: Pick<Entity, 'zid' | 'node' | 'namespace'>): boolean {
    return zid === this.#zid || (node === this.options.companion && namespace === this.#namespace);
  }

  /** Topics are read again as their publishers come and go: a report about one is not repeated. */
  warnOnce(message: string): void {
    if (this.#told.has(message)) return;
    if (this.#told.size >= TOLD_MAX) this.#told.delete(this.#told.keys().next().value!);
    this.#told.add(message);
    this.report('warn', message);
  }

  /** Nodes of others that are seen now. */
  strangers(): number {
    let count = 0;
    for (const entity of this.graph.entities()) if (!entity.end && !this.isOwn(entity)) count += 1;
    return count;
  }

  /** Announces an endpoint of our node. */
  async announce(kind: EntityKind, name: string, type: string, hash: string, qos: Qos): Promise<OwnEndpoint> {
    const live = await this.#opened('announce an endpoint');
    const token = this.#token(kind, String(this.#nextId++), { name, type, hash, qos: qosText(qos) });
    const declaration = await live.space.liveliness(token);
    return { gid: live.gidOf(token), undeclare: () => declaration.undeclare() };
  }

  async #join(): Promise<Live> {
    const [space, gidOf] = await Promise.all([this.#open(), makeGidOf()]);
    try {
      this.#zid = space.id();
      const watch = await space.watchLiveliness(tokensOf(this.options.domain), (token, alive) =>
        this.graph.take(token, alive),
      );
      const node = await space.liveliness(this.#token('NN', '0', undefined));
      return { space, gidOf, declared: [watch, node] };
    } catch (error) {
      await space.close();
      throw error;
    }
  }

  get #namespace(): string {
    return `/${this.options.namespace.replace(/^\/+|\/+$/g, '')}`;
  }

  #token(kind: EntityKind, entityId: string, end: Entity['end']): string {
    const { domain, enclave = '', node } = this.options;
    return tokenOf({
      domain,
      zid: this.#zid,
      nodeId: '0',
      entityId,
      kind,
      enclave,
      namespace: this.#namespace,
      node,
      ...(end ? { end } : {}),
    });
  }

  async #opened(operation: string): Promise<Live> {
    if (this.#live) return this.#live;
    throw new EdgeError('zenoh.closed', { operation, subject: this.options.node });
  }
}
