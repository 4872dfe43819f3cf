import { Type } from 'typebox';
import { ask, count, flag, list, maybe, nanoseconds, nothing, number, reply, text, values } from './kit.ts';

/** Topics as the sample bus has them. Types in full; times in nanoseconds of the robot's clock. */
const topic = text;

export const TopicView = reply({
  topic,
  type: text,
  /** Messages per second, over the last seconds. */
  hz: number,
  latched: flag,
  /** The definition of its type is known: its messages can be shown. */
  readable: flag,
});
/** The newest message that came after `afterNs`; absent: the newest there is. It is waited for up to `waitMs`. */
export const TopicNextRequest = ask({ topic, afterNs: Type.Optional(nanoseconds), waitMs: count });
/** `message`: values as JSON has them. */
export const TopicSample = reply({
  ...{ topic, type: text, stamp: nanoseconds, received: nanoseconds, bytes: count, message: values },
});
/** `definition`: of a type that this host does not know, as `.msg` text with its dependencies (`ros2msg`). */
export const TopicPublishRequest = ask({
  ...{ topic, type: text, message: values },
  definition: Type.Optional(text),
});

export const TOPIC_BODIES = {
  'topic.list': { ask: nothing, reply: reply({ topics: list(TopicView) }) },
  'topic.next': { ask: TopicNextRequest, reply: reply({ sample: maybe(TopicSample) }) },
  'topic.publish': { ask: TopicPublishRequest, reply: reply({ bytes: count }) },
} as const;
