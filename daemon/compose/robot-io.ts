import {
  type CellContext,
  DEFAULT_QOS,
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
import type { HeardTopics, RobotIo } from './robot-parts.ts';
import { simArmIo } from './sim-arm.ts';

/** Of the three ways to a robot the configured one is loaded. */
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
  const heard = heardTopics(config);
  if (config.robot.source === 'ros') {
    const { rosIo } = await import('./ros-io.ts');
    return { ...nothing, ...rosIo(settings, context, heard) };
  }
  if (config.robot.source === 'ros_zenoh') {
    const { rosZenohIo } = await import('./ros-zenoh.ts');
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

/** What is heard of a robot on ROS, however it is reached, and what moves it. */
function heardTopics(config: Config): HeardTopics {
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
