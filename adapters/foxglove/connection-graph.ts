import type { GraphSnapshot } from '../../contract/core.ts';

/** Node names by topic or service. */
type Names = ReadonlyMap<string, readonly string[]>;
type Parts = { readonly published: Names; readonly subscribed: Names; readonly services: Names };

const NOTHING: Parts = { published: new Map(), subscribed: new Map(), services: new Map() };

/** The connection graph for one client: each update holds what changed since the last one. */
export class ConnectionGraph {
  #sent: Parts = NOTHING;

  /** Undefined where nothing changed. */
  update(graph: GraphSnapshot): object | undefined {
    const next = partsOf(graph);
    const before = this.#sent;
    this.#sent = next;
    const changed = {
      publishedTopics: rows(before.published, next.published, 'publisherIds'),
      subscribedTopics: rows(before.subscribed, next.subscribed, 'subscriberIds'),
      advertisedServices: rows(before.services, next.services, 'providerIds'),
      removedTopics: gone(
        [...before.published.keys(), ...before.subscribed.keys()],
        (name) => !next.published.has(name) && !next.subscribed.has(name),
      ),
      removedServices: gone([...before.services.keys()], (name) => !next.services.has(name)),
    };
    if (Object.values(changed).every((list) => list.length === 0)) return undefined;
    return { op: 'connectionGraphUpdate', ...changed };
  }
}

function partsOf({ topics, services }: GraphSnapshot): Parts {
  const nodes = (ends: readonly { readonly node: string }[]) =>
    [...new Set(ends.map(({ node }) => node))].sort();
  return {
    published: new Map(
      topics.flatMap(({ topic, publishers }) =>
        publishers.length === 0 ? [] : [[topic, nodes(publishers)]],
      ),
    ),
    subscribed: new Map(
      topics.flatMap(({ topic, subscribers }) =>
        subscribers.length === 0 ? [] : [[topic, nodes(subscribers)]],
      ),
    ),
    // The graph does not say which node serves a service.
    services: new Map(services.map(({ name }) => [name, []])),
  };
}

function rows(before: Names, after: Names, ids: string): object[] {
  const changed = [...after].filter(([name, nodes]) => before.get(name)?.join('\n') !== nodes.join('\n'));
  const emptied = [...before.keys()].filter((name) => !after.has(name));
  return [...changed, ...emptied.map((name): [string, string[]] => [name, []])].map(([name, nodes]) => ({
    name,
    [ids]: nodes,
  }));
}

function gone(names: readonly string[], isGone: (name: string) => boolean): string[] {
  return [...new Set(names)].filter(isGone);
}
