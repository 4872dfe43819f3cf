import type { Clock, EndpointInfo, GraphSnapshot, RosGraph } from '../../../contract/core.ts';
import { type Entity, nodeName, readToken } from './names.ts';
import { readQosText } from './qos-text.ts';

/** Changes come in bursts (a node has a dozen endpoints): watchers are notified at most this often, milliseconds. */
const TELL_EVERY_MS = 100;
/** Entities held; a larger graph is not that of a robot, and must not exhaust memory. */
const ENTITIES_MAX = 20_000;
/** Names of ROS have at most 255 characters, of which a token holds five; Zenoh would pass 64 KiB. */
const TOKEN_CHARS_MAX = 2_048;

type Watcher = (graph: GraphSnapshot) => void;
/** A change of the graph as the session sees it: an entity that came or went. */
export type GraphListener = (entity: Entity, alive: boolean) => void;

/** The ROS graph, folded from liveliness tokens. */
export class GraphCache implements RosGraph {
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #entities = new Map<string, Entity>();
  readonly #watchers = new Set<Watcher>();
  readonly #listeners = new Set<GraphListener>();
  #snapshot: GraphSnapshot | undefined;
  #telling: { cancel(): void } | undefined;

  constructor(clock: Clock, onFault: (error: unknown) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** What the liveliness subscription reports. */
  take(token: string, alive: boolean): void {
    if (token.length > TOKEN_CHARS_MAX) return;
    const entity = alive ? readToken(token) : this.#entities.get(token);
    if (!entity || (alive && (this.#entities.has(token) || this.#entities.size >= ENTITIES_MAX))) return;
    if (alive) this.#entities.set(token, entity);
    else this.#entities.delete(token);
    this.#snapshot = undefined;
    for (const listener of [...this.#listeners]) this.#guarded(() => listener(entity, alive));
    this.#telling ??= this.#clock.after(TELL_EVERY_MS, () => {
      this.#telling = undefined;
      for (const watcher of [...this.#watchers]) this.#guarded(() => watcher(this.now()));
    });
  }

  /** The session is gone, and with it all entities. */
  clear(): void {
    for (const token of [...this.#entities.keys()]) this.take(token, false);
    this.#telling?.cancel();
    this.#telling = undefined;
  }

  /** Called at each change, before watchers are. */
  listen(listener: GraphListener): { cancel(): void } {
    this.#listeners.add(listener);
    return { cancel: () => void this.#listeners.delete(listener) };
  }

  entities(): IterableIterator<Entity> {
    return this.#entities.values();
  }

  async snapshot(): Promise<GraphSnapshot> {
    return this.now();
  }

  watch(onChange: Watcher): { cancel(): void } {
    this.#watchers.add(onChange);
    this.#guarded(() => onChange(this.now()));
    return { cancel: () => void this.#watchers.delete(onChange) };
  }

  now(): GraphSnapshot {
    this.#snapshot ??= foldGraph(this.#entities.values());
    return this.#snapshot;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onFault(error);
    }
  }
}

const SEND_GOAL = /^(.+)\/_action\/send_goal$/;

/** Sorted by name, so that equal graphs are equal values. */
export function foldGraph(entities: Iterable<Entity>): GraphSnapshot {
  const nodes = new Map<string, { name: string; enclave: string }>();
  const topics = new Map<
    string,
    { types: Set<string>; publishers: EndpointInfo[]; subscribers: EndpointInfo[] }
  >();
  const services = new Map<string, Set<string>>();
  const actions = new Map<string, Set<string>>();
  for (const entity of entities) {
    const node = nodeName(entity);
    const { end, kind } = entity;
    if (!end) {
      nodes.set(node, { name: node, enclave: entity.enclave });
    } else if (kind === 'MP' || kind === 'MS') {
      const topic = topics.get(end.name) ?? { types: new Set(), publishers: [], subscribers: [] };
      topics.set(end.name, topic);
      topic.types.add(end.type);
      const info = { node, type: end.type, qos: readQosText(end.qos), typeHash: end.hash };
      (kind === 'MP' ? topic.publishers : topic.subscribers).push(info);
    } else if (kind === 'SS') {
      add(services, end.name, end.type);
      const action = SEND_GOAL.exec(end.name)?.[1];
      if (action !== undefined) add(actions, action, end.type.replace(/_SendGoal$/, ''));
    }
  }
  return {
    nodes: sorted(nodes).map(([, node]) => node),
    topics: sorted(topics).map(([topic, { types, ...ends }]) => ({
      topic,
      types: [...types].sort(),
      ...ends,
    })),
    services: named(services),
    actions: named(actions),
  };
}

function add(map: Map<string, Set<string>>, name: string, type: string): void {
  const types = map.get(name) ?? new Set();
  map.set(name, types.add(type));
}
function named(map: ReadonlyMap<string, ReadonlySet<string>>): { name: string; types: string[] }[] {
  return sorted(map).map(([name, types]) => ({ name, types: [...types].sort() }));
}
function sorted<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
