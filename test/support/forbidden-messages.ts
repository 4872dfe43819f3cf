import { expect } from 'vitest';
import type { CliResult } from './daemon.ts';
import type { ForbiddenRobot } from './forbidden-robot.ts';
import type { Way } from './ways-to-move.ts';

/** Ways to publish a message. */
export const MESSAGE_WAYS = [
  'HTTP: message of a topic',
  'command line: message of a topic',
] as const satisfies readonly Way[];

const TYPE = 'geometry_msgs/msg/Twist';
const message = { linear: { x: 0.3 } };

/** The door refuses what moves the robot before any policy is asked: a message has no lease. */
export async function refusesMessage(
  way: (typeof MESSAGE_WAYS)[number],
  robot: ForbiddenRobot,
  cli: (...args: string[]) => Promise<CliResult>,
): Promise<void> {
  const byApi = () => robot.refusal('/v1/topics/publish', { topic: '/cmd_vel', type: TYPE, message });
  const byCommand = async () =>
    (await cli('topics', 'publish', '/cmd_vel', TYPE, JSON.stringify(message))).stderr;
  const once = way === 'HTTP: message of a topic' ? byApi : byCommand;
  // A host that held the daemon up for a moment makes it refuse what may be old, and ask for it again.
  let said = await once();
  for (let i = 0; i < 20 && said.includes('stood still a moment ago'); i++) said = await once();
  expect(said).toContain('/cmd_vel moves the robot, and this route holds no actuation lease');
  expect(robot.moving()).toEqual([]);
}
