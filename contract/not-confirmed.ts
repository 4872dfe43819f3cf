/** What the message of a motion ends with, where the actuators were not measured to stand. */
export const NOT_CONFIRMED = 'standing still was not confirmed';
