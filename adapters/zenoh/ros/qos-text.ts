import type { Qos } from '../../../contract/core.ts';

/**
 * Quality of service as rmw_zenoh writes it into its tokens:
 * `reliability:durability:history,depth:deadline:lifespan:liveliness`, with the numbers of rmw's enumerations
 * and `seconds,nanoseconds` for durations; what is empty is the default (reliable, volatile, keep last 42,
 * no deadline, no lifespan, automatic liveliness). There is no code for what neither side of a key can promise.
 */
const BEST_EFFORT = '2';
const TRANSIENT_LOCAL = '1';
const KEEP_ALL = '2';
const MANUAL_BY_TOPIC = '3';
const DEPTH_DEFAULT = 42;
/** The infinite duration of rmw, seconds. */
const INFINITE_S = 9_223_372_036;

/** The profile that ROS 2 gives services, and topics that say nothing. */
export const ROS_DEFAULT_QOS: Qos = {
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
};

export function qosText(qos: Qos): string {
  const reliability = qos.reliability === 'best_effort' ? BEST_EFFORT : '';
  const durability = qos.durability === 'transient_local' ? TRANSIENT_LOCAL : '';
  const history = `${qos.history === 'keep_all' ? KEEP_ALL : ''},${qos.depth}`;
  const liveliness = qos.liveliness === 'manual_by_topic' ? MANUAL_BY_TOPIC : '';
  const lease = duration(qos.livelinessLeaseMs);
  return `${reliability}:${durability}:${history}:${duration(qos.deadlineMs)}:${duration(qos.lifespanMs)}:${liveliness},${lease}`;
}

/** Unreadable text gives the default, so that the endpoint is not lost. */
export function readQosText(text: string): Qos {
  const [reliability, durability, history = '', deadline = '', lifespan = '', liveliness = ''] =
    text.split(':');
  const [kind, depth = ''] = history.split(',');
  const [manual, ...lease] = liveliness.split(',');
  return {
    reliability: reliability === BEST_EFFORT ? 'best_effort' : 'reliable',
    durability: durability === TRANSIENT_LOCAL ? 'transient_local' : 'volatile',
    history: kind === KEEP_ALL ? 'keep_all' : 'keep_last',
    depth: /^\d{1,9}$/.test(depth) ? Number(depth) : DEPTH_DEFAULT,
    ...milliseconds('deadlineMs', deadline),
    ...milliseconds('lifespanMs', lifespan),
    liveliness: manual === MANUAL_BY_TOPIC ? 'manual_by_topic' : 'automatic',
    ...milliseconds('livelinessLeaseMs', lease.join(',')),
  };
}

function duration(ms: number | undefined): string {
  if (ms === undefined) return ',';
  const seconds = Math.floor(ms / 1000);
  return `${seconds},${Math.round((ms - seconds * 1000) * 1e6)}`;
}

function milliseconds<K extends string>(key: K, text: string): { [key in K]?: number } {
  const [seconds = '', nanoseconds = ''] = text.split(',');
  if (!/^\d+$/.test(seconds) && !/^\d+$/.test(nanoseconds)) return {};
  const s = Number(seconds === '' ? INFINITE_S : seconds);
  if (!(s < INFINITE_S)) return {};
  return { [key]: s * 1000 + Number(nanoseconds || 0) / 1e6 } as { [key in K]?: number };
}
