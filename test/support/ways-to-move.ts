/**
 * Every way in by which somebody may want to move the robot. A row of `test/simulation/forbidden-motion.test.ts` tries
 * each under a policy that forbids motion; `test/unit/ways-to-move.test.ts` fails where a way is added without a row.
 */
export const WAYS = [
  'HTTP: navigate',
  'HTTP: maneuver',
  'HTTP: trajectory of the arm',
  'HTTP: gripper',
  'HTTP: controller of the arm',
  'HTTP: controller of the base',
  'HTTP: goal of a ROS action',
  'HTTP: parameters of a ROS node',
  'HTTP: service of a ROS node',
  'HTTP: transition of a managed ROS node',
  'HTTP: lease to steer by hand',
  'HTTP: command by hand without a lease',
  'HTTP: play of commands',
  'HTTP: message of a topic',
  'HTTP: intent',
  'HTTP: ask',
  'HTTP: session',
  'HTTP: webhook',
  'command line: intent',
  'command line: ask',
  'command line: chat',
  'program: session of the SDK',
  'command line: teleoperation',
  'command line: message of a topic',
  'MCP: run_submit',
  'A2A: message',
  'A2A: message over HTTP+JSON',
  'foreign runtime: agent of the Agent2Agent protocol',
  'foreign runtime: agent of the Agent Client Protocol',
  'ROS: goal of the intent action',
  'Zenoh: intent',
  'Zenoh: velocity of a stranger through a route',
  'Foxglove: lease of a client',
  'Foxglove: velocity of a client',
  'rosbridge: lease of a client',
  'rosbridge: velocity of a client',
  'live: lease of a client',
  'live: velocity of a client',
  'central: order',
  'schedule',
  'start of the daemon',
  'flow of the base',
  'flow of the arm, with its controller',
  'composite tool of an agent',
  'tool of an extension',
  'step of a plan',
  'run of a run',
  'steps of a file',
  'behavior tree of a file',
  'foreign runtime in Python',
  'foreign runtime in TypeScript',
] as const;
export type Way = (typeof WAYS)[number];

/** Calls to the execution cell that begin a motion, or let somebody begin one. */
export const MOVES: Readonly<Record<string, readonly Way[]>> = {
  'robot.navigate': ['HTTP: navigate', 'flow of the base', 'composite tool of an agent'],
  'robot.maneuver': [
    'HTTP: maneuver',
    'tool of an extension',
    'step of a plan',
    'foreign runtime: agent of the Agent Client Protocol',
    'foreign runtime: agent of the Agent2Agent protocol',
  ],
  'arm.follow': ['HTTP: trajectory of the arm'],
  'arm.gripper': ['HTTP: gripper'],
  'controller.start': [
    'HTTP: controller of the arm',
    'HTTP: controller of the base',
    'flow of the arm, with its controller',
  ],
  'ros.goal_send': ['HTTP: goal of a ROS action'],
  'bag.play': ['HTTP: play of commands'],
  // Resume, seek and rate are judged like the play.
  'bag.play_control': ['HTTP: play of commands'],
  // The door refuses whatever is not known to move nothing.
  'topic.publish': ['HTTP: message of a topic', 'command line: message of a topic'],
  'lease.take': ['HTTP: lease to steer by hand', 'command line: teleoperation'],
  // Only who was given the lease has one to renew.
  'lease.renew': ['HTTP: lease to steer by hand'],
  'teleop.command': ['HTTP: command by hand without a lease', 'command line: teleoperation'],
};

/** Calls to the execution cell that move nothing: they read, record, stop, or set a node up (docs/decisions/0027-one-door.md). */
export const STANDS: ReadonlySet<string> = new Set([
  'attach.open',
  ...['execution.status', 'robot.state', 'robot.map', 'arm.state', 'arm.figure', 'look.image', 'look.scan'],
  ...[
    'robot.cancel',
    'robot.stop',
    'arm.stop',
    'controller.stop',
    'controller.list',
    'lease.state',
    'lease.return',
  ],
  ...['estop.state', 'estop.engage', 'estop.release'],
  ...['recorder.seal', 'recorder.clip', 'recorder.clips', 'bag.play_state', 'bag.play_stop', 'bag.adopt'],
  ...['episode.start', 'episode.stop', 'episode.discard', 'episode.relabel', 'episode.list'],
  // The door refuses each service that nobody calls harmless.
  ...['ros.graph', 'ros.call', 'ros.goal_view', 'ros.goal_cancel', 'ros.params', 'ros.lifecycle', 'ros.tf'],
  ...['topic.list', 'topic.next'],
  ...['policy.list', 'policy.infer', 'policy.describe', 'policy.reload', 'policy.cancel', 'wire.list'],
]);

/** Where the other cells and the command line ask for one of `MOVES`, by file and name in `METHODS.execution` (or `MOTION_METHODS`). */
export const CALLERS: Readonly<Record<string, readonly Way[]>> = {
  'controllers.ts controllerStart': ['HTTP: controller of the arm'],
  'motions.ts MOTION_METHODS': [
    'HTTP: navigate',
    'HTTP: maneuver',
    'HTTP: trajectory of the arm',
    'HTTP: gripper',
  ],
  'plays.ts bagPlay': ['HTTP: play of commands'],
  'plays.ts bagPlayControl': ['HTTP: play of commands'],
  'ros.ts rosGoalSend': ['HTTP: goal of a ROS action'],
  'safety.ts leaseRenew': ['HTTP: lease to steer by hand'],
  'safety.ts leaseTake': ['HTTP: lease to steer by hand'],
  'safety.ts teleopCommand': ['HTTP: command by hand without a lease'],
  'topics.ts topicPublish': ['HTTP: message of a topic'],
  'arm-proxy.ts armFollow': ['flow of the arm, with its controller'],
  'arm-proxy.ts armGripper': ['flow of the arm, with its controller'],
  'robot-proxy.ts robotManeuver': ['flow of the base', 'tool of an extension'],
  'robot-proxy.ts robotNavigate': ['flow of the base', 'composite tool of an agent'],
  'run-controller.ts controllerStart': ['flow of the arm, with its controller'],
};

/** Who asks at the door of the execution cell. */
export const ASKERS: Readonly<Record<string, readonly Way[]>> = {
  drive: ['HTTP: navigate', 'flow of the base'],
  arm: ['HTTP: trajectory of the arm'],
  controller: ['HTTP: controller of the arm', 'HTTP: controller of the base'],
  teleoperation: ['HTTP: command by hand without a lease'],
  route: [
    'Zenoh: velocity of a stranger through a route',
    'Foxglove: velocity of a client',
    'rosbridge: velocity of a client',
    'live: velocity of a client',
    'HTTP: message of a topic',
    'command line: message of a topic',
  ],
  play: ['HTTP: play of commands'],
};

/** Where an intent comes from. */
export const ORIGINS: Readonly<Record<string, readonly Way[]>> = {
  api: ['HTTP: intent', 'HTTP: ask', 'HTTP: session'],
  cli: ['command line: intent', 'command line: ask', 'command line: chat'],
  schedule: ['schedule', 'start of the daemon'],
  ros: ['ROS: goal of the intent action'],
  zenoh: ['Zenoh: intent'],
  central: ['central: order'],
  run: ['run of a run'],
  mcp: ['MCP: run_submit'],
  webhook: ['HTTP: webhook'],
  a2a: ['A2A: message', 'A2A: message over HTTP+JSON'],
};

/** What executes a run. */
export const HARNESSES: Readonly<Record<string, readonly Way[]>> = {
  flow: [
    'flow of the base',
    'flow of the arm, with its controller',
    'steps of a file',
    'behavior tree of a file',
  ],
  pi: ['composite tool of an agent', 'tool of an extension'],
  remote: ['foreign runtime in Python', 'foreign runtime in TypeScript'],
};

/** Clients of the repository: what a foreign runtime is made of, and what the Python client of the API calls. */
export const CLIENTS: Readonly<Record<string, readonly Way[]>> = {
  python: [
    'foreign runtime in Python',
    ...(['HTTP: navigate', 'HTTP: maneuver', 'HTTP: intent', 'HTTP: ask'] as const),
    ...(['HTTP: lease to steer by hand', 'HTTP: command by hand without a lease'] as const),
  ],
  typescript: ['foreign runtime in TypeScript'],
};

/** Routes of the API that ask the policies before something moves, or are the way to what they judged. */
export const HTTP_MOVES: Readonly<Record<string, readonly Way[]>> = {
  '/v1/robot/navigate': ['HTTP: navigate'],
  '/v1/robot/maneuver': ['HTTP: maneuver'],
  '/v1/arm/trajectory': ['HTTP: trajectory of the arm'],
  '/v1/arm/gripper': ['HTTP: gripper'],
  '/v1/controllers/{name}/start': ['HTTP: controller of the arm'],
  '/v1/ros/actions/goals': ['HTTP: goal of a ROS action'],
  '/v1/plays': ['HTTP: play of commands'],
  '/v1/lease': ['HTTP: lease to steer by hand'],
  '/v1/teleop': ['HTTP: command by hand without a lease'],
  '/v1/intents': ['HTTP: intent'],
  '/v1/ask/{id}/confirm': ['HTTP: ask', 'command line: ask'],
  '/v1/sessions': ['HTTP: session', 'command line: chat', 'program: session of the SDK'],
  '/v1/plans': ['step of a plan'],
  '/v1/webhooks/{app}/{name}': ['HTTP: webhook'],
};

/** Requests to the API by which programs that attach (`io/attached`) may move the robot in their own name. */
export const ATTACHED: Readonly<Record<string, readonly Way[]>> = {
  '/v1/lease': ['Foxglove: lease of a client', 'rosbridge: lease of a client', 'live: lease of a client'],
  '/v1/teleop': [
    'Foxglove: velocity of a client',
    'rosbridge: velocity of a client',
    'live: velocity of a client',
  ],
  // The same request: the API does not distinguish who sends it.
  '/v1/ros/actions/goals': ['HTTP: goal of a ROS action'],
};

/**
 * Every call that ends motion of the robot, and the event that the log of the execution cell has of it. Each names
 * the principal that asked; of a lease it is the holder. `test/unit/stops-in-the-log.test.ts` tries each.
 */
export const STOPS: Readonly<
  Record<string, 'safety.stopped' | 'motion.ended' | 'lease.released' | 'estop.engaged' | 'controller.state'>
> = {
  'robot.stop': 'safety.stopped',
  'arm.stop': 'safety.stopped',
  'bag.play_stop': 'safety.stopped',
  'bag.play_control': 'safety.stopped',
  'ros.goal_cancel': 'safety.stopped',
  'robot.cancel': 'motion.ended',
  'lease.return': 'lease.released',
  'estop.engage': 'estop.engaged',
  'controller.stop': 'controller.state',
};

/** Calls that are never refused and end no motion of themselves: a run that is cancelled asks for one of `STOPS`. */
export const ENDS_NO_MOTION: ReadonlySet<string> = new Set([
  ...['run.cancel', 'infer.plan_cancel', 'infer.chat_cancel', 'policy.cancel', 'lake.read_close'],
]);
