import type { Application } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';
import { mazeAgent } from './agent.ts';
import { mazeTools } from './agent-tools.ts';
import { MAX_BUMPS, MAX_DURATION_S } from './facts.ts';
import { mazeFlow } from './flow.ts';

/** The reference application: a TurtleBot-class robot finds its way out of a maze it has never seen. */
export const application: Application = {
  name: 'turtlebot-maze',
  version: '0.1.0',
  description: 'Explores an unknown maze with a lidar and drives out through its exit',
  harness: 'flow',
  intents: [
    {
      type: 'maze/find_exit',
      description: 'Find the exit of the maze and drive through it',
      params: Type.Object(
        {
          max_duration_s: Type.Optional(
            Type.Number({
              minimum: 1,
              maximum: 86_400,
              description: `robot time the search may take, seconds; ${MAX_DURATION_S} where it is not given`,
            }),
          ),
          max_bumps: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 10_000,
              description: `bumper contacts after which the robot gives up; ${MAX_BUMPS} where it is not given`,
            }),
          ),
        },
        { additionalProperties: false },
      ),
    },
  ],
  deadlineMs: 4 * 60 * 60 * 1000,
  afterCut: 'resume',
  flow: mazeFlow,
  // Where the configuration chooses the pi harness; the flow stands by for when no model answers.
  agent: mazeAgent,
  folder: import.meta.dirname,
  tools: mazeTools,
};
