import type { BoundKind, RobotKind } from './bounds.ts';
import type { Motion } from './motions.ts';
import { RUN_FAULTS } from './run-faults.ts';

export type { Motion } from './motions.ts';

/** `virtual`: real code and real physics in one process, in accelerated time. `real`: a daemon as it is shipped. */
export type Pace = 'virtual' | 'real';

export type FaultSpec = {
  readonly id: string;
  /** For the card. */
  readonly what: string;
  readonly pace: Pace;
  readonly motions: Partial<Record<RobotKind, readonly Motion[]>>;
  /** What is declared; by motion where it depends on it. */
  readonly bound: BoundKind | ((motion: Motion) => BoundKind);
  /** How long it lasts, milliseconds; drawn evenly over the magnitudes. */
  readonly lasts?: readonly [number, number];
};

const BASE = ['navigate', 'drive', 'spin', 'teleop', 'controller'] as const;
const ARM = ['trajectory', 'gripper', 'teleop', 'controller'] as const;
const ASKED = { base: ['navigate', 'drive', 'spin'], arm: ['trajectory', 'gripper'] } as const;
const ALL = { base: BASE, arm: ARM } as const;
const HAND = { base: ['teleop'], arm: ['teleop'] } as const;
const POLICY = { base: ['controller'], arm: ['controller'] } as const;
const IDLE = { base: ['idle'], arm: ['idle'] } as const;
const virtual = 'virtual' as const;

/** From 0.2 to 60 s. */
const LONG = [200, 60_000] as const;

const POLICY_WORDS = {
  dead: 'a policy dies: every question fails',
  deaf: 'a policy never answers',
  late: 'a policy answers 1.5 to 10 s late',
  nan: 'a policy answers with a NaN',
  infinite: 'a policy answers with infinity',
  huge: 'a policy answers with 1e30',
  shape: 'a policy answers with another shape',
} as const;

