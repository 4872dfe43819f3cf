import { choice } from './spec.ts';

/** Who runs the applications of this house. */
export const APPS_KEYS = {
  turtlebot_maze: choice(
    ['flow', 'pi'],
    'flow',
    'harness of the maze: its flow, or an agent, which needs [[models]]; the flow carries on when none answers',
  ),
} as const;
