import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosZenohApi, RosZenohSession } from '../../adapters/zenoh/ros/index.ts';
import type { Clock, KeySpace } from '../../contract/core.ts';
import { type TextLookup, TypeBook } from '../../formats/ros2/index.ts';

export type NodeOptions = {
  readonly namespace?: string;
  readonly domain?: number;
  readonly enclave?: string;
  readonly clock?: Clock;
  readonly texts?: TextLookup;
};

/** A ROS node of ours over a key space, with all that it reported. */
export async function rosNode(node: string, open: () => Promise<KeySpace>, options: NodeOptions = {}) {
  const {
    namespace = '',
    domain = 0,
    enclave = '',
    clock = new SystemClock(),
    texts = () => undefined,
  } = options;
  const reports: string[] = [];
  const session = new RosZenohSession(
    { node, namespace, domain, enclave },
    {
      clock,
      open,
      types: new TypeBook(texts),
      report: (level, message) => reports.push(`${level} ${message}`),
    },
  );
  const api = new RosZenohApi(session);
  await api.open();
  return { session, api, reports };
}

export type RosNode = Awaited<ReturnType<typeof rosNode>>;
