import type { TopicSpec } from '../../contract/core.ts';

/** Types whose only use is to move something. */
const TYPES = new Set([
  'geometry_msgs/msg/Twist',
  'geometry_msgs/msg/TwistStamped',
  'ackermann_msgs/msg/AckermannDrive',
  'ackermann_msgs/msg/AckermannDriveStamped',
  'trajectory_msgs/msg/JointTrajectory',
  'trajectory_msgs/msg/MultiDOFJointTrajectory',
  'control_msgs/msg/JointJog',
  'control_msgs/msg/GripperCommand',
]);
/** Names that a robot obeys by convention whatever the type: drives, controllers, navigation goals, set points. */
const NAMES =
  /(?:^|\/)(?:cmd_vel[a-z_]*|commands?|goal_pose|goal|goal_point|joint_command|setpoint[a-z_]*|cmd_[a-z_]+)(?:\/|$)/;

/** Whether a robot that hears the topic may move. Better one topic too many: the person can allow it by name. */
export function isCommand({ topic, type }: Pick<TopicSpec, 'topic' | 'type'>): boolean {
  return TYPES.has(type) || NAMES.test(topic);
}
