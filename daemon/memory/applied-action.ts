import type { AppliedAction, ExecutedGoal } from '../../contract/index.ts';
import { CdrReader } from '../../formats/cdr/index.ts';

/** No control step is described by more. */
const BYTES_MAX = 64 * 1024;
const NUMBERS_MAX = 512;
const TEXT_MAX = 512;
const TYPE = 'std_msgs/msg/String';
/** Nanoseconds since the epoch to the year 2262. */
const TIME_MAX = 9_223_372_036_854_775_806n;
const VERDICTS: ReadonlySet<unknown> = new Set(['passed', 'limited', 'refused', 'starved']);

const STATES: ReadonlySet<unknown> = new Set<ExecutedGoal['state']>([
  ...(['running', 'succeeded', 'canceled', 'aborted', 'rejected', 'lost', 'unknown'] as const),
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * The control step in a message; undefined for any other message: recordings come from anywhere. Fields that older
 * recordings do not hold yet (policy, kind, motion) are empty.
 */
export function appliedAction(type: string, bytes: Uint8Array): AppliedAction | undefined {
  if (type !== TYPE || bytes.length > BYTES_MAX) return undefined;
  try {
    const step: unknown = JSON.parse(new CdrReader(bytes, type).string());
    return typeof step === 'object' && step !== null ? checked(step as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function checked(step: Fields): AppliedAction | undefined {
  const { names, verdict, chunk, lease } = step;
  const goal = step['kind'] === 'goal' ? goalOf(step['goal']) : undefined;
  if (step['kind'] === 'goal' && !goal) return undefined;
  const controller = text(step['controller']);
  const time_ns = time(step['time_ns']);
  const observation_ns = time(step['observation_ns'] ?? '0');
  const asked = numbers(step['asked']);
  const applied = numbers(step['applied']);
  if (!controller || time_ns === undefined || observation_ns === undefined || !asked || !applied)
    return undefined;
  if (!Array.isArray(names) || names.length > NUMBERS_MAX || !VERDICTS.has(verdict)) return undefined;
  if (!Number.isSafeInteger(chunk) || !Number.isSafeInteger(lease)) return undefined;
  return {
    ...{ controller, time_ns, observation_ns, asked, applied },
    ...{ chunk: chunk as number, lease: lease as number },
    names: names.map((name) => text(name)),
    verdict: verdict as AppliedAction['verdict'],
    kind: text(step['kind']) as AppliedAction['kind'],
    reason: text(step['reason']),
    policy: text(step['policy']),
    policy_hash: text(step['policy_hash']),
    plan_step: text(step['plan_step']),
    motion_id: text(step['motion_id']),
    ...(typeof step['run_id'] === 'string' ? { run_id: text(step['run_id']) } : {}),
    ...(goal ? { goal } : {}),
  };
}

function goalOf(found: unknown): ExecutedGoal | undefined {
  if (typeof found !== 'object' || found === null) return undefined;
  const goal = found as Fields;
  const started_ns = time(goal['started_ns']);
  const value = json(goal['value']);
  if (started_ns === undefined || value === undefined || !STATES.has(goal['state'])) return undefined;
  return {
    ...{ goal_id: text(goal['goal_id']), action: text(goal['action']), type: text(goal['type']) },
    ...{ value, by: text(goal['by']), state: goal['state'] as ExecutedGoal['state'], started_ns },
    result: json(goal['result']) ?? '',
  };
}

/** A text that is JSON; undefined where it is not. */
function json(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  try {
    JSON.parse(value);
    return value.toWellFormed();
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_MAX).toWellFormed() : '';
}

function time(value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^\d{1,19}$/.test(value)) return undefined;
  return BigInt(value) < TIME_MAX ? value : undefined;
}

/** JSON has no NaN: it was written as null. */
function numbers(value: unknown): number[] | undefined {
  if (!Array.isArray(value) || value.length > NUMBERS_MAX) return undefined;
  const found = value.map((one) => (one === null ? Number.NaN : (one as unknown)));
  return found.every((one) => typeof one === 'number') ? found : undefined;
}
