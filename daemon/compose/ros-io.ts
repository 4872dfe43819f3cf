import { join } from 'node:path';
import { RosHost } from '../../adapters/ros/ros-host.ts';
import { RosSink } from '../../adapters/ros/ros-sink.ts';
import { RosSource } from '../../adapters/ros/ros-source.ts';
import { type CellContext, EdgeError, type TopicSpec } from '../../contract/core.ts';
import { RobotSink } from '../execution/door/index.ts';
import type { Settings } from '../settings.ts';
import type { HeardTopics, RobotIo } from './robot-parts.ts';

/** Topics whose broken promises are remembered as reported. */
const QOS_TOLD_MAX = 1_024;

/** A robot on ROS 2, reached by the ROS of this host. */
export function rosIo(
  { config, dataDir }: Settings,
  { clock, report, emit }: CellContext,
  heard: HeardTopics,
): Partial<RobotIo> {
  /** What is wrong with one topic: for operators now, and in the log. The others continue. */
  const onFault = (error: EdgeError) => {
    report('warn', error.message, { code: error.code, subject: error.subject, hint: error.hint });
    emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]).catch((cause: unknown) =>
      report('warn', 'an event was not written', { error: String(cause) }),
    );
  };
  const told = new Set<string>();
  const host = new RosHost(
    {
      node: 'auraison_edge',
      namespace: config.ros.namespace,
      useSimTime: config.ros.use_sim_time,
      nativeDir: join(dataDir, 'cache', 'ros'),
      onQosEvent: ({ topic, kind, message, hint }) => {
        const error = new EdgeError('ros.refused', {
          operation: `qos ${kind}`,
          subject: topic,
          message,
          hint,
        });
        // A promise that is missed again and again is counted, and reported the first time.
        const key = `${topic} ${kind}`;
        if (kind === 'incompatible' || !told.has(key)) onFault(error);
        // Names come and go: the oldest makes room, and is reported again if it comes again.
        if (told.size >= QOS_TOLD_MAX && !told.has(key)) told.delete(told.keys().next().value!);
        told.add(key);
      },
      env: config.ros.domain_id < 0 ? {} : { ROS_DOMAIN_ID: String(config.ros.domain_id) },
      report: (level, message) => report(level, message),
    },
    clock,
  );
  let onTopics: (topics: readonly TopicSpec[]) => void = () => {};
  let onReleased: (topics: readonly string[]) => void = () => {};
  const source = new RosSource(host, {
    discover: config.ros.discover,
    deny: config.ros.deny,
    except: [heard.command.topic, ...config.controllers.map(({ output }) => output)],
    onFault,
    onTopics: (found) => onTopics(found),
    onReleased: (gone) => onReleased(gone),
  });
  return {
    rosApi: host.api,
    rosQosEvents: () => [...host.qosEvents.values()],
    onTopics: (listen) => {
      onTopics = listen;
    },
    onReleased: (listen) => {
      onReleased = listen;
    },
    definitionOf: (type) => host.definitionOf(type),
    resubscribe: (topic) => source.resubscribe(topic),
    source,
    sink: new RobotSink(new RosSink(host)),
    ...heard,
  };
}
