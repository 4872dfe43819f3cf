import { DEFAULT_QOS, LATCHED_QOS, SENSOR_QOS, type TopicSpec } from '../../contract/core.ts';
import {
  BOOL,
  CLOCK,
  FLOAT64_MULTI_ARRAY,
  IMAGE,
  JOINT_STATE,
  JOINT_TRAJECTORY,
} from '../../formats/cdr/index.ts';
import { CAMERAS } from './arm-model.ts';

export const POSE_ARRAY = 'geometry_msgs/msg/PoseArray';

/** Topics of the simulated arm besides its cameras. */
export const ARM_TOPICS = {
  clock: { topic: '/clock', type: CLOCK, qos: SENSOR_QOS },
  joints: { topic: '/joint_states', type: JOINT_STATE, qos: SENSOR_QOS },
  /** What a perception of the table would give a policy: the cube, and where it has to go. */
  environment: { topic: '/environment_state', type: FLOAT64_MULTI_ARRAY, qos: SENSOR_QOS },
  /** For evaluation only: the cube that is asked for, its target, the others. */
  cubes: { topic: '/ground_truth/cubes', type: POSE_ARRAY, qos: SENSOR_QOS },
  success: { topic: '/task/success', type: BOOL, qos: LATCHED_QOS },
  reached: { topic: '/task/reached', type: BOOL, qos: LATCHED_QOS },
} as const satisfies Readonly<Record<string, TopicSpec>>;

/** By the name of the camera. */
export const CAMERA_TOPICS: Readonly<Record<string, TopicSpec>> = Object.fromEntries(
  CAMERAS.map(({ name }) => [name, { topic: `/camera/${name}/image_raw`, type: IMAGE, qos: SENSOR_QOS }]),
);

/** Its commands: positions in the order of `ALL_NAMES`, as ros2_control's forward_command_controller. */
export const ARM_COMMAND: TopicSpec = {
  topic: '/forward_position_controller/commands',
  type: FLOAT64_MULTI_ARRAY,
  qos: DEFAULT_QOS,
};

/** The topic of ros2_control's joint_trajectory_controller: followed on straight lines; a later command replaces it. */
export const ARM_TRAJECTORY: TopicSpec = {
  topic: '/joint_trajectory_controller/joint_trajectory',
  type: JOINT_TRAJECTORY,
  qos: DEFAULT_QOS,
};

/** A new episode: the start of this seed, 0 for the next start of the family. For training and evaluation. */
export const TASK_RESET: TopicSpec = { topic: '/task/reset', type: 'std_msgs/msg/UInt32', qos: DEFAULT_QOS };
