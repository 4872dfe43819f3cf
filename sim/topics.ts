import { DEFAULT_QOS, LATCHED_QOS, SENSOR_QOS, type TopicSpec } from '../contract/core.ts';
import { BOOL, CLOCK, FLOAT32, LASER_SCAN, ODOMETRY, TF_MESSAGE, TWIST } from '../formats/cdr/index.ts';

/** What the simulated robot publishes. */
export const SIM_TOPICS = {
  scan: { topic: '/scan', type: LASER_SCAN, qos: SENSOR_QOS },
  odom: { topic: '/odom', type: ODOMETRY, qos: DEFAULT_QOS },
  tf: { topic: '/tf', type: TF_MESSAGE, qos: DEFAULT_QOS },
  tfStatic: { topic: '/tf_static', type: TF_MESSAGE, qos: LATCHED_QOS },
  clock: { topic: '/clock', type: CLOCK, qos: SENSOR_QOS },
  bumper: { topic: '/bumper', type: BOOL, qos: DEFAULT_QOS },
  exitReached: { topic: '/maze/exit_reached', type: BOOL, qos: LATCHED_QOS },
  /** Speed of the hardest contact so far, m/s: what the referee would call a collision or a mere bump. */
  hardestContact: { topic: '/maze/hardest_contact', type: FLOAT32, qos: LATCHED_QOS },
  /** For evaluation only; navigating by it would be cheating. */
  groundTruth: { topic: '/ground_truth/odom', type: ODOMETRY, qos: DEFAULT_QOS },
} as const satisfies Readonly<Record<string, TopicSpec>>;

/** What it obeys. */
export const CMD_VEL: TopicSpec = { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS };
