/** What moves the robot when the fault comes. `idle`: nothing does, and somebody tries. */
export type Motion =
  | 'navigate'
  | 'drive'
  | 'spin'
  | 'trajectory'
  | 'gripper'
  | 'teleop'
  | 'controller'
  | 'play'
  | 'mission'
  /** Intents over Zenoh, again and again. */
  | 'zenoh'
  /** Goals of the intent action of ROS, again and again. */
  | 'ordered'
  /** An agent whose model asks for motion in every turn, whatever it is answered. */
  | 'prompted'
  /** Signed messages to the webhook of a package. */
  | 'webhook'
  /** The schedule of a package. */
  | 'schedule'
  /** A flow with two parts at the same time, both of which move. */
  | 'parallel'
  /** A behavior tree. */
  | 'tree'
  /** Messages of another agent by the Agent2Agent protocol. */
  | 'a2a'
  /** The same over HTTP+JSON. */
  | 'a2a-rest'
  /** Such messages of an agent that wants states posted to a receiver, which stalls or lies. */
  | 'a2a-push'
  /** A program that has the robot by `auraison-edge/sdk`. */
  | 'sdk'
  /** A client of this robot as an MCP server. */
  | 'mcp'
  /** Orders of central. */
  | 'central'
  /** The same through a broker of MQTT. */
  | 'mqtt'
  /** Motions that a program asks for by the Python client, */
  | 'python'
  /** and its steering under a lease. */
  | 'python-hand'
  /** A foreign runtime whose agent asks for motion in every turn: by its contract, */
  | 'runtime'
  /** by the Agent Client Protocol, */
  | 'acp'
  /** or by the Agent2Agent protocol. */
  | 'agent'
  /** Clients that are attached, and steer. */
  | 'foxglove'
  | 'rosbridge'
  /** The protocol of Foxglove at the port of the API, through the process of the runtime cell. */
  | 'live'
  /** Messages by `POST /v1/topics/publish`, as `auraison topics publish` sends them: none of them may move the robot. */
  | 'publish'
  | 'idle';

/** Runs of packages that the daemon executes itself. */
export const OWN_RUNS = [
  'webhook',
  'schedule',
  'parallel',
  'tree',
  'a2a',
  'a2a-rest',
  'a2a-push',
  'sdk',
  'mcp',
  'central',
  'mqtt',
  'zenoh',
  'ordered',
] as const;
/** Runs that a foreign runtime executes. */
export const FAR_RUNS = ['runtime', 'acp', 'agent'] as const;
export const RUNS = [...OWN_RUNS, ...FAR_RUNS] as const;
export const ATTACHED = ['foxglove', 'rosbridge', 'live'] as const;

const HANDS: ReadonlySet<Motion> = new Set(['teleop', 'python-hand', ...ATTACHED]);
/** A person who steers by hand: each command counts for a moment only. */
export const isHand = (motion: Motion): boolean => HANDS.has(motion);

/** In the words of the card. */
export const MOTION_WORDS: Readonly<Record<Motion, string>> = {
  navigate: 'driving to places, by the API',
  drive: 'driving straight, by the API',
  spin: 'turning, by the API',
  trajectory: 'a trajectory, by the API',
  gripper: 'the gripper, by the API',
  teleop: 'a person who steers',
  controller: 'a learned policy',
  play: 'a play of recorded commands',
  mission: 'the mission of the maze',
  zenoh: 'intents over Zenoh',
  ordered: 'goals of the intent action of ROS',
  prompted: 'an agent whose model asks for motion in every turn',
  webhook: 'signed webhooks',
  schedule: 'the schedule of a package',
  parallel: 'a flow with two parts that move',
  tree: 'a behavior tree',
  a2a: 'messages of an A2A agent',
  'a2a-rest': 'messages of an A2A agent over HTTP+JSON',
  'a2a-push': 'messages of an A2A agent whose push receiver stalls or lies',
  sdk: 'a program by the SDK',
  mcp: 'a client of the robot as an MCP server',
  central: 'orders of central',
  mqtt: 'orders of central over a broker of MQTT',
  python: 'a program by the Python client',
  'python-hand': 'a program by the Python client that steers',
  runtime: 'a foreign runtime',
  acp: 'an ACP agent in a foreign runtime',
  agent: 'an A2A agent that executes runs',
  foxglove: 'a Foxglove client that steers',
  rosbridge: 'a rosbridge client that steers',
  live: 'a client of live topics at the API that steers',
  publish: 'messages by `auraison topics publish`',
  idle: 'somebody tries while it stands',
};
