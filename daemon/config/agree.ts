import type { Config } from './keys.ts';

/** A key whose value is right by itself and wrong beside another. */
export type Disagreement = {
  readonly path: readonly [string, string];
  readonly value: unknown;
  readonly expected: string;
};

/** What single keys cannot know of each other. */
export function disagreements({ robot, arm }: Config): Disagreement[] {
  const found: Disagreement[] = [];
  const overRos = robot.source === 'ros' || robot.source === 'ros_zenoh';
  if (robot.navigator === 'nav2' && !overRos) {
    const expected = 'robot.source = "ros" beside it: Nav2 is reached over ROS 2';
    found.push({ path: ['robot', 'navigator'], value: robot.navigator, expected });
  }
  if (arm.enabled && !overRos) {
    const expected = 'robot.source = "ros" beside it: the arm is reached over ROS 2';
    found.push({ path: ['arm', 'enabled'], value: arm.enabled, expected });
  }
  if (arm.enabled && arm.joints.length === 0) {
    const expected = 'the names of the joints of the controller, for example ["joint1", "joint2"]';
    found.push({ path: ['arm', 'joints'], value: arm.joints, expected });
  }
  return found;
}
