import { Type } from 'typebox';
import {
  ask,
  byName,
  count,
  flag,
  list,
  measured,
  nothing,
  number,
  oneOf,
  reply,
  text,
  values,
} from './kit.ts';

/** A parameter value by its ROS kind; `unset` where the node has none by that name. */
export type ParameterValue =
  | { readonly kind: 'unset' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'bools'; readonly value: readonly boolean[] }
  | { readonly kind: 'integers'; readonly value: readonly bigint[] }
  | { readonly kind: 'doubles'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

/** Names with a leading slash; types in full. A message is checked against its ROS definition, not here. */
const message = values;
const parameters = Type.Unsafe<Readonly<Record<string, ParameterValue>>>(values);
const timeoutMs = number;

export const RosCallRequest = ask({ service: text, type: text, request: message, timeoutMs });
/** `by`: principal who sends it. */
export const RosGoalRequest = ask({
  ...{ action: text, type: text, goal: message, timeoutMs },
  by: Type.Optional(text),
});
/** Feedback with a `feedbackSeq` above `after`; the newest hundred are kept. */
export const RosGoalQuery = ask({ goalId: text, after: Type.Optional(number) });
export const RosGoalCancel = ask({
  ...{ goalId: text, timeoutMs },
  by: Type.Optional(Type.String({ maxLength: 128, description: 'principal that asked for it' })),
});
export const RosGoalView = reply({
  goalId: text,
  action: text,
  type: text,
  state: oneOf(['running', 'succeeded', 'canceled', 'aborted', 'rejected', 'lost']),
  /** Why it was lost. */
  reason: text,
  feedbackSeq: count,
  feedback: list(reply({ seq: count, value: message })),
  result: Type.Optional(message),
});
export const RosParamsRequest = ask({
  node: text,
  /** None: list their names. */
  names: Type.Optional(list(text)),
  set: Type.Optional(parameters),
  timeoutMs,
});
/** Names, or values, or why values were refused, by name. */
export const RosParamsReply = Type.Union([
  reply({ names: list(text) }),
  reply({ values: parameters }),
  reply({ refused: byName(text) }),
]);
export const RosLifecycleRequest = ask({
  node: text,
  transition: Type.Optional(oneOf(['configure', 'cleanup', 'activate', 'deactivate', 'shutdown'])),
  timeoutMs,
});
/** Without frames: the tree. */
export const RosTfRequest = ask({ target: Type.Optional(text), source: Type.Optional(text) });

/** Quality of service of a topic, by the names of ROS 2. */
export const Qos = reply({
  reliability: oneOf(['reliable', 'best_effort']),
  durability: oneOf(['volatile', 'transient_local']),
  history: oneOf(['keep_last', 'keep_all']),
  depth: measured,
  /** Longest time between two messages that is promised or asked for, milliseconds; absent: any. */
  deadlineMs: Type.Optional(measured),
  /** A message older than this is no longer delivered, milliseconds; absent: any age. */
  lifespanMs: Type.Optional(measured),
  liveliness: Type.Optional(oneOf(['automatic', 'manual_by_topic'])),
  /** How often a publisher shows that it lives, milliseconds; absent: never asked. */
  livelinessLeaseMs: Type.Optional(measured),
});

export const EndpointInfo = reply({
  /** Full name with namespace, for example `/robot7/amcl`; `_NODE_NAME_UNKNOWN_` where the middleware does not say. */
  node: text,
  type: text,
  qos: Qos,
  /** The middleware does not report history and depth: those of `qos` are the default of ROS 2. */
  historyUnknown: Type.Optional(flag),
  /** RIHS01 hash of the type where the middleware gives it. */
  typeHash: Type.Optional(text),
});
export const GraphTopic = reply({
  topic: text,
  types: list(text),
  publishers: list(EndpointInfo),
  subscribers: list(EndpointInfo),
});
const named = list(reply({ name: text, types: list(text) }));
const graph = {
  nodes: list(reply({ name: text, enclave: text })),
  topics: list(GraphTopic),
  services: named,
  actions: named,
};
/** What is in the ROS graph now. Types as `package/msg/Type`, `package/srv/Type`, `package/action/Type`. */
export const GraphSnapshot = reply(graph);

/** An event about quality of service, counted since the daemon started. */
export const RosQosReport = reply({
  topic: text,
  direction: oneOf(['in', 'out']),
  kind: oneOf(['incompatible', 'deadline', 'liveliness', 'type']),
  count,
  ours: Qos,
  message: text,
  hint: text,
});
export const RosGraphReply = reply({ ...graph, qosEvents: list(RosQosReport) });

export const ROS_BODIES = {
  'ros.graph': { ask: nothing, reply: RosGraphReply },
  'ros.call': { ask: RosCallRequest, reply: message },
  'ros.goal_send': { ask: RosGoalRequest, reply: RosGoalView },
  'ros.goal_view': { ask: RosGoalQuery, reply: RosGoalView },
  'ros.goal_cancel': { ask: RosGoalCancel, reply: reply({ cancelled: flag }) },
  'ros.params': { ask: RosParamsRequest, reply: RosParamsReply },
  'ros.lifecycle': { ask: RosLifecycleRequest, reply: reply({ state: text }) },
  'ros.tf': { ask: RosTfRequest, reply: values },
} as const;
