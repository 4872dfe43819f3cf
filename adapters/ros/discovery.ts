import {
  compilePattern,
  type EndpointInfo,
  type GraphSnapshot,
  type GraphTopic,
  type Qos,
} from '../../contract/core.ts';
import { qosForPublishers } from '../../formats/ros2/qos.ts';
import { offeredText, profileOf } from '../../formats/rosbag2/index.ts';

/** Which topics of the graph are bridged. Deny wins; topics with a part that starts with `_` are hidden. */
export type DiscoveryRules = {
  /** Patterns of `contract/topic-pattern.ts`: `*` stands for one part of a name, `**` for any number of them. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Configured, or of this daemon: never discovered. */
  readonly known: ReadonlySet<string>;
  /** Full names of our own nodes: what only they publish is not heard back. */
  readonly ownNodes: ReadonlySet<string>;
};

export type FoundTopic = {
  readonly topic: string;
  readonly type: string;
  readonly qos: Qos;
  /** What the publishers offer, for `TopicSpec.offered`. */
  readonly offered: string;
  readonly publishers: readonly EndpointInfo[];
  /** Other types that are published under the same name. */
  readonly otherTypes: readonly string[];
};

/** As deep as the recorder wants it: a burst of a second at 1 kHz. */
const DEPTH = 1_000;

/** Pure: what shall be bridged of this graph, with the quality of service that all publishers satisfy. */
export function discoveredTopics(graph: GraphSnapshot, rules: DiscoveryRules): FoundTopic[] {
  const allow = rules.allow.map(compilePattern);
  const deny = rules.deny.map(compilePattern);
  const found: FoundTopic[] = [];
  for (const topic of graph.topics) {
    const { topic: name } = topic;
    if (rules.known.has(name) || name.split('/').some((part) => part.startsWith('_'))) continue;
    if (!allow.some(({ match }) => match(name)) || deny.some(({ match }) => match(name))) continue;
    const wanted = foundTopic(topic, rules.ownNodes);
    if (wanted) found.push(wanted);
  }
  return found;
}

/** Undefined where no other node publishes messages on it. */
export function foundTopic(
  { topic, publishers }: GraphTopic,
  ownNodes: ReadonlySet<string>,
): FoundTopic | undefined {
  const theirs = publishers.filter(({ node, type }) => !ownNodes.has(node) && MESSAGE_TYPE.test(type));
  const type = theirs[0]?.type;
  if (type === undefined) return undefined;
  const same = theirs.filter((publisher) => publisher.type === type);
  const otherTypes = [...new Set(theirs.map((publisher) => publisher.type))].filter((one) => one !== type);
  const qos = qosForPublishers(
    same.map((publisher) => publisher.qos),
    DEPTH,
  );
  const offered = offeredText(
    same.map((publisher) => ({
      ...profileOf(publisher.qos),
      ...(publisher.historyUnknown ? { history: 'unknown', depth: 0 } : {}),
    })),
  );
  return { topic, type, qos, offered, publishers: same, otherTypes };
}

/** Whether anybody but us is in the graph. */
export function holdsOthers({ nodes, topics }: GraphSnapshot, ownNodes: ReadonlySet<string>): boolean {
  return (
    nodes.some(({ name }) => !ownNodes.has(name)) ||
    topics.some(({ publishers }) => publishers.some(({ node }) => !ownNodes.has(node)))
  );
}

const MESSAGE_TYPE = /^\w+\/msg\/\w+$/;
