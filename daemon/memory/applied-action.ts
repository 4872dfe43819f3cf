import type { AppliedAction } from '../../contract/index.ts';
import { CdrReader } from '../../formats/cdr/index.ts';

/** No control step is described by more. */
const BYTES_MAX = 64 * 1024;
const NUMBERS_MAX = 512;
const TEXT_MAX = 512;
const TYPE = 'std_msgs/msg/String';
/** Nanoseconds since the epoch to the year 2262. */
const TIME_MAX = 9_223_372_036_854_775_806n;
const VERDICTS: ReadonlySet<unknown> = new Set(['passed', 'limited', 'refused', 'starved']);

type Fields = Readonly<Record<string, unknown>>;

/**
 * The control step in a message; undefined where it is none: recordings come from anywhere. What older recordings do
 * not tell yet (policy, kind, motion) is empty.
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
  };
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
