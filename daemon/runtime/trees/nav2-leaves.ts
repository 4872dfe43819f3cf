import type { JsonValue } from '../../../contract/index.ts';
import type { Leaf, LeafCall, LeafEnd } from './leaf.ts';
import { NUMBER, OUT, POSE, type Port } from './ports.ts';

type Json = Readonly<Record<string, unknown>>;
type Path = { readonly poses: readonly Place[] };
type Place = { readonly x: number; readonly y: number; readonly yaw?: number };

const SERVER = ['server_name', 'server_timeout', 'wait_for_service_timeout'];
const ERRORS = { error_code_id: OUT, error_msg: OUT };
/** Error codes of Nav2's FollowPath, by the outcome of a motion; other outcomes are UNKNOWN. */
const CODES: Readonly<Record<string, number>> = { timeout: 104, stuck: 105, no_path: 106 };
const UNKNOWN = 100;
/** UNKNOWN, PATIENCE_EXCEEDED, FAILED_TO_MAKE_PROGRESS and NO_VALID_CONTROL: what Nav2 takes for recoverable. */
const CONTROLLER_HELP = [UNKNOWN, 104, 105, 106];
/** UNKNOWN, TIMEOUT and NO_VALID_PATH of Nav2's planners. */
const PLANNER_HELP = [200, 207, 208];
const NEAR_M = 0.25;
const GOAL_NOTE = 'always fails: the goal of a run does not change; a new goal is a new intent';
const PLAN_NOTE =
  'keeps the goal as the path: the robot plans while it drives, and no_path shows when the path is followed';
const COSTMAP_NOTE = 'succeeds and does nothing: costs are computed from the map each time a way is planned';
const NAMES_NOTE = 'keeps its default: planners and controllers are those of the configuration';
const SPEED = ['backup_speed', 'speed', 'disable_collision_checks', 'is_recovery', ...SERVER];