/** Faults in accelerated time: every line that the daemon may be cut at, and everybody who may try. */
export const VIRTUAL_FAULTS: readonly FaultSpec[] = [
  {
    id: 'execution.kill',
    what: 'kill -9 of the execution cell',
    pace: virtual,
    motions: ALL,
    bound: 'cut at once',
  },
  {
    ...{ id: 'execution.freeze', what: 'SIGSTOP of the execution cell, then SIGCONT', pace: virtual },
    ...{ motions: ALL, bound: 'silent', lasts: LONG },
  },
  {
    ...{ id: 'control.kill', what: 'the control thread dies', pace: virtual },
    ...{ motions: { base: ['navigate', 'drive', 'spin', 'teleop'] }, bound: 'cut at once' },
  },
  {
    ...{ id: 'control.hang', what: 'the control thread hangs', pace: virtual, lasts: [1_300, 8_000] },
    ...{ motions: { base: ['navigate', 'drive', 'spin', 'teleop'] }, bound: 'silent' },
  },
  {
    ...{ id: 'controllers.hang', what: 'the thread of the controllers hangs', pace: virtual },
    ...{ motions: POLICY, bound: 'silent', lasts: [1_300, 8_000] },
  },
  {
    ...{ id: 'runtime.kill', what: 'kill -9 of the runtime cell (the API)', pace: virtual, motions: ALL },
    bound: (motion) => (motion === 'teleop' ? 'expired' : 'stopped'),
  },
  {
    ...{
      id: 'runtime.freeze',
      what: 'SIGSTOP of the runtime cell, then SIGCONT',
      pace: virtual,
      motions: ALL,
    },
    ...{ lasts: [2_700, 60_000], bound: (motion) => (motion === 'teleop' ? 'expired' : 'silent cell') },
  },
  {
    ...{ id: 'runtime.blink', what: 'a short freeze of the runtime cell, commands of a hand in its socket' },
    ...{ pace: virtual, motions: HAND, lasts: [450, 1_650], bound: 'expired' },
  },
  {
    ...{ id: 'host.freeze', what: 'every process but the robot is frozen (a suspended host)', pace: virtual },
    ...{ motions: ALL, bound: 'silent', lasts: [1_300, 60_000] },
  },
  {
    ...{ id: 'robot.freeze', what: 'the process of the robot is frozen; a stop is given meanwhile' },
    ...{ pace: virtual, motions: ALL, bound: 'stopped', lasts: LONG },
  },
  {
    ...{ id: 'link.robot.cut', what: 'the link to the robot ends', pace: virtual, motions: ALL },
    ...{ bound: 'cut at once', lasts: [1_000, 20_000] },
  },
  {
    ...{ id: 'link.robot.silent', what: 'the link to the robot is silent, no end is seen', pace: virtual },
    ...{ motions: ALL, bound: 'silent', lasts: [1_200, 4_500] },
  },
  {
    ...{ id: 'link.person', what: 'the link of a person who steers is lost', pace: virtual, motions: HAND },
    bound: 'expired',
  },
  {
    ...{
      id: 'takeover',
      what: 'a person takes the robot over from a program that keeps asking',
      pace: virtual,
    },
    ...{
      motions: {
        base: ['navigate', 'drive', 'spin', 'controller', 'play'],
        arm: ['trajectory', 'controller'],
      },
    },
    bound: 'never',
  },
  {
    ...{
      id: 'lease.expires',
      what: 'the lease of a hand expires; the hand keeps sending',
      pace: virtual,
      motions: HAND,
    },
    bound: 'stopped',
  },
  {
    ...{
      id: 'lease.returned',
      what: 'the lease of a hand is given back; the hand keeps sending',
      pace: virtual,
    },
    ...{ motions: HAND, bound: 'stopped' },
  },
  {
    ...{
      id: 'lease.taken',
      what: 'a higher rank takes the lease of a hand; the hand keeps sending',
      pace: virtual,
    },
    ...{ motions: HAND, bound: 'stopped' },
  },
  { id: 'stop.robot', what: 'robot.stop, or arm.stop', pace: virtual, motions: ALL, bound: 'stopped' },
  {
    ...{ id: 'stop.held', what: 'a stop of somebody else; the hand holds its key', pace: virtual },
    ...{ motions: HAND, bound: 'stopped' },
  },
  {
    ...{
      id: 'estop.held',
      what: 'the emergency stop and its release; the hand holds its key and takes the lease again',
    },
    ...{ pace: virtual, motions: HAND, bound: 'cut at once' },
  },
  { id: 'stop.run', what: 'the stop of a run', pace: virtual, motions: ASKED, bound: 'stopped' },
  {
    ...{ id: 'estop.api', what: 'the emergency stop by the API; every caller keeps asking', pace: virtual },
    ...{ motions: ALL, bound: 'cut at once' },
  },
  {
    ...{ id: 'estop.file', what: 'the emergency stop by its file; every caller keeps asking', pace: virtual },
    ...{ motions: ALL, bound: 'cut by file' },
  },
  {
    ...{ id: 'estop.topic', what: 'the emergency stop by a topic; every caller keeps asking', pace: virtual },
    ...{ motions: ALL, bound: 'cut at once' },
  },
  {
    ...{
      id: 'estop.key',
      what: 'the emergency stop by its Zenoh key; every caller keeps asking',
      pace: virtual,
    },
    ...{ motions: ALL, bound: 'cut at once' },
  },
  {
    ...{ id: 'estop.empty', what: 'its file, empty as a full disk leaves it; every caller keeps asking' },
    ...{ pace: virtual, motions: ALL, bound: 'cut by file' },
  },
  {
    ...{ id: 'estop.released', what: 'pressed again while somebody releases the press before' },
    ...{ pace: virtual, motions: ALL, bound: 'cut at once' },
  },
  {
    ...{
      id: 'estop.killed',
      what: 'the emergency stop, on a full disk or not; then kill -9 of the execution cell',
    },
    ...{ pace: virtual, motions: ALL, bound: 'cut at once' },
  },
  {
    ...{ id: 'estop.frozen', what: 'the emergency stop while the execution cell is frozen', pace: virtual },
    ...{ motions: ALL, bound: 'cut by file', lasts: [300, 1_650] },
  },
  ...(['dead', 'deaf', 'late', 'nan', 'infinite', 'huge', 'shape'] as const).map(
    (manner): FaultSpec => ({
      id: `policy.${manner}`,
      what: POLICY_WORDS[manner],
      ...{ pace: virtual, motions: POLICY, bound: 'starved' },
    }),
  ),
  {
    ...{ id: 'policy.repeats', what: 'a policy repeats its last answer for ever', pace: virtual },
    ...{ motions: POLICY, bound: 'limits' },
  },
  {
    ...{ id: 'hand.wild', what: 'commands of a hand that are no numbers, or absurd', pace: virtual },
    ...{ motions: HAND, bound: 'expired' },
  },
  {
    ...{ id: 'lidar.blind', what: 'a sector of the lidar is covered', pace: virtual, bound: 'limits' },
    motions: { base: ['navigate', 'drive', 'teleop'] },
  },
  {
    ...{ id: 'senses.silent', what: 'scan and odometry, or joint states, stop arriving', pace: virtual },
    motions: { base: BASE, arm: ['trajectory', 'teleop', 'controller'] },
    bound: (motion) => (motion === 'controller' ? 'starved of senses' : 'old senses'),
  },
  {
    ...{
      id: 'clock.steps',
      what: 'the wall clock steps by up to an hour, either way; then a stop',
      pace: virtual,
    },
    ...{ motions: ALL, bound: 'stopped' },
  },
  {
    ...{
      id: 'route.tries',
      what: 'a route brings commands: without a lease, beside one, in an emergency stop',
    },
    ...{ pace: virtual, motions: IDLE, bound: 'never' },
  },
  {
    ...{ id: 'play.tries', what: 'a play brings commands without the lease, or trajectories' },
    ...{ pace: virtual, motions: IDLE, bound: 'never' },
  },
  ...RUN_FAULTS,
];

