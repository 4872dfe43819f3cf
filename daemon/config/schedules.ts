import { LIMITS, type ScheduleSpec } from '../../contract/core.ts';
import { parseQuantity } from './quantity.ts';

const ALLOWED = [
  ...['name', 'cron', 'time_zone', 'intent', 'params', 'priority', 'roles'],
  ...['deadline', 'missed', 'jitter', 'overlap'],
];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const INTENT = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
/** Five or six fields, or a name: what is in them is read by the library. */
const CRON = /^(@[a-z]+|\S+(\s+\S+){4,5})$/i;
const DAY_MS = 86_400_000;

type Result = { ok: true; value: ScheduleSpec } | { ok: false; key: string; expected: string };

function readSchedule(row: Record<string, unknown>): Result {
  const stranger = Object.keys(row).find((key) => !ALLOWED.includes(key));
  if (stranger !== undefined) return expected(stranger, `one of the keys ${ALLOWED.join(', ')}`);
  const { name, cron, intent, params = {}, priority = 5, roles = ['operator'] } = row;
  const { time_zone: timeZone = 'UTC', missed = 'run_once', overlap = 'skip' } = row;
  if (typeof name !== 'string' || !NAME.test(name))
    return expected('name', 'a name of letters, digits, dot, dash, underscore');
  if (typeof cron !== 'string' || cron.length > 256 || !CRON.test(cron.trim()))
    return expected('cron', 'five fields, or six with seconds first, for example "0 3 * * *"');
  if (typeof timeZone !== 'string' || !isZone(timeZone))
    return expected('time_zone', 'an IANA name such as "Europe/Berlin"');
  if (typeof intent !== 'string' || !INTENT.test(intent))
    return expected('intent', 'an intent type such as "maze/find_exit"');
  if (!isTable(params)) return expected('params', 'a table, for example { floor = 2 }');
  if (!Number.isInteger(priority) || (priority as number) < 0 || (priority as number) > 9)
    return expected('priority', 'a whole number from 0 to 9');
  if (!Array.isArray(roles) || roles.length > 32 || !roles.every((role) => INTENT.test(String(role))))
    return expected('roles', 'a list of names, for example ["operator"]');
  if (missed !== 'skip' && missed !== 'run_once' && missed !== 'run_all')
    return expected('missed', '"skip", "run_once" or "run_all"');
  if (overlap !== 'skip' && overlap !== 'queue') return expected('overlap', '"skip" or "queue"');
  const deadlineMs = span(row['deadline'], 1_000, 366 * DAY_MS);
  if (deadlineMs === 'wrong') return expected('deadline', 'a duration of at least 1 s, for example "30 min"');
  const jitterMs = span(row['jitter'], 0, DAY_MS) ?? 0;
  if (jitterMs === 'wrong') return expected('jitter', 'a duration of at most 1 d, for example "5 min"');
  if (deadlineMs !== undefined && deadlineMs <= jitterMs)
    return expected('deadline', 'longer than jitter: the intent would have expired before it is put');
  return {
    ok: true,
    value: {
      name,
      cron: cron.trim(),
      timeZone,
      intent,
      params,
      priority: priority as number,
      roles: roles as string[],
      deadlineMs,
      missed,
      jitterMs,
      overlap,
    },
  };
}

/**
 * The list `[[schedules]]`. Faults are reported row by row (from 0; undefined: the whole list); a row with one is left
 * out. What cron understands beyond the look of an expression is found where it is read.
 */
export function readSchedules(
  body: unknown,
  fault: (row: number | undefined, key: string, value: unknown, expected: string) => void,
): readonly ScheduleSpec[] {
  if (!Array.isArray(body)) {
    fault(undefined, '', body, 'a list of tables: [[schedules]]');
    return [];
  }
  if (body.length > LIMITS.SCHEDULES_MAX)
    fault(undefined, '', body.length, `at most ${LIMITS.SCHEDULES_MAX} schedules`);
  const schedules: ScheduleSpec[] = [];
  for (const [index, row] of body.entries()) {
    if (!isTable(row)) fault(index, '', row, 'a table');
    else {
      const read = readSchedule(row);
      if (!read.ok) fault(index, read.key, row[read.key], read.expected);
      // The log knows a schedule by its name and nothing else.
      else if (schedules.some(({ name }) => name === read.value.name))
        fault(index, 'name', read.value.name, 'a name that no other schedule has');
      else schedules.push(read.value);
    }
  }
  return schedules;
}

/** Whether the engine of this host knows the zone. */
function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function span(value: unknown, min: number, max: number): number | undefined | 'wrong' {
  if (value === undefined) return undefined;
  const parsed = parseQuantity('duration', value);
  return parsed.ok && parsed.value >= min && parsed.value <= max ? parsed.value : 'wrong';
}

function expected(key: string, text: string): Result {
  return { ok: false, key, expected: text };
}

/** The rows as a person would write them, for `config show`. */
export function showSchedules(): string[] {
  return [
    '# [[schedules]]: intents that this robot gives itself; any number of them',
    '# identity of the schedule in log and status',
    '# name = ""',
    '# five fields, or six with seconds first; "@daily" and the like',
    '# cron = "0 3 * * *"',
    '# IANA time zone',
    '# time_zone = "UTC"',
    '# intent type',
    '# intent = "maze/find_exit"',
    '# params of the intent',
    '# params = {}',
    '# 0 to 9; 9 is most urgent',
    '# priority = 5',
    '# roles that policies see',
    '# roles = ["operator"]',
    '# the intent expires this long after it was due; left out: never',
    '# deadline = "30 min"',
    '# times that passed while the daemon was down: skip, run_once, run_all',
    '# missed = "run_once"',
    '# each time is put off by up to this, differently on each robot',
    '# jitter = "0 s"',
    '# while the run of an earlier time has not ended: skip, queue',
    '# overlap = "skip"',
    '',
  ];
}
