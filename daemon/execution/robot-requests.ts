import {
  type Clock,
  checkFresh,
  EdgeError,
  fieldsOf,
  formatTraceparent,
  type GoalOf,
  type LeaseRole,
  LIMITS,
  type MotionKind,
  type MotionRequest,
  type MotionResult,
  motionFits,
  motionRefusal,
  parseTraceparent,
  type StopRequest,
} from '../../contract/core.ts';

const MOTION_FIELDS = ['motionId', 'goal', 'traceparent', 'run', 'by'];
const TEXT_MAX = 256;
const BY_MAX = 128;
const ROLES: readonly LeaseRole[] = ['policy', 'agent', 'autonomy', 'central', 'teleoperation'];

/** When a motion was asked for, and the clock that says what time it is now; both of the host. */
export type AskedAt = { readonly madeAtMs: number; readonly clock: Pick<Clock, 'monotonicMs'> };

/**
 * Starts a motion that another cell asks for, in this very turn. A goal that does not fit never reaches the robot:
 * the promise then rejects with `schema.invalid`, which names the field, and with `command.expired` for a request that
 * waited in a frozen process.
 */
export function withMotion<K extends MotionKind>(
  kind: K,
  body: unknown,
  { madeAtMs, clock }: AskedAt,
  begin: (request: MotionRequest<GoalOf<K>>) => Promise<MotionResult>,
): Promise<MotionResult> {
  const { goal, ...rest } = fields(body, '/', MOTION_FIELDS);
  const request = named(rest);
  checkFresh(`robot.${kind}`, 'robot', madeAtMs, clock.monotonicMs(), LIMITS.MOTION_EXPIRY_MS);
  if (motionFits(kind, goal)) return begin({ ...request, goal });
  return motionRefusal(kind, goal).then((error) => {
    throw error;
  });
}

/** An invalid trace context is left out: it names the caller, and no motion depends on it. */
function named(request: Record<string, unknown>): Omit<MotionRequest<unknown>, 'goal'> {
  const motionId = text(request['motionId'], '/motionId');
  const given = request['traceparent'];
  const trace = typeof given === 'string' ? parseTraceparent(given) : undefined;
  const { run, by } = request;
  return {
    motionId,
    ...(trace ? { traceparent: formatTraceparent(trace) } : {}),
    ...(run === undefined ? {} : { run: text(run, '/run') }),
    ...(by === undefined ? {} : { by: text(by, '/by') }),
  };
}

/** What is wrong with the reason, or is no field of a cancel, is left out. */
export function parseCancel(body: unknown): { motionId: string; reason: string; by: string | undefined } {
  const { motionId, reason, by } = fieldsOf(body);
  return {
    motionId: text(motionId, '/motionId'),
    reason: reasonOf(reason, 'cancelled'),
    by: principalOf(by),
  };
}

/** Never throws: what does not fit is left out, for a stop does not fail on how it was asked for. */
export function parseStop(body: unknown): StopRequest {
  const { reason, run, role, by, agentOf } = fieldsOf(body);
  return {
    reason: reasonOf(reason, 'stop'),
    ...(typeof run === 'string' && run !== '' ? { run } : {}),
    ...(ROLES.includes(role as LeaseRole) ? { role: role as LeaseRole } : {}),
    ...(principalOf(by) === undefined ? {} : { by: principalOf(by)! }),
    // A stop of any other rank counts for all.
    ...(role === 'agent' && typeof agentOf === 'string' && agentOf !== '' ? { agentOf } : {}),
  };
}

/** The principal of a stop; undefined where the body names none. */
export function principalOf(by: unknown): string | undefined {
  return typeof by === 'string' && by !== '' ? by.slice(0, BY_MAX) : undefined;
}

/** Of a stop, as motions and controllers answer it: with the principal that asked, where it is known. */
export function reasonWith(reason: string, by: string | undefined): string {
  return by === undefined ? reason : `${reason} (by ${by})`;
}

function reasonOf(given: unknown, otherwise: string): string {
  return typeof given === 'string' && given !== '' ? given.slice(0, TEXT_MAX) : otherwise;
}

function fields(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(path, 'must be an object', value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw bad(`${path === '/' ? '' : path}/${key}`, 'unknown field', key);
  }
  return value as Record<string, unknown>;
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > TEXT_MAX)
    throw bad(path, 'must be a short string', value);
  return value;
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
