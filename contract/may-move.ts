/**
 * Whether a call of this tool may move the robot, by the description of the tool. What has none, or one that is not known,
 * may. One question for all who ask it: what was asked for before a stop, and may move, does not start after it.
 */
export function mayMove({ effect }: { readonly effect?: unknown }): boolean {
  return effect !== 'read' && effect !== 'write';
}
