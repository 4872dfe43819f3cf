import {
  type Clock,
  EdgeError,
  type GraphSnapshot,
  type MessageValue,
  parseJson,
} from '../../contract/core.ts';
import type { RobotView } from '../../io/attached/attached-robot.ts';
import { readParameters, writeParameters } from '../../io/attached/parameters.ts';
import type { Door } from '../../io/attached/robot-door.ts';

export type RosapiParts = {
  readonly robot: Pick<RobotView, 'topics' | 'topic'>;
  readonly door: Door;
  readonly clock: Pick<Clock, 'now'>;
  readonly graph: GraphSnapshot | undefined;
};
type Answer = (parts: RosapiParts, args: MessageValue) => MessageValue | Promise<MessageValue>;

/** The services of rosapi that roslib and roslibpy ask for. Topics are those that this server offers. */
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
  services: ({ graph }) => ({ services: (graph?.services ?? []).map(({ name }) => name) }),
  service_type: ({ graph }, { service }) => ({
    type: graph?.services.find(({ name }) => name === service)?.types[0] ?? '',
  }),
  services_for_type: ({ graph }, { type }) => ({
    services: (graph?.services ?? [])
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
    const { parameters } = await readParameters(door, graph, []);
    return { names: parameters.map(({ name }) => name.replace('.', ':')) };
  },
  get_param: async ({ door, graph }, { name, default_value: fallback }) => {
    const { parameters, faults } = await readParameters(door, graph, [parameterName(name)]);
    const value = parameters[0]?.value;
    if (value !== undefined) return { value: JSON.stringify(value), successful: true, reason: '' };
    return {
      value: fallback ?? '',
      successful: false,
      reason: faults[0] ?? 'the node has no such parameter',
    };
  },
  has_param: async ({ door, graph }, { name }) => {
    const { parameters } = await readParameters(door, graph, [parameterName(name)]);
    return { exists: parameters[0]?.value !== undefined };
  },
  set_param: async ({ door }, { name, value }) => {
    const parameter = { name: parameterName(name), value: parseJson(String(value)) as unknown };
    const [fault] = await writeParameters(door, [parameter]);
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
