import { STATUS_BODIES } from './cells.ts';
import { CONTROLLER_BODIES } from './controllers.ts';
import { LAKE_BODIES } from './lake.ts';
import { LINK_DISK_BODIES } from './link-disk.ts';
import { MOTION_BODIES } from './motion.ts';
import { POLICY_BODIES } from './policies.ts';
import { RECALL_BODIES } from './recall.ts';
import { RECORDING_BODIES } from './recording.ts';
import { ROS_BODIES } from './ros.ts';
import { RUN_BODIES } from './runs.ts';
import { SAFETY_BODIES } from './safety.ts';
import { TOPIC_BODIES } from './topics.ts';

/**
 * The schemas of question and answer of each call between cells, by the names of `METHODS`. The types of the bus are
 * made of them; both buses, that of production and that of tests, refuse a body that does not fit.
 */
export const CALL_BODIES = {
  ...STATUS_BODIES,
  ...MOTION_BODIES,
  ...SAFETY_BODIES,
  ...CONTROLLER_BODIES,
  ...RECORDING_BODIES,
  ...ROS_BODIES,
  ...TOPIC_BODIES,
  ...POLICY_BODIES,
  ...RUN_BODIES,
  ...LAKE_BODIES,
  ...RECALL_BODIES,
  ...LINK_DISK_BODIES,
} as const;

export type CallBodies = typeof CALL_BODIES;
