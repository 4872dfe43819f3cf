import { EdgeError, type Maneuver, type MotionRequest, type NavigateGoal } from '../../contract/core.ts';

/** Longest single motion: an hour of robot time; what takes longer is several motions. */
const TIMEOUT_MS_MAX = 3_600_000;
/** A recovery motion is short; the map is for the rest. */
const MANEUVER_M_MAX = 5;
const MANEUVER_RAD_MAX = 8 * Math.PI;

/** Requests from other cells, checked at the border: what is not a finite number never reaches the robot. */
export function parseNavigate(body: unknown): MotionRequest<NavigateGoal> {
  const request = fields(body, '/', ['motionId', 'goal']);
  const goal = fields(request['goal'], '/goal', ['pose', 'tolerance', 'timeoutMs', 'alignYaw']);
  const pose = fields(goal['pose'], '/goal/pose', ['x', 'y', 'yaw']);
  const align = goal['alignYaw'];
  if (align !== undefined && typeof align !== 'boolean')
    throw bad('/goal/alignYaw', 'must be boolean', align);
  return {
    motionId: text(request['motionId'], '/motionId'),
    goal: {
      pose: {
        x: number(pose['x'], '/goal/pose/x', -1e4, 1e4),
        y: number(pose['y'], '/goal/pose/y', -1e4, 1e4),
        yaw: number(pose['yaw'], '/goal/pose/yaw', -1e3, 1e3),
      },
      tolerance: number(goal['tolerance'], '/goal/tolerance', 0.02, 10),
      timeoutMs: number(goal['timeoutMs'], '/goal/timeoutMs', 1, TIMEOUT_MS_MAX),
      ...(align === undefined ? {} : { alignYaw: align }),
    },
  };
}

export function parseManeuver(body: unknown): MotionRequest<Maneuver> {
  const request = fields(body, '/', ['motionId', 'goal']);
  const motionId = text(request['motionId'], '/motionId');
  const kind = (request['goal'] as { kind?: unknown } | undefined)?.kind;
  if (kind === 'drive') {
    const goal = fields(request['goal'], '/goal', ['kind', 'distance']);
    const distance = number(goal['distance'], '/goal/distance', -MANEUVER_M_MAX, MANEUVER_M_MAX);
    return { motionId, goal: { kind, distance } };
  }
  if (kind === 'spin') {
    const goal = fields(request['goal'], '/goal', ['kind', 'angle']);
    return {
      motionId,
      goal: { kind, angle: number(goal['angle'], '/goal/angle', -MANEUVER_RAD_MAX, MANEUVER_RAD_MAX) },
    };
  }
  if (kind === 'wait') {
    const goal = fields(request['goal'], '/goal', ['kind', 'durationMs']);
    return {
      motionId,
      goal: { kind, durationMs: number(goal['durationMs'], '/goal/durationMs', 0, TIMEOUT_MS_MAX) },
    };
  }
  throw bad('/goal/kind', 'must be one of drive, spin, wait', kind);
}

/** `reason` may be left out. */
export function parseCancel(body: unknown): { motionId: string; reason: string } {
  const request = fields(body, '/', ['motionId', 'reason']);
  return {
    motionId: text(request['motionId'], '/motionId'),
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
