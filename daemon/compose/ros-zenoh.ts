import { delimiter } from 'node:path';
import { openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import {
  definitionFiles,
  RosZenohApi,
  RosZenohSession,
  RosZenohSink,
  RosZenohSource,
  RosZenohStandby,
} from '../../adapters/zenoh/ros/index.ts';
import { type CellContext, compilePattern, type KeySpace, type TopicSpec } from '../../contract/core.ts';
import { TypeBook } from '../../formats/ros2/index.ts';
import type { Config } from '../config.ts';
import { RobotSink } from '../execution/door/index.ts';
import type { RobotIo } from './robot-parts.ts';
import { driverOptions, zenohOptions } from './zenoh-options.ts';

type RosZenohIo = Pick<
  RobotIo,
  'source' | 'sink' | 'rosApi' | 'onTopics' | 'onReleased' | 'definitionOf' | 'rosQosEvents'
>;

/** Our nodes in the ROS graph: the one that commands, and the one that stops the robot when that one is gone. */
const NODE = 'auraison_edge';
const STANDBY = `${NODE}_standby`;

/** A robot whose ROS nodes are on rmw_zenoh, reached without ROS on this host. */
export function rosZenohIo(config: Config, { clock, report }: CellContext, command: string): RosZenohIo {
  const { domain_id, namespace, definitions, discover, deny } = config.ros;
  const [allowed, denied] = [discover.map(compilePattern), deny.map(compilePattern)];
  const hidden = (topic: string) => topic.split('/').some((part) => part.startsWith('_'));
  const admits = (topic: string) =>
    topic !== command &&
    !hidden(topic) &&
    allowed.some(({ match }) => match(topic)) &&
    !denied.some(({ match }) => match(topic));
  const installed = (process.env['AMENT_PREFIX_PATH'] ?? '').split(delimiter).filter((path) => path !== '');
  const types = new TypeBook(definitionFiles([...definitions, ...installed]));
  const zenoh = () => ({
    ...driverOptions(config.zenoh),
    ...zenohOptions(config.zenoh, process.env, clock.now()),
    ...besideOurs(config.zenoh),
  });
  const open = async (): Promise<KeySpace> => {
    const opened = await openKeySpace(zenoh(), {
      clock,
      onFault: (error) => report('warn', error.message, { code: error.code }),
    });
    return opened.keySpace;
  };
  const domain = domain_id >= 0 ? domain_id : Number(process.env['ROS_DOMAIN_ID'] ?? 0) || 0;
  const session = new RosZenohSession(
    { node: NODE, namespace, domain, companion: STANDBY },
    { clock, open, types, report: (level, message) => report(level, message) },
  );
  const ros = { node: STANDBY, namespace, domain, companion: NODE };
  const folders = [...definitions, ...installed];
  const standby = new RosZenohStandby(clock, () => ({ zenoh: zenoh(), ros, definitions: folders }), report);
  let onTopics: (topics: readonly TopicSpec[]) => void = () => {};
  let onReleased: (topics: readonly string[]) => void = () => {};
  return {
    source: new RosZenohSource(session, {
      ...(discover.length > 0 ? { discover: admits } : {}),
      onTopics: (found) => onTopics(found),
      onReleased: (gone) => onReleased(gone),
    }),
    onTopics: (listen) => {
      onTopics = listen;
    },
    onReleased: (listen) => {
      onReleased = listen;
    },
    sink: new RobotSink(new RosZenohSink(session, standby)),
    rosApi: new RosZenohApi(session),
    rosQosEvents: () => session.peerFaults.reports(),
    definitionOf: (type) => (types.knows(type) ? types.definition(type) : undefined),
  };
}

/**
 * The ROS session is one of its own beside the key space of this robot: where that one listens, as a router or
 * a peer, this one connects to it, since an endpoint has one listener.
 */
export function besideOurs({ mode, listen, connect }: Config['zenoh']) {
  const here = listen.map((endpoint) => endpoint.replace(/\/(?:0\.0\.0\.0|\[::\])(?=:)/, '/127.0.0.1'));
  return {
    mode: mode === 'client' ? ('client' as const) : ('peer' as const),
    listen: [],
    connect: [...here, ...connect],
  };
}
