import {
  type Clock,
  LIMITS,
  type Robot,
  type RobotState,
  type Tool,
  toWireTime,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { arrivedAt } from '../robot-probes.ts';
import { maneuverTimeMs, motionDeadlineMs, resultToLog } from '../robot-tools.ts';
import { closed, houseTool, Metres, Radians, rounded, Words, YAW_MAX } from './kit.ts';

/** Where an agent may send a robot, metres from the origin of its map: the range of the execution cell. */
const PLACE_M_MAX = 10_000;
const TOLERANCE_M = 0.25;
const TIMEOUT_MS = 120_000;

const Navigate = Type.Object(
  {
    x: Metres(-PLACE_M_MAX, PLACE_M_MAX, 'goal in the map frame, along x'),
    y: Metres(-PLACE_M_MAX, PLACE_M_MAX, 'goal in the map frame, along y'),
    yaw: Type.Optional(Radians(YAW_MAX, 'heading at the goal, counter-clockwise from +x; absent: any')),
    tolerance_m: Type.Optional(Metres(0.05, 5, `distance that counts as there; ${TOLERANCE_M} where absent`)),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1_000,
        maximum: 3_600_000,
        description: `robot time that the drive may take, milliseconds; ${TIMEOUT_MS} where absent`,
      }),
    ),
  },
  closed,
);

const Maneuver = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('drive'),
      distance_m: Metres(-5, 5, 'straight ahead; negative is backwards'),
    },
    closed,
  ),
  Type.Object(
    { kind: Type.Literal('spin'), angle_rad: Radians(25, 'on the spot, counter-clockwise') },
    closed,
  ),
  Type.Object(
    {
      kind: Type.Literal('wait'),
      wait_ms: Type.Integer({
        minimum: 0,
        maximum: 600_000,
        description: 'stand still this long, milliseconds of robot time',
      }),
    },
    closed,
  ),
]);

const navigateGoal = ({ x, y, yaw, tolerance_m, timeout_ms }: Static<typeof Navigate>) => ({
  pose: { x, y, yaw: yaw ?? 0 },
  tolerance: tolerance_m ?? TOLERANCE_M,
  timeoutMs: timeout_ms ?? TIMEOUT_MS,
  ...(yaw === undefined ? {} : { alignYaw: true }),
});

function maneuver(args: Static<typeof Maneuver>) {
  if (args.kind === 'drive') return { kind: args.kind, distance: args.distance_m };
  if (args.kind === 'spin') return { kind: args.kind, angle: args.angle_rad };
  return { kind: args.kind, durationMs: args.wait_ms };
}

/** The base: drive somewhere, move a little, stop, and where it is. */
export function motionTools(robot: Robot, clock: Clock): readonly Tool[] {
  return [
    houseTool({
      name: 'robot.navigate',
      description:
        'Drives to a place of the map, round obstacles. Ends with an outcome: reached, no_path (another goal is ' +
        'needed), stuck (back out with robot.maneuver), timeout, preempted or stopped.',
      input: Navigate,
      effect: 'actuate',
      replay: 'probe',
      deadlineMs: motionDeadlineMs(TIMEOUT_MS),
      callDeadlineMs: (args) => motionDeadlineMs(navigateGoal(args).timeoutMs),
      run: async (args, { signal }) => ({
        result: resultToLog(await robot.navigate(navigateGoal(args), signal)),
      }),
      probe: async (args, { signal }) => {
        const arrived = await arrivedAt(robot, navigateGoal(args), clock, signal);
        return arrived && { result: resultToLog(arrived) };
      },
    }),
    houseTool({
      name: 'robot.maneuver',
      description:
        'A short motion without a map: drive straight, spin on the spot, or wait. For backing out where ' +
        'robot.navigate is stuck, and for turning to look.',
      input: Maneuver,
      effect: 'actuate',
      // Relative motions: one that may have happened cannot be told from one that did not.
      replay: 'never',
      deadlineMs: motionDeadlineMs(60_000),
      callDeadlineMs: (args) => motionDeadlineMs(maneuverTimeMs(maneuver(args))),
      run: async (args, { signal }) => ({
        result: resultToLog(await robot.maneuver(maneuver(args), signal)),
      }),
    }),
    houseTool({
      name: 'robot.stop',
      description: 'Stops everything that moves, at once. May be called at any time.',
      input: Type.Object({ reason: Type.Optional(Words(256, 'why')) }, closed),
      effect: 'actuate',
      replay: 'safe',
      deadlineMs: LIMITS.ROBOT_STOP_MS + 500,
      run: async ({ reason }) => {
        await robot.stop(reason ?? 'an agent asked for it');
        return { result: { stopped: true } };
      },
    }),
    houseTool({
      name: 'robot.state',
      description:
        'Where the robot is (map frame, metres and radians), how fast it moves, its battery (0 to 1), and its ' +
        'signals such as door sensors.',
      input: Type.Object({}, closed),
      effect: 'read',
      replay: 'safe',
      deadlineMs: LIMITS.CELL_REQUEST_MS + 500,
      run: async () => ({ result: shownState(await robot.state()) }),
    }),
  ];
}

function shownState(state: RobotState): Record<string, unknown> {
  const { pose, twist, battery, time } = state;
  return {
    pose: pose ? { x: rounded(pose.x), y: rounded(pose.y), yaw: rounded(pose.yaw) } : null,
    linear_m_s: rounded(twist.linear),
    angular_rad_s: rounded(twist.angular),
    battery: battery === undefined ? null : rounded(battery),
    distance_m: rounded(state.distance),
    bumps: state.bumps,
    motion: state.motion,
    connected: state.connected,
    signals: { ...state.signals },
    robot_time_ns: toWireTime(time),
  };
}
