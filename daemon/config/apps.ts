import { choice, flag } from './spec.ts';

/** Who runs the applications of this house. */
export const APPS_KEYS = {
  turtlebot_maze: choice(
    ['flow', 'pi'],
    'flow',
    'harness of the maze: its flow, or an agent, which needs [[models]]; the flow carries on when none answers',
  ),
  extensions: flag(true, 'extensions/*.ts in the folders of applications are loaded'),
} as const;
