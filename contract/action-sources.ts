/** Names under which commands are recorded that no configured controller sends. No controller may have one of them. */
export const ACTION_SOURCES = ['drive', 'teleoperation', 'trajectory', 'play', 'route', 'goal'] as const;

/** Name under which goals that nodes of the robot carry out are recorded. */
export const GOAL_SOURCE = 'goal' satisfies (typeof ACTION_SOURCES)[number];