const real = 'real' as const;
const REACHES = ['trajectory', 'teleop'] as const;
const TURNS = ['spin', 'teleop'] as const;
/** A program by the Python client, and one that steers. */
const PYTHON = ['python', 'python-hand'] as const;
const DRIVES = { base: [...TURNS, ...PYTHON], arm: REACHES, ros: TURNS, ros_zenoh: TURNS } as const;
const ALSO_RUNS = {
  base: ['mission', ...TURNS, ...PYTHON],
  arm: REACHES,
  ros: TURNS,
  ros_zenoh: TURNS,
} as const;
const RUNS = ['mission', 'zenoh', 'prompted'] as const;
const STOPPED = {
  ...ALSO_RUNS,
  base: [...RUNS, ...TURNS, ...PYTHON],
  ros: ['ordered', ...TURNS],
  ros_zenoh: TURNS,
} as const;
const HANDS = ['teleop'] as const;
const STEERED = { base: ['teleop', 'python-hand'], arm: HANDS, ros: HANDS, ros_zenoh: HANDS } as const;

/** Faults of a daemon as it is shipped: its processes, its sockets, its command line, a robot on a real DDS. */
export const REAL_FAULTS: readonly FaultSpec[] = [
  {
    ...{ id: 'daemon.execution.kill', what: 'kill -9 of the execution cell', pace: real, motions: DRIVES },
    bound: 'silent',
  },
  {
    ...{ id: 'daemon.execution.freeze', what: 'SIGSTOP of the execution cell, then SIGCONT', pace: real },
    ...{ motions: DRIVES, bound: 'silent', lasts: [1_300, 1_650] },
  },
  {
    ...{ id: 'daemon.runtime.kill', what: 'kill -9 of the runtime cell', pace: real, motions: STEERED },
    bound: 'expired',
  },
  {
    ...{ id: 'daemon.runtime.freeze', what: 'SIGSTOP of the runtime cell, then SIGCONT', pace: real },
    ...{ motions: STEERED, bound: 'expired', lasts: [450, 1_650] },
  },
  {
    ...{ id: 'daemon.supervisor.freeze', what: 'SIGSTOP of the supervisor, then SIGCONT', pace: real },
    ...{ motions: STEERED, bound: 'expired', lasts: [450, 5_000] },
  },
  {
    ...{ id: 'daemon.supervisor.kill', what: 'kill -9 of the supervisor: the daemon ends', pace: real },
    ...{ motions: DRIVES, bound: 'stopped' },
  },
  {
    ...{ id: 'daemon.others.kill', what: 'kill -9 of the memory cell and the link cell', pace: real },
    ...{ motions: { base: ['mission'] }, bound: 'limits' },
  },
  {
    ...{
      id: 'daemon.robot.freeze',
      what: 'SIGSTOP of the simulated robot; a stop is given meanwhile',
      pace: real,
    },
    ...{ motions: { base: ['spin', 'teleop'] }, bound: 'stopped', lasts: [400, 4_000] },
  },
  {
    ...{ id: 'daemon.ros-host.kill', what: 'kill -9 of the process of the ROS client', pace: real },
    ...{ motions: { ros: ['teleop'] }, bound: 'expired' },
  },
  {
    ...{
      id: 'daemon.program.kill',
      what: 'kill -9 of a program by the Python client, in the midst of a call',
    },
    ...{ pace: real, motions: { base: PYTHON } },
    bound: (motion) => (motion === 'python' ? 'stopped' : 'expired'),
  },
  {
    ...{ id: 'daemon.program.freeze', what: 'SIGSTOP of such a program that steers, then SIGCONT' },
    ...{ pace: real, motions: { base: ['python-hand'] }, bound: 'expired', lasts: [2_000, 5_000] },
  },
  {
    ...{ id: 'daemon.takeover', what: 'a person takes the robot over from a run; its caller keeps asking' },
    ...{ pace: real, motions: { base: [...RUNS, 'python'], ros: ['ordered'] }, bound: 'limits' },
  },
  {
    ...{ id: 'daemon.lease.lost', what: 'a person who steers loses the link, and the lease', pace: real },
    ...{ motions: STEERED, bound: 'expired' },
  },
  { id: 'daemon.stop.api', what: 'POST /v1/robot/stop', pace: real, motions: ALSO_RUNS, bound: 'stopped' },
  {
    ...{ id: 'daemon.estop.api', pace: real, motions: STOPPED, bound: 'cut at once' },
    what: 'POST /v1/estop: no body, a broken one, one of 20 kB, one that never comes, another type, broken framing',
  },
  {
    ...{ id: 'daemon.estop.file', what: 'the file of the emergency stop', pace: real, motions: DRIVES },
    bound: 'cut by file',
  },
  {
    ...{ id: 'daemon.estop.topic', what: 'true on /emergency_stop over DDS', pace: real },
    ...{ motions: { ros: ['ordered', 'spin', 'teleop'] }, bound: 'cut at once' },
  },
  {
    ...{ id: 'daemon.estop.key', what: 'a put at the key of the emergency stop over Zenoh', pace: real },
    ...{ motions: { base: ['mission', 'zenoh', 'spin', 'teleop'] }, bound: 'cut at once' },
  },
  {
    ...{ id: 'daemon.estop.cli', what: 'auraison estop, from pressing return on', pace: real },
    ...{ motions: { base: ['mission', 'spin'], ros: ['spin'] }, bound: 'cut by file' },
  },
];

export const FAULTS: readonly FaultSpec[] = [...VIRTUAL_FAULTS, ...REAL_FAULTS];
