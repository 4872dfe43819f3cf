import { expect, it } from 'vitest';
import { obeyedNames } from '../../daemon/compose/safety.ts';
import { readConfig } from '../../daemon/config.ts';
import { TopicClasses } from '../../daemon/execution/door/index.ts';

it('a robot is described by its configuration: what moves it, in its namespace, whatever is called harmless', () => {
  const { config, faults } = readConfig(
    `[robot]
source = "ros"
navigator = "nav2"
harmless = ["/**", "/robot7/goal_pose"]
[ros]
namespace = "robot7"
[[ros.topics]]
topic = "/robot7/cmd_vel_safe"
type = "geometry_msgs/msg/Twist"
direction = "out"
[arm]
enabled = true
joints = ["a"]
controller = "jtc/follow_joint_trajectory"
gripper = "gripper/gripper_cmd"
[gate]
commands = "/positions/commands"
[[gate.limits]]
name = "a"
lower = -1
upper = 1
velocity = 1
[[controllers]]
name = "arm"
output = "/speeds/commands"
kind = "velocities"
joints = ["a"]
inputs = [{ name = "observation.state", topic = "/joint_states", joints = ["a"] }]
`,
    'robot.toml',
    {},
  );
  expect(faults).toEqual([]);
  const command = { topic: '/robot7/cmd_vel', type: '', qos: undefined as never };
  const obeys = obeyedNames(config, { command });
  expect(new Set(obeys)).toEqual(
    new Set([
      ...['/robot7/cmd_vel', '/robot7/cmd_vel_safe', '/positions/commands', '/speeds/commands'],
      ...[
        '/robot7/jtc/follow_joint_trajectory',
        '/robot7/jtc/joint_trajectory',
        '/robot7/gripper/gripper_cmd',
      ],
      ...['/robot7/goal_pose', '/robot7/navigate_to_pose', '/robot7/navigate_through_poses'],
      ...['/robot7/spin', '/robot7/backup', '/robot7/drive_on_heading'],
    ]),
  );
  const classes = new TopicClasses({ obeys, harmless: config.robot.harmless });
  for (const topic of obeys) expect(classes.classify({ topic, type: 'std_msgs/msg/String' })).toBe('command');
  expect(classes.classify({ topic: '/robot7/chatter', type: 'std_msgs/msg/String' })).toBe('harmless');
});
