import type { Clock, EndpointInfo, TopicSpec } from '../../../contract/index.ts';
import { qosMismatches, qosText } from '../../../formats/ros2/qos.ts';
import type { Notice, QosEvent } from '../wire.ts';
import { endpoint, NAME_UNKNOWN } from './graph-view.ts';
import type { EventCallbacks, EventClasses, EventData, Node as RosNode } from './vendor.ts';

type Direction = QosEvent['direction'];

/** Names of rmw/events.h for a policy, where the other side is no longer in the graph. */
const POLICIES: Readonly<Record<number, string>> = {
  2: 'durability',
  4: 'deadline',
  8: 'liveliness',
  16: 'reliability',
  32: 'history',
  64: 'lifespan',
};

/** Which node an endpoint belongs to is known a little later than that it does not fit, milliseconds. */
const NAMES_MS = 500;
/** How often the name is looked up. After the last time the event is reported without it. */
const NAME_LOOKS = 20;

/** Callbacks for what the middleware notices about quality of service; undefined before Jazzy. */
export function qosCallbacks(
  events: EventClasses,
  node: RosNode,
  clock: Clock,
  spec: TopicSpec,
  direction: Direction,
  tell: (notice: Notice) => void,
  onLost?: (count: number) => void,
): EventCallbacks | undefined {
  let callbacks: EventCallbacks;
  try {
    callbacks =
      direction === 'in' ? new events.SubscriptionEventCallbacks() : new events.PublisherEventCallbacks();
  } catch {
    return undefined;
  }
  const send = (
    kind: QosEvent['kind'],
    count: number,
    message: string,
    hint: string,
    others: EndpointInfo[] = [],
  ) =>
    tell({
      kind: 'qos',
      event: { topic: spec.topic, direction, kind, count, ours: spec.qos, others, message, hint },
    });
  const report = (event: EventData, looksLeft: number): void =>
    void clock.after(NAMES_MS, () => {
      try {
        const { message, hint, others } = explain(node, spec, direction, event);
        const isNamed = others.every((other) => other.node !== NAME_UNKNOWN);
        if (!isNamed && looksLeft > 0) report(event, looksLeft - 1);
        else send('incompatible', changed(event), message, hint, others);
      } catch {
        // The node went away meanwhile, and no receiver is left to notify.
      }
    });
  callbacks.incompatibleQos = (event) => report(event, NAME_LOOKS);
  callbacks.incompatibleType = (event) =>
    send(
      'type',
      changed(event),
      `a ${direction === 'in' ? 'publisher' : 'subscriber'} of this topic has a type other than ${spec.type}`,
      '`auraison ros topics` shows the types of a topic',
    );
  // A deadline that is not set is never missed; asking for the event would still cost an entity.
  if (spec.qos.deadlineMs !== undefined)
    callbacks.deadline = (event) =>
      send(
        'deadline',
        changed(event),
        `no message within the deadline of ${spec.qos.deadlineMs} ms`,
        'check that the publisher is running, and its rate',
      );
  if (direction === 'in' && (spec.qos.livelinessLeaseMs !== undefined || spec.qos.liveliness !== undefined))
    callbacks.liveliness = (event) => {
      const lost = Number(event.not_alive_count_change ?? 0);
      if (lost > 0)
        send('liveliness', lost, 'a publisher lost its liveliness', 'check whether its node hangs');
    };
  if (direction === 'in' && onLost) callbacks.messageLost = (event) => onLost(changed(event));
  return callbacks;
}

function changed(event: EventData): number {
  return Math.max(0, Number(event.total_count_change ?? 1));
}

/** Names both sides with their policies, and what would join them. */
function explain(
  node: RosNode,
  spec: TopicSpec,
  direction: Direction,
  event: EventData,
): { message: string; hint: string; others: EndpointInfo[] } {
  const infos = direction === 'in' ? node.getPublishersInfoByTopic : node.getSubscriptionsInfoByTopic;
  const others = infos
    .call(node, spec.topic)
    .map(endpoint)
    .filter(({ qos }) => mismatches(spec, direction, qos).length > 0);
  const policy = POLICIES[Number(event.last_policy_kind)] ?? 'a policy';
  const [we, they] = direction === 'in' ? ['asks for', 'offers'] : ['offers', 'asks for'];
  const who = others.map((other) => `${other.node} ${they} ${qosText(other.qos)}`).join('; ');
  const message =
    `incompatible quality of service (${policy}): this node ${we} ${qosText(spec.qos)}` +
    `, ${who || 'the other side is gone from the graph'}; nothing flows between them`;
  const wrong = others.flatMap(({ qos }) => mismatches(spec, direction, qos));
  const fixes = new Set(
    wrong.map(({ policy: name, offered, requested }) =>
      direction === 'in'
        ? `set ${KEYS[name]} of ${spec.topic} in [[ros.topics]] to what is offered (${offered})`
        : `publish ${spec.topic} with ${KEYS[name]} as asked for (${requested})`,
    ),
  );
  return { message, hint: [...fixes].join('; ') || `make ${policy} the same on both sides`, others };
}

/** Keys of a topic in the configuration. */
const KEYS = {
  reliability: 'reliability',
  durability: 'durability',
  deadline: 'deadline',
  liveliness: 'liveliness',
  liveliness_lease: 'liveliness_lease',
} as const;

function mismatches(spec: TopicSpec, direction: Direction, other: EndpointInfo['qos']) {
  return direction === 'in' ? qosMismatches(other, spec.qos) : qosMismatches(spec.qos, other);
}
