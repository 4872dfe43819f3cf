export { NavRobot, type NavRobotOptions } from './nav2/nav-robot.ts';
export type { RosOptions } from './options.ts';
export { RosHost } from './ros-host.ts';
export { RosSink } from './ros-sink.ts';
export { RosSource, type RosSourceOptions } from './ros-source.ts';
