/**
 * Whether a call of this tool may move the robot, by the description of the tool. What has none, or one that is not known,
 * may. Every stop refuses what was asked for before it and may move; that of an agent refuses of other runs nothing else.
 */
export function mayMove({ effect }: { readonly effect?: unknown }): boolean {
  return effect !== 'read' && effect !== 'write';
}
