/** Names under which commands are recorded that no configured controller sends. No controller may have one of them. */
export const ACTION_SOURCES = ['drive', 'teleoperation', 'trajectory', 'play', 'route'] as const;
