import {
  EdgeError,
  formatTraceparent,
  type GripperGoal,
  type JointTarget,
  type Maneuver,
  type MotionRequest,
  type NavigateGoal,
  type Pose2d,
  parseTraceparent,
  type TrajectoryGoal,
} from '../../contract/core.ts';

/** Longest single motion: an hour of robot time; what takes longer is several motions. */
const TIMEOUT_MS_MAX = 3_600_000;
/** A recovery motion is short; the map is for the rest. */
const MANEUVER_M_MAX = 5;
const MANEUVER_RAD_MAX = 8 * Math.PI;
/** Places to pass on one way, points of one trajectory and joints of one arm. */
const VIA_MAX = 100;
const POINTS_MAX = 10_000;
const JOINTS_MAX = 64;
/** No joint turns or slides further, radians or metres; no gripper opens wider or presses harder. */
const JOINT_MAX = 1_000;
const OPENING_M_MAX = 1;
const EFFORT_N_MAX = 1_000;

const MOTION_FIELDS = ['motionId', 'goal', 'traceparent'];

/** Requests from other cells, checked at the border: what is not a finite number never reaches the robot. */
export function parseNavigate(body: unknown): MotionRequest<NavigateGoal> {
  const request = fields(body, '/', MOTION_FIELDS);
  const goal = fields(request['goal'], '/goal', ['pose', 'tolerance', 'timeoutMs', 'alignYaw', 'via']);
  const { alignYaw: align, via } = goal;
  if (align !== undefined && typeof align !== 'boolean')
    throw bad('/goal/alignYaw', 'must be boolean', align);
  return {
    ...named(request),
    goal: {
      pose: pose(goal['pose'], '/goal/pose'),
      tolerance: number(goal['tolerance'], '/goal/tolerance', 0.02, 10),
      timeoutMs: number(goal['timeoutMs'], '/goal/timeoutMs', 1, TIMEOUT_MS_MAX),
      ...(align === undefined ? {} : { alignYaw: align }),
      ...(via === undefined
        ? {}
        : { via: list(via, '/goal/via', VIA_MAX).map((place, i) => pose(place, `/goal/via/${i}`)) }),
    },
  };
}

export function parseTrajectory(body: unknown): MotionRequest<TrajectoryGoal> {
  const request = fields(body, '/', MOTION_FIELDS);
  const goal = fields(request['goal'], '/goal', ['points']);
  const points = list(goal['points'], '/goal/points', POINTS_MAX).map((point, i) =>
    jointTarget(point, `/goal/points/${i}`),
  );
  return { ...named(request), goal: { points } };
}

export function parseGripper(body: unknown): MotionRequest<GripperGoal> {
  const request = fields(body, '/', MOTION_FIELDS);
  const goal = fields(request['goal'], '/goal', ['opening', 'effort']);
  return {
    ...named(request),
    goal: {
      opening: number(goal['opening'], '/goal/opening', 0, OPENING_M_MAX),
      effort: number(goal['effort'], '/goal/effort', 0, EFFORT_N_MAX),
    },
  };
}

function jointTarget(value: unknown, path: string): JointTarget {
  const point = fields(value, path, ['positions', 'timeFromStartMs']);
  const told = point['positions'];
  if (typeof told !== 'object' || told === null) throw bad(`${path}/positions`, 'must be an object', told);
  const joints = Object.entries(told);
  if (joints.length > JOINTS_MAX)
    throw bad(`${path}/positions`, `at most ${JOINTS_MAX} joints`, joints.length);
  const positions = Object.fromEntries(
    joints.map(([joint, at]) => [joint, number(at, `${path}/positions/${joint}`, -JOINT_MAX, JOINT_MAX)]),
  );
  const timeFromStartMs = number(point['timeFromStartMs'], `${path}/timeFromStartMs`, 0, TIMEOUT_MS_MAX);
  return { positions, timeFromStartMs };
}

function pose(value: unknown, path: string): Pose2d {
  const told = fields(value, path, ['x', 'y', 'yaw']);
  return {
    x: number(told['x'], `${path}/x`, -1e4, 1e4),
    y: number(told['y'], `${path}/y`, -1e4, 1e4),
    yaw: number(told['yaw'], `${path}/yaw`, -1e3, 1e3),
  };
}

function list(value: unknown, path: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(path, 'must be a list', value);
  if (value.length > most) throw bad(path, `at most ${most} entries`, value.length);
  return value;
}

export function parseManeuver(body: unknown): MotionRequest<Maneuver> {
  const request = fields(body, '/', MOTION_FIELDS);
  const motion = named(request);
  const kind = (request['goal'] as { kind?: unknown } | undefined)?.kind;
  if (kind === 'drive') {
    const goal = fields(request['goal'], '/goal', ['kind', 'distance']);
    const distance = number(goal['distance'], '/goal/distance', -MANEUVER_M_MAX, MANEUVER_M_MAX);
    return { ...motion, goal: { kind, distance } };
  }
  if (kind === 'spin') {
    const goal = fields(request['goal'], '/goal', ['kind', 'angle']);
    return {
      ...motion,
      goal: { kind, angle: number(goal['angle'], '/goal/angle', -MANEUVER_RAD_MAX, MANEUVER_RAD_MAX) },
    };
  }
  if (kind === 'wait') {
    const goal = fields(request['goal'], '/goal', ['kind', 'durationMs']);
    return {
      ...motion,
      goal: { kind, durationMs: number(goal['durationMs'], '/goal/durationMs', 0, TIMEOUT_MS_MAX) },
    };
  }
  throw bad('/goal/kind', 'must be one of drive, spin, wait', kind);
}

/** A trace context that is none is left out: it says who asked, and no motion depends on it. */
function named(request: Record<string, unknown>): { motionId: string; traceparent?: string } {
  const motionId = text(request['motionId'], '/motionId');
  const given = request['traceparent'];
  const trace = typeof given === 'string' ? parseTraceparent(given) : undefined;
  return { motionId, ...(trace ? { traceparent: formatTraceparent(trace) } : {}) };
}

/** `reason` may be left out. */
export function parseCancel(body: unknown): { motionId: string; reason: string } {
  const request = fields(body, '/', ['motionId', 'reason']);
  return {
    ...named(request),
    reason: optionalText(request['reason'], 'cancelled'),
  };
}

export function parseStop(body: unknown): { reason: string } {
  const request = fields(body ?? {}, '/', ['reason']);
  return { reason: optionalText(request['reason'], 'stop') };
}

function fields(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(path, 'must be an object', value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw bad(`${path === '/' ? '' : path}/${key}`, 'unknown field', key);
  }
  return value as Record<string, unknown>;
}

function number(value: unknown, path: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw bad(path, 'must be a finite number', value);
  if (value < least || value > most) throw bad(path, `must be within ${least} and ${most}`, value);
  return value;
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 256)
    throw bad(path, 'must be a short string', value);
  return value;
}

function optionalText(value: unknown, otherwise: string): string {
  return value === undefined ? otherwise : text(value, '/reason');
}

function bad(path: string, message: string, value: unknown): EdgeError {
  const found =
    typeof value === 'object' ? (value === null ? 'null' : 'an object') : String(value).slice(0, 80);
  return new EdgeError('schema.invalid', {
    operation: 'robot-request',
    subject: path,
    message: `${path}: ${message}, found ${found}`,
  });
}
