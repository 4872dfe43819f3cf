import {
  type Clock,
  EdgeError,
  type GraphSnapshot,
  type MessageValue,
  parseJson,
} from '../../contract/core.ts';
import type { RobotView } from '../../io/attached/attached-robot.ts';
import { OWN_SERVICES, TRIGGER } from '../../io/attached/own-services.ts';
import { readParameters, writeParameters } from '../../io/attached/parameters.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import { messageDetails, PART_DETAILS, partDetails } from './type-details.ts';

export type RosapiParts = {
  readonly robot: Pick<RobotView, 'topics' | 'topic'>;
  /** Undefined: this client may only look. */
  readonly door: Door | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly graph: GraphSnapshot | undefined;
};
type Answer = (parts: RosapiParts, args: MessageValue) => MessageValue | Promise<MessageValue>;

const OWN: readonly { name: string; types: readonly string[] }[] = Object.values(OWN_SERVICES).map(
  (name) => ({
    name,
    types: [TRIGGER],
  }),
);
/** Services of this server, and those in the ROS graph. */
const servicesOf = (graph: GraphSnapshot | undefined) => [...OWN, ...(graph?.services ?? [])];
const endpoints = (graph: GraphSnapshot | undefined, topic: unknown) =>
  graph?.topics.find((one) => one.topic === topic);

/** The services of rosapi that roslib, roslibpy and ros-mcp ask for. Topics are those that this server offers. */
const SERVICES: Readonly<Record<string, Answer>> = {
  topics: ({ robot }) => {
    const topics = robot.topics();
    return { topics: topics.map(({ topic }) => topic), types: topics.map(({ type }) => type) };
  },
  topics_and_raw_types: ({ robot }) => {
    const topics = robot.topics();
    return {
      topics: topics.map(({ topic }) => topic),
      types: topics.map(({ type }) => type),
      typedefs_full_text: topics.map(({ schema }) => schema),
    };
  },
  topics_for_type: ({ robot }, { type }) => ({
    topics: robot
      .topics()
      .filter((one) => one.type === type)
      .map(({ topic }) => topic),
  }),
  topic_type: ({ robot }, { topic }) => ({ type: robot.topic(String(topic))?.type ?? '' }),
  message_details: ({ robot }, { type }) =>
    messageDetails(type, robot.topics().find((one) => one.type === type)?.schema),
  ...Object.fromEntries(
    PART_DETAILS.map((service): [string, Answer] => [
      service,
      (_parts, { type }) => partDetails(service, type),
    ]),
  ),
  // Of ROS 2 as rosapi of ROS 2 answers it, whichever distribution the robot has.
  get_ros_version: () => ({ version: 2, distro: process.env['ROS_DISTRO'] ?? '' }),
  publishers: ({ graph }, { topic }) => ({ publishers: nodesOf(endpoints(graph, topic)?.publishers) }),
  subscribers: ({ graph }, { topic }) => ({ subscribers: nodesOf(endpoints(graph, topic)?.subscribers) }),
  node_details: ({ graph }, { node }) => {
    const has = (list: readonly { node: string }[]) => list.some((one) => one.node === node);
    const topics = graph?.topics ?? [];
    return {
      publishing: topics.filter(({ publishers }) => has(publishers)).map(({ topic }) => topic),
      subscribing: topics.filter(({ subscribers }) => has(subscribers)).map(({ topic }) => topic),
      // ROS does not report which node serves a service.
      services: [],
    };
  },
  interfaces: ({ robot, graph }) => ({
    interfaces: [
      ...new Set([
        ...robot.topics().map(({ type }) => type),
        ...[...servicesOf(graph), ...(graph?.actions ?? [])].flatMap(({ types }) => types),
      ]),
    ].sort(),
  }),
  action_type: ({ graph }, { action }) => ({
    type: graph?.actions.find(({ name }) => name === action)?.types[0] ?? '',
  }),
  services: ({ graph }) => ({ services: servicesOf(graph).map(({ name }) => name) }),
  service_type: ({ graph }, { service }) => ({
    type: servicesOf(graph).find(({ name }) => name === service)?.types[0] ?? '',
  }),
  services_for_type: ({ graph }, { type }) => ({
    services: servicesOf(graph)
      .filter(({ types }) => types.includes(String(type)))
      .map(({ name }) => name),
  }),
  action_servers: ({ graph }) => ({ action_servers: (graph?.actions ?? []).map(({ name }) => name) }),
  nodes: ({ graph }) => ({ nodes: (graph?.nodes ?? []).map(({ name }) => name) }),
  get_time: ({ clock }) => {
    const now = clock.now();
    return { time: { sec: Number(now / 1_000_000_000n), nanosec: Number(now % 1_000_000_000n) } };
  },
  get_param_names: async ({ door, graph }) => {
    const { parameters } = await readParameters(withToken(door), graph, []);
    return { names: parameters.map(({ name }) => name.replace('.', ':')) };
  },
  get_param: async ({ door, graph }, { name, default_value: fallback }) => {
    const { parameters, faults } = await readParameters(withToken(door), graph, [parameterName(name)]);
    const value = parameters[0]?.value;
    if (value !== undefined) return { value: JSON.stringify(value), successful: true, reason: '' };
    return {
      value: fallback ?? '',
      successful: false,
      reason: faults[0] ?? 'the node has no such parameter',
    };
  },
  has_param: async ({ door, graph }, { name }) => {
    const { parameters } = await readParameters(withToken(door), graph, [parameterName(name)]);
    return { exists: parameters[0]?.value !== undefined };
  },
  set_param: async ({ door }, { name, value }) => {
    const parameter = { name: parameterName(name), value: parseJson(String(value)) as unknown };
    const [fault] = await writeParameters(withToken(door), [parameter]);
    return { successful: fault === undefined, reason: fault ?? '' };
  },
};

/** The answer of a service of rosapi; undefined for any other service. Rejects with what was wrong. */
export async function callRosapi(
  service: string,
  args: MessageValue,
  parts: RosapiParts,
): Promise<MessageValue | undefined> {
  const [, name] = /^\/rosapi\/(\w+)$/.exec(service) ?? [];
  if (name === undefined) return undefined;
  if (Object.hasOwn(SERVICES, name)) return SERVICES[name]!(parts, args);
  throw new EdgeError('robot.not_supported', {
    operation: 'call',
    subject: service,
    message: `${service} is not offered here`,
  });
}

/** Parameters are requests to the API, which wants a token. */
function withToken(door: Door | undefined): Door {
  if (door) return door;
  throw new EdgeError('command.refused', {
    operation: 'call',
    subject: '/rosapi',
    message: 'this client may only look: connect with a token to use parameters',
  });
}

/** Each node once. */
function nodesOf(list: readonly { readonly node: string }[] = []): string[] {
  return [...new Set(list.map(({ node }) => node))];
}

/** `/node:name` of ROS 2, as the other servers name it: `/node.name`. */
function parameterName(value: unknown): string {
  const name = String(value).slice(0, 512);
  const full = name.startsWith('/') ? name : `/${name}`;
  if (full.includes(':')) return full.replace(':', '.');
  throw new EdgeError('schema.invalid', {
    operation: 'parameter',
    subject: full,
    message: `${full}: expected node:name`,
  });
}
