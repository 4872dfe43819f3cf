/** Ending of the message of a motion whose actuators were not measured to stand. */
export const NOT_CONFIRMED = 'standing still was not confirmed';