/** Nodes of Nav2 without children, as this robot has them. */
export const NAV2_LEAVES: Readonly<Record<string, Leaf>> = {
  NavigateToPose: {
    ports: { goal: POSE, ...ERRORS },
    ...{ ignored: ['behavior_tree', ...SERVER], tools: ['robot.navigate'], follows: true },
    act: (call) => driven(call, [call.value('goal') as Place]),
  },
  NavigateThroughPoses: {
    ports: { goals: { type: 'poses', required: true }, ...ERRORS },
    ...{ ignored: ['behavior_tree', ...SERVER], tools: ['robot.navigate'], follows: true },
    act: (call) => driven(call, call.value('goals') as unknown as readonly Place[]),
  },
  FollowPath: {
    ports: { path: { type: 'path', required: true }, ...ERRORS },
    ignored: [
      ...['controller_id', 'goal_checker_id', 'progress_checker_id', 'path_handler_id', 'tracking_feedback'],
      ...SERVER,
    ],
    ...{ tools: ['robot.navigate'], follows: true },
    act: (call) => driven(call, (call.value('path') as unknown as Path).poses),
  },
  ComputePathToPose: planner('goal', POSE, (goal) => [goal]),
  ComputePathThroughPoses: planner(
    'goals',
    { type: 'poses', required: true },
    (goals) => goals as JsonValue[],
  ),
  DriveOnHeading: {
    ports: { dist_to_travel: metres(-5), time_allowance: NUMBER, ...ERRORS },
    ...{ ignored: SPEED, tools: ['robot.maneuver'], limit: 'time_allowance' },
    act: (call) => maneuvered(call, { kind: 'drive', distance_m: call.value('dist_to_travel') }),
  },
  BackUp: {
    ports: { backup_dist: metres(0), time_allowance: NUMBER, ...ERRORS },
    ...{ ignored: SPEED, tools: ['robot.maneuver'], limit: 'time_allowance' },
    act: (call) => maneuvered(call, { kind: 'drive', distance_m: -(call.value('backup_dist') as number) }),
  },
  Spin: {
    ports: {
      spin_dist: { type: 'number', required: true, min: -25, max: 25 },
      time_allowance: NUMBER,
      ...ERRORS,
    },
    ...{ ignored: SPEED, tools: ['robot.maneuver'], limit: 'time_allowance' },
    act: (call) => maneuvered(call, { kind: 'spin', angle_rad: call.value('spin_dist') }),
  },
  CancelControl: {
    ports: {},
    ...{ ignored: SERVER, fixed: 'success', beside: true },
    note: 'succeeds and does nothing: an action that the tree leaves is stopped before the next node starts',
    act: () => done('nothing to cancel'),
  },
  ...named(['ClearEntireCostmap', 'ClearCostmapExceptRegion', 'ClearCostmapAroundRobot'], {
    ports: {},
    ...{ ignored: ['service_name', 'reset_distance', ...SERVER], fixed: 'success', beside: true },
    note: COSTMAP_NOTE,
    act: () => done('nothing to clear'),
  }),
  ...Object.fromEntries(
    ['controller', 'planner', 'smoother', 'goal_checker', 'progress_checker', 'path_handler'].map((what) => [
      `${camel(what)}Selector`,
      selector(what),
    ]),
  ),
  ...named(['GoalUpdated', 'GlobalUpdatedGoal'], {
    ports: {},
    ...{ ignored: ['goal', 'goals'], fixed: 'failure', beside: true, note: GOAL_NOTE },
    act: () => failed('the goal of a run does not change'),
  }),
  GoalReached: {
    ports: { goal: POSE },
    ...{ ignored: ['global_frame', 'robot_base_frame'], beside: true },
    async act({ value, robot }) {
      const { x, y } = value('goal') as unknown as Place;
      const { pose } = await robot.state();
      const off = pose ? Math.hypot(pose.x - x, pose.y - y) : Number.POSITIVE_INFINITY;
      return {
        ok: off <= NEAR_M,
        reason: pose ? `${off.toFixed(2)} m from the goal` : 'the robot has no pose',
      };
    },
  },
  InitialPoseReceived: {
    ports: {},
    ...{ ignored: ['initial_pose_received'], beside: true },
    async act({ robot }) {
      const { pose } = await robot.state();
      return { ok: pose !== undefined, reason: pose ? 'the robot has a pose' : 'the robot has no pose' };
    },
  },
  ...named(['IsPathValid', 'ValidatePath'], {
    ports: { path: { type: 'path' } },
    ignored: [
      ...['max_cost', 'consider_cost_change_as_obstacle', 'consider_unknown_as_obstacle', 'layer_name'],
      ...['footprint', 'stop_at_first_collision', 'max_lookahead_distance', 'collision_poses', ...SERVER],
    ],
    ...{
      beside: true,
      note: 'succeeds where there is a path: the robot plans round obstacles while it drives',
    },
    act: ({ value }) =>
      value('path') === undefined ? failed('there is no path yet') : done('there is a path'),
  }),
  TruncatePathLocal: {
    ports: { input_path: { type: 'path', required: true }, output_path: OUT },
    ignored: [
      ...['distance_forward', 'distance_backward', 'robot_frame', 'transform_tolerance', 'pose'],
      ...['angular_distance_weight', 'max_robot_pose_search_dist'],
    ],
    ...{ beside: true, note: 'keeps the whole path: the robot knows where on it it is' },
    act: ({ value }) => ({ ...done('the whole path'), out: { output_path: value('input_path')! } }),
  },
  IsGoalNearby: {
    ports: { path: { type: 'path' }, proximity_threshold: { type: 'number', min: 0 } },
    ...{ ignored: ['max_robot_pose_search_dist', 'global_frame', 'robot_base_frame'], beside: true },
    note: 'takes the straight distance to the end of the path',
    async act({ value, robot }) {
      const path = value('path') as unknown as Path | undefined;
      const { pose } = await robot.state();
      const end = path?.poses.at(-1);
      if (!end || !pose) return failed(end ? 'the robot has no pose' : 'there is no path yet');
      const off = Math.hypot(pose.x - end.x, pose.y - end.y);
      return {
        ok: off < ((value('proximity_threshold') as number | undefined) ?? 1),
        reason: `${off.toFixed(2)} m`,
      };
    },
  },
  RemovePassedGoals: {
    ports: { input_goals: { type: 'poses', required: true }, output_goals: OUT, radius: NUMBER },
    ...{
      ignored: ['global_frame', 'robot_base_frame', 'input_waypoint_statuses', 'output_waypoint_statuses'],
    },
    beside: true,
    async act({ value, robot }) {
      const goals = value('input_goals') as unknown as readonly Place[];
      const { pose } = await robot.state();
      const radius = (value('radius') as number | undefined) ?? 0.5;
      const isPassed = ({ x, y }: Place) =>
        pose !== undefined && Math.hypot(pose.x - x, pose.y - y) <= radius;
      const first = goals.findIndex((goal, index) => index === goals.length - 1 || !isPassed(goal));
      const left = goals.slice(first);
      return { ...done(`${left.length} of ${goals.length} left`), out: { output_goals: left as JsonValue } };
    },
  },
  TimeExpired: timer({}),
  PathExpiringTimer: timer({ path: { type: 'path' } }),
  DistanceTraveled: {
    ports: { distance: { type: 'number', required: true, min: 0 } },
    ...{ ignored: ['global_frame', 'robot_base_frame'], beside: true },
    async act({ value, robot, memory }) {
      const { distance } = await robot.state();
      const since = typeof memory === 'number' ? memory : distance;
      const ok = distance - since >= (value('distance') as number);
      return { ok, reason: `${(distance - since).toFixed(2)} m`, memory: ok ? distance : since };
    },
  },
  WouldAControllerRecoveryHelp: codeIn(() => CONTROLLER_HELP),
  WouldAPlannerRecoveryHelp: codeIn(() => PLANNER_HELP),
  AreErrorCodesPresent: codeIn(({ value }) =>
    String(value('error_codes_to_check') ?? '')
      .split(/[;,\s]+/)
      .map(Number),
  ),
};

