import { choice, flag, text } from './spec.ts';

/** Who runs the applications of this house. */
export const APPS_KEYS = {
  turtlebot_maze: choice(
    ['flow', 'pi'],
    'flow',
    'harness of the maze: its flow, or an agent, which needs [[models]]; the flow carries on when none answers',
  ),
  extensions: flag(true, 'extensions/*.ts in the folders of applications are loaded'),
  folder: text(
    '',
    'where yours are: <folder>/<application>/extensions/*.ts instead of those beside the application, for example "/etc/auraison/apps"',
    { match: /^(|\/.*)$/, expected: 'an absolute path, or ""' },
  ),
} as const;
