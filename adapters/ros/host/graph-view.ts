import type { EndpointInfo, GraphSnapshot, Qos } from '../../../contract/index.ts';
import type { GraphEndpoint, NamesAndTypes, Rclnodejs, RmwTime, Node as RosNode } from './vendor.ts';

/** What discovery has found by now. Reads the node's own tables: about a millisecond per hundred topics. */
export function graphSnapshot(rcl: Rclnodejs, node: RosNode): GraphSnapshot {
  return {
    nodes: node
      .getNodeNamesAndNamespacesWithEnclaves()
      .map(({ name, namespace, enclave }) => ({ name: fullName(namespace, name), enclave }))
      .sort(byName),
    topics: [...node.getTopicNamesAndTypes()].sort(byName).map(({ name, types }) => ({
      topic: name,
      types: [...types],
      publishers: node.getPublishersInfoByTopic(name).map(endpoint),
      subscribers: node.getSubscriptionsInfoByTopic(name).map(endpoint),
    })),
    services: plain(node.getServiceNamesAndTypes()),
    actions: plain(rcl.getActionNamesAndTypes?.(node) ?? []),
  };
}

function plain(found: NamesAndTypes): { name: string; types: string[] }[] {
  return found.map(({ name, types }) => ({ name, types: [...types] })).sort(byName);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** What the middleware calls a node whose name it has not received yet. */
export const NAME_UNKNOWN = '_NODE_NAME_UNKNOWN_';

export function fullName(namespace: string, name: string): string {
  return name === '' || name === NAME_UNKNOWN
    ? NAME_UNKNOWN
    : `${namespace === '/' ? '' : namespace}/${name}`;
}

export function endpoint(info: GraphEndpoint): EndpointInfo {
  const hash = info.topic_type_hash;
  return {
    node: fullName(info.node_namespace, info.node_name),
    type: info.topic_type,
    qos: qosOf(info.qos_profile),
    ...(info.qos_profile.depth === 0 ? { historyUnknown: true } : {}),
    ...(hash && hash.version === 1 ? { typeHash: `RIHS01_${Buffer.from(hash.value).toString('hex')}` } : {}),
  };
}

/** Depth and history do not travel on the network (0, unknown): then the default of ROS 2 is said. */
function qosOf(profile: GraphEndpoint['qos_profile']): Qos {
  const deadlineMs = milliseconds(profile.deadline);
  const lifespanMs = milliseconds(profile.lifespan);
  const livelinessLeaseMs = milliseconds(profile.liveliness_lease_duration);
  return {
    reliability: profile.reliability === 2 ? 'best_effort' : 'reliable',
    durability: profile.durability === 1 ? 'transient_local' : 'volatile',
    history: profile.history === 2 ? 'keep_all' : 'keep_last',
    depth: profile.depth || 10,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(lifespanMs === undefined ? {} : { lifespanMs }),
    ...(profile.liveliness === 3 ? { liveliness: 'manual_by_topic' as const } : {}),
    ...(livelinessLeaseMs === undefined ? {} : { livelinessLeaseMs }),
  };
}

/** Undefined for the infinite and the unset. Some middlewares say infinity as the largest of int64 nanoseconds. */
function milliseconds({ seconds, nanoseconds }: RmwTime): number | undefined {
  if (seconds >= 9_223_372_036n || (seconds === 0n && nanoseconds === 0)) return undefined;
  return Number(seconds) * 1_000 + nanoseconds / 1_000_000;
}
