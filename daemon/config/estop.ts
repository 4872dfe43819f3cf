import { flag, text } from './spec.ts';

/** `[estop]`: the software emergency stop, see docs/safety.md. */
export const ESTOP_KEYS = {
  ros_topic: text('/emergency_stop', 'std_msgs/Bool on it: true engages; empty: no such topic', {
    match: /^(|\/[A-Za-z_][A-Za-z0-9_/]{0,255})$/,
    expected: 'a topic with a leading slash, or ""',
  }),
  zenoh: flag(true, 'a value put at <prefix>/estop engages'),
  release_role: text('operator', 'role that a token needs to release it', {
    match: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
    expected: 'a name',
  }),
} as const;
