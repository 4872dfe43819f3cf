import { ROS_LIMITS } from './options.ts';
import type { QosEvent } from './wire.ts';

/** Adds an event to the counts by topic, direction and kind. Topics that left the graph give their places to present ones. */
export function countQosEvent(counts: Map<string, QosEvent>, event: QosEvent): void {
  const key = `${event.topic} ${event.direction} ${event.kind}`;
  const count = (counts.get(key)?.count ?? 0) + event.count;
  if (counts.size >= ROS_LIMITS.QOS_EVENTS_MAX && !counts.has(key))
    counts.delete(counts.keys().next().value!);
  counts.set(key, { ...event, count });
}
