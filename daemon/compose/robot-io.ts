import { join } from 'node:path';
import { RosHost } from '../../adapters/ros/ros-host.ts';
import { RosSink } from '../../adapters/ros/ros-sink.ts';
import { RosSource } from '../../adapters/ros/ros-source.ts';
import {
  type CellContext,
  DEFAULT_QOS,
  EdgeError,
  LATCHED_QOS,
  SENSOR_QOS,
  type TopicSpec,
} from '../../contract/core.ts';
import { TWIST_STAMPED } from '../../formats/cdr/index.ts';
import { CELL_PITCH } from '../../sim/arena.ts';
import { SimRobot } from '../../sim/client.ts';
import { CMD_VEL, SIM_TOPICS } from '../../sim/topics.ts';
import type { Config } from '../config.ts';
import { ROBOT_TOPICS, type RobotTopics } from '../execution/control/robot-topics.ts';
import { RobotSink } from '../execution/door/index.ts';
import { socketPath } from '../paths.ts';
import type { Settings } from '../settings.ts';
import type { RobotIo } from './robot-parts.ts';
import { rosZenohIo } from './ros-zenoh.ts';
import { simArmIo } from './sim-arm.ts';

/** Topics whose broken promises are remembered as reported. */
const QOS_TOLD_MAX = 1_024;

export async function makeRobotIo(settings: Settings, context: CellContext): Promise<RobotIo> {
  const { config } = settings;
  const command: TopicSpec = { topic: config.ros.cmd_vel, type: CMD_VEL.type, qos: DEFAULT_QOS };
  const nothing: RobotIo = {
    source: undefined,
    sink: undefined,
    topics: [],
    command,
    robotTopics: ROBOT_TOPICS,
    world: undefined,
    mapAreaM2: undefined,
  };
  if (config.robot.source === 'sim') return { ...nothing, ...simIo(settings, context) };
  if (config.robot.source === 'ros') return { ...nothing, ...rosIo(settings, context) };
  if (config.robot.source === 'ros_zenoh') {
    const heard = heardTopics(config);
    return { ...nothing, ...heard, ...rosZenohIo(config, context, heard.command.topic) };
  }
  return nothing;
}

function simIo(settings: Settings, context: CellContext): Partial<RobotIo> {
  if (settings.config.sim.world === 'arm') return simArmIo(settings, context);
  const { config, dataDir } = settings;
  const { clock, report } = context;
  const robot = new SimRobot({
    socket: socketPath(dataDir, 'sim.sock'),
    clock,
    onFault: (error) => report('warn', error.message, { code: error.code }),
  });
  return {
    source: robot,
    sink: new RobotSink(robot),
    topics: Object.values(SIM_TOPICS),
    command: CMD_VEL,
    world: config.sim.pace === 'lockstep' ? robot : undefined,
    mapAreaM2: config.sim.width * config.sim.height * CELL_PITCH ** 2,
  };
}

function rosIo({ config, dataDir }: Settings, { clock, report, emit }: CellContext): Partial<RobotIo> {
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
  const heard = heardTopics(config);
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

/** What is heard of a robot on ROS, however it is reached, and what moves it. */
function heardTopics(config: Config): Pick<RobotIo, 'topics' | 'command' | 'robotTopics'> {
  const heard = config.ros.topics.filter((t) => t.direction === 'in');
  const topics: TopicSpec[] = (heard.length > 0 ? heard : usualTopics(config.ros.namespace)).map(
    ({ topic, type, qos }) => ({ topic, type, qos }),
  );
  // What the robot is steered by is heard, whatever else is configured.
  for (const needed of neededTopics(config)) {
    if (!topics.some(({ topic }) => topic === needed.topic)) topics.push(needed);
  }
  return {
    topics,
    command: commandTopic(config),
    robotTopics: Object.fromEntries(
      Object.entries(ROBOT_TOPICS).map(([role, topic]) => [
        role,
        role === 'tfStatic' ? topic : named(config.ros.namespace, topic),
      ]),
    ) as RobotTopics,
  };
}

/** The velocity command: an outgoing topic of the configuration with its quality of service, else `ros.cmd_vel`. */
function commandTopic({ ros }: Config): TopicSpec {
  const told = ros.topics.find((topic) => topic.direction === 'out');
  if (told) return { topic: told.topic, type: told.type, qos: told.qos };
  const type = ros.cmd_vel_stamped ? TWIST_STAMPED : CMD_VEL.type;
  return { topic: named(ros.namespace, ros.cmd_vel), type, qos: DEFAULT_QOS };
}

/** What Nav2's state, the arm's state and the health of the robot are taken from. */
function neededTopics({ robot, arm, ros, estop }: Config): TopicSpec[] {
  const inNamespace = (topic: string) => named(ros.namespace, topic);
  const navigation: TopicSpec[] = [
    { topic: inNamespace('/odom'), type: 'nav_msgs/msg/Odometry', qos: SENSOR_QOS },
    { topic: '/tf', type: 'tf2_msgs/msg/TFMessage', qos: DEFAULT_QOS },
    { topic: inNamespace('/map'), type: 'nav_msgs/msg/OccupancyGrid', qos: LATCHED_QOS },
    {
      topic: inNamespace('/amcl_pose'),
      type: 'geometry_msgs/msg/PoseWithCovarianceStamped',
      qos: DEFAULT_QOS,
    },
  ];
  const { joint_states } = arm;
  const joints = joint_states.startsWith('/') ? joint_states : inNamespace(`/${joint_states}`);
  const stop = stopTopic({ estop, ros });
  return [
    ...(stop === '' ? [] : [{ topic: stop, type: 'std_msgs/msg/Bool', qos: DEFAULT_QOS }]),
    ...(robot.navigator === 'nav2' ? navigation : []),
    ...(arm.enabled ? [{ topic: joints, type: 'sensor_msgs/msg/JointState', qos: SENSOR_QOS }] : []),
  ];
}

/**
 * What a TurtleBot offers; transforms and diagnostics are global by convention, the rest is in the robot's namespace.
 */
function usualTopics(namespace: string): TopicSpec[] {
  return [
    { topic: named(namespace, '/scan'), type: 'sensor_msgs/msg/LaserScan', qos: SENSOR_QOS },
    { topic: named(namespace, '/odom'), type: 'nav_msgs/msg/Odometry', qos: SENSOR_QOS },
    { topic: '/tf', type: 'tf2_msgs/msg/TFMessage', qos: DEFAULT_QOS },
    { topic: '/tf_static', type: 'tf2_msgs/msg/TFMessage', qos: LATCHED_QOS },
    { topic: named(namespace, '/battery_state'), type: 'sensor_msgs/msg/BatteryState', qos: SENSOR_QOS },
    { topic: named(namespace, '/joint_states'), type: 'sensor_msgs/msg/JointState', qos: SENSOR_QOS },
    { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray', qos: SENSOR_QOS },
  ];
}

/** Topic of the emergency stop, in the namespace of the robot; empty: none. */
export function stopTopic({ estop, ros }: Pick<Config, 'estop' | 'ros'>): string {
  return estop.ros_topic === '' ? '' : named(ros.namespace, estop.ros_topic);
}

/** `topic` starts with a slash, or is empty for the namespace itself. */
export function named(namespace: string, topic: string): string {
  const prefix = namespace === '' || namespace === '/' ? '' : `/${namespace.replace(/^\/+|\/+$/g, '')}`;
  return `${prefix}${topic}`;
}
