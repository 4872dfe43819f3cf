import { choice, flag, text, texts } from './spec.ts';

/** Ways in for intents beside the API: `[intents]`. */
export const INTENT_KEYS = {
  tenant: text('local', 'on whose account intents from schedules, ROS, Zenoh and central run', {
    match: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
    expected: 'a name',
  }),
  ros_action: text(
    'run_intent',
    'ROS 2 action (auraison_interfaces/RunIntent) that takes intents, in ros.namespace without a leading slash; empty: none',
    { match: /^(|\/?[A-Za-z_]\w*(\/[A-Za-z_]\w*)*)$/, expected: 'an action name, or ""' },
  ),
  ros_roles: texts(['operator'], 'roles of clients over ROS; such a client can also publish cmd_vel'),
  ros_client_gone: choice(
    ['continue', 'cancel'],
    'continue',
    'a run whose ROS client has left the graph continues, or is cancelled',
  ),
  zenoh: flag(
    false,
    'take intents at <prefix>/intent in the key space; protect it by zenoh.tls_* and zenoh.access',
  ),
  zenoh_roles: texts(['operator'], 'roles of clients over Zenoh'),
  central: flag(
    false,
    'take intents, cancellations and answers to approvals from central (link.central_url)',
  ),
  central_roles: texts(['operator'], 'roles of intents from central'),
} as const;
