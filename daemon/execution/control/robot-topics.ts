import { BOOL, LASER_SCAN, ODOMETRY, TF_MESSAGE } from '../../../formats/cdr/index.ts';

/** What the control loop listens to, by what it means; the names come from configuration. */
export type RobotTopics = {
  readonly scan: string;
  readonly odometry: string;
  readonly bumper: string;
  readonly tfStatic: string;
};

export const ROBOT_TOPICS: RobotTopics = {
  scan: '/scan',
  odometry: '/odom',
  bumper: '/bumper',
  tfStatic: '/tf_static',
};

/** The ROS types it can read on them; a topic of another type is not for the control loop. */
export const ROBOT_TYPES: Readonly<Record<keyof RobotTopics, string>> = {
  scan: LASER_SCAN,
  odometry: ODOMETRY,
  bumper: BOOL,
  tfStatic: TF_MESSAGE,
};

/** Which of the four a sample is, if any. */
export function roleOf(topics: RobotTopics, topic: string, type: string): keyof RobotTopics | undefined {
  for (const role of ['scan', 'odometry', 'bumper', 'tfStatic'] as const) {
    if (topics[role] === topic && ROBOT_TYPES[role] === type) return role;
  }
  return undefined;
}
