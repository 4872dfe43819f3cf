export type { RosOptions } from './options.ts';
export { RosHost } from './ros-host.ts';
export { RosRobot, type RosRobotOptions } from './ros-robot.ts';
export { RosSink } from './ros-sink.ts';
export { RosSource } from './ros-source.ts';
