/**
 * Names as rmw_zenoh writes them (ros2/rmw_zenoh, docs/design.md): the keys that data travels on, and the
 * liveliness tokens by which nodes, publishers, subscriptions, services and clients announce themselves.
 */

export type EntityKind = 'NN' | 'MP' | 'MS' | 'SS' | 'SC';
const KINDS: ReadonlySet<string> = new Set(['NN', 'MP', 'MS', 'SS', 'SC']);

/** A node of the ROS graph, or one of its endpoints. Names with leading slash; the root namespace is `/`. */
export type Entity = {
  readonly domain: number;
  readonly zid: string;
  readonly nodeId: string;
  readonly entityId: string;
  readonly kind: EntityKind;
  readonly enclave: string;
  readonly namespace: string;
  readonly node: string;
  /** Absent for a node. `hash` is `RIHS01_…`, or what Humble writes instead. */
  readonly end?: {
    readonly name: string;
    readonly type: string;
    readonly hash: string;
    readonly qos: string;
  };
};

/** What a distribution without type hashes (Humble) writes in their place. */
export const NO_TYPE_HASH = 'TypeHashNotSupported';
const ADMIN_SPACE = '@ros2_lv';
const CHUNKS_NODE = 9;
const CHUNKS_ENDPOINT = 13;

/** The tokens of all entities of a domain. */
export function tokensOf(domain: number): string {
  return `${ADMIN_SPACE}/${domain}/**`;
}

/** The key that messages of a topic, or requests of a service, travel on; `hash` may be `*`. */
export function dataKey(domain: number, name: string, type: string, hash: string): string {
  return `${domain}/${name.replace(/^\/+|\/+$/g, '')}/${ddsType(type)}/${hash}`;
}

export function tokenOf(entity: Entity): string {
  const { domain, zid, nodeId, entityId, kind, enclave, namespace, node, end } = entity;
  const own = [
    ADMIN_SPACE,
    domain,
    zid,
    nodeId,
    entityId,
    kind,
    mangle(enclave),
    mangle(namespace),
    mangle(node),
  ];
  if (end) own.push(mangle(end.name), ddsType(end.type), end.hash, end.qos);
  return own.join('/');
}

/** Undefined if it is no token of this version: other nodes may write anything. */
export function readToken(token: string): Entity | undefined {
  const chunks = token.split('/');
  const [space, domain = '', zid = '', nodeId = '', entityId = '', kind = ''] = chunks;
  if (space !== ADMIN_SPACE || !KINDS.has(kind) || !/^\d{1,3}$/.test(domain)) return undefined;
  const [enclave = '', namespace = '', node = '', name = '', type = '', hash = '', qos = ''] =
    chunks.slice(6);
  const self = {
    domain: Number(domain),
    zid,
    nodeId,
    entityId,
    kind: kind as EntityKind,
    enclave: demangle(enclave),
    namespace: demangle(namespace),
    node: demangle(node),
  };
  if (kind === 'NN') return chunks.length >= CHUNKS_NODE ? self : undefined;
  if (chunks.length !== CHUNKS_ENDPOINT) return undefined;
  return { ...self, end: { name: demangle(name), type: rosType(type), hash, qos } };
}

/** The full name of a node, for example `/robot7/amcl`. */
export function nodeName({ namespace, node }: Pick<Entity, 'namespace' | 'node'>): string {
  return namespace === '/' || namespace === '' ? `/${node}` : `${namespace}/${node}`;
}

/** `std_srvs/srv/SetBool` as `std_srvs::srv::dds_::SetBool_`. */
export function ddsType(type: string): string {
  const [pkg, kind, name] = type.split('/');
  return `${pkg}::${kind}::dds_::${name}_`;
}

/** The reverse; a name of another form stays as it is. */
export function rosType(dds: string): string {
  const match = /^(\w+)::(\w+)::dds_::(\w+)_$/.exec(dds);
  return match ? `${match[1]}/${match[2]}/${match[3]}` : dds;
}

/** A name of ROS in its namespace: absolute ones stay, relative ones are put under it. */
export function resolveName(name: string, namespace: string): string {
  if (name.startsWith('/')) return name;
  const prefix = namespace.replace(/^\/+|\/+$/g, '');
  return prefix === '' ? `/${name}` : `/${prefix}/${name}`;
}

/** No chunk of a key may be empty or hold a slash. */
function mangle(name: string): string {
  return name === '' ? '%' : name.replaceAll('/', '%');
}
function demangle(chunk: string): string {
  return chunk.replaceAll('%', '/');
}
