import {
  type Clock,
  goalOfManeuver,
  goalOfNavigateArgs,
  LIMITS,
  MOTION_DEFAULTS,
  maneuverTimeMs,
  motionDeadlineMs,
  motionSchemas,
  type Robot,
  type RobotState,
  resultToLog,
  type Tool,
  toWireTime,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { arrivedAt } from '../robot/robot-probes.ts';
import { closed, houseTool, rounded, Words } from './kit.ts';

/** The base: drive somewhere, move a little, stop, and where it is. */
export function motionTools(robot: Robot, clock: Clock): readonly Tool[] {
  return [
    houseTool({
      name: 'robot.navigate',
      description:
        'Drives to a place of the map, round obstacles. Ends with an outcome: reached, no_path (another goal is ' +
        'needed), stuck (back out with robot.maneuver), timeout, preempted or stopped.',
      input: motionSchemas.NavigateArgs,
      effect: 'actuate',
      replay: 'probe',
      deadlineMs: motionDeadlineMs(MOTION_DEFAULTS.NAVIGATE_MS),
      callDeadlineMs: (args) => motionDeadlineMs(goalOfNavigateArgs(args).timeoutMs),
      run: async (args, { signal }) => ({
        result: resultToLog(await robot.navigate(goalOfNavigateArgs(args), signal)),
      }),
      probe: async (args, { signal }) => {
        const arrived = await arrivedAt(robot, goalOfNavigateArgs(args), clock, signal);
        return arrived && { result: resultToLog(arrived) };
      },
    }),
    houseTool({
      name: 'robot.maneuver',
      description:
        'A short motion without a map: drive straight, spin on the spot, or wait. For backing out where ' +
        'robot.navigate is stuck, and for turning to look.',
      input: motionSchemas.ManeuverArgs,
      effect: 'actuate',
      // Relative motions: one that may have happened cannot be distinguished from one that did not.
      replay: 'never',
      deadlineMs: motionDeadlineMs(60_000),
      callDeadlineMs: (args) => motionDeadlineMs(maneuverTimeMs(goalOfManeuver(args))),
      run: async (args, { signal }) => ({
        result: resultToLog(await robot.maneuver(goalOfManeuver(args), signal)),
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
