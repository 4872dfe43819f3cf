/** Ids of goals: 16 bytes in messages, 32 hexadecimal digits in the port. */
export function goalBytes(goalId: string): Uint8Array {
  return Uint8Array.from(Buffer.from(goalId, 'hex'));
}

export function goalText(uuid: ArrayLike<number>): string {
  return Buffer.from(Uint8Array.from(uuid)).toString('hex');
}

/** goal_id.uuid of a `unique_identifier_msgs/UUID goal_id` that starts a message, without decoding the rest. */
export function leadingGoalId(message: Uint8Array): string | undefined {
  const at = 4;
  return message.length >= at + 16 ? goalText(message.subarray(at, at + 16)) : undefined;
}

/** By the numbers of action_msgs/msg/GoalStatus. */
export const GOAL_STATUS = {
  unknown: 0,
  accepted: 1,
  executing: 2,
  canceling: 3,
  succeeded: 4,
  canceled: 5,
  aborted: 6,
} as const;