async function driven(call: LeafCall, places: readonly Place[]): Promise<LeafEnd> {
  const { x, y, yaw } = places.at(-1)!;
  const via = places.slice(0, -1).map((place) => ({ yaw: 0, ...place }));
  const args = {
    ...{ x, y },
    ...(yaw === undefined ? {} : { yaw }),
    ...(via.length > 0 ? { via } : {}),
  };
  return moved(call, await call.tools.call('robot.navigate', args, call.signal));
}

async function maneuvered(call: LeafCall, args: Json): Promise<LeafEnd> {
  return moved(call, await call.tools.call('robot.maneuver', args, call.signal));
}

function moved(_call: LeafCall, { outcome, message }: Json): LeafEnd {
  const ok = outcome === 'reached';
  const words = typeof message === 'string' && message !== '' ? `: ${message}` : '';
  const reason = `${String(outcome)}${words}`;
  const error_code_id = ok ? 0 : (CODES[String(outcome)] ?? UNKNOWN);
  return { ok, reason, out: { error_code_id, error_msg: ok ? '' : reason.slice(0, 200) } };
}

function planner(port: string, type: Port, poses: (given: JsonValue) => readonly JsonValue[]): Leaf {
  return {
    ports: { [port]: type, path: OUT, ...ERRORS },
    ignored: ['planner_id', ...SERVER],
    ...{ beside: true, note: PLAN_NOTE },
    act({ value }) {
      const path = { poses: poses(value(port)!) };
      return {
        ...done('the way is planned while it is driven'),
        out: { path, error_code_id: 0, error_msg: '' },
      };
    },
  };
}

function selector(what: string): Leaf {
  return {
    ports: { [`default_${what}`]: { type: 'text' }, [`selected_${what}`]: OUT },
    ...{ ignored: ['topic_name', 'service_name'], fixed: 'success', beside: true, note: NAMES_NOTE },
    act({ value }) {
      const chosen = value(`default_${what}`) ?? '';
      return { ...done(String(chosen)), out: { [`selected_${what}`]: chosen } };
    },
  };
}

/** Succeeds each time that so many seconds have passed, and where there is a path, starts again with each new one. */
function timer(more: Leaf['ports']): Leaf {
  return {
    ports: { seconds: { type: 'number', required: true, min: 0 }, ...more },
    beside: true,
    act({ value, clock, memory }) {
      const [since, of] = (memory as [string, string] | undefined) ?? [undefined, ''];
      const path = JSON.stringify(value('path') ?? '');
      const isNew = since === undefined || of !== path;
      const start = isNew ? clock.now() : BigInt(since);
      const passed = Number(clock.now() - start) / 1e9;
      const ok = !isNew && passed >= (value('seconds') as number);
      const kept = ok ? clock.now() : start;
      return { ok, reason: `${passed.toFixed(1)} s`, memory: [kept.toString(), path] };
    },
  };
}

function codeIn(codes: (call: LeafCall) => readonly number[]): Leaf {
  return {
    ports: { error_code: NUMBER, error_codes_to_check: { type: 'text' } },
    ...{ ignored: SERVER, beside: true },
    act(call) {
      const code = call.value('error_code') ?? 0;
      return { ok: codes(call).includes(code as number), reason: `error code ${code}` };
    },
  };
}

function metres(min: number): Port {
  return { type: 'number', required: true, min, max: 5 };
}

function done(reason: string): LeafEnd {
  return { ok: true, reason };
}

function failed(reason: string): LeafEnd {
  return { ok: false, reason };
}

function named(names: readonly string[], leaf: Leaf): Readonly<Record<string, Leaf>> {
  return Object.fromEntries(names.map((name) => [name, leaf]));
}

function camel(text: string): string {
  return text.replace(/(^|_)([a-z])/g, (_all, _gap, letter: string) => letter.toUpperCase());
}
