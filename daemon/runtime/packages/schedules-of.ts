import { type AppManifest, closedParams } from '../../../contract/apps/index.ts';
import { checker } from '../../../contract/check.ts';
import { type AppFault, type Application, durationMs, Type } from '../../../contract/index.ts';

type Row = NonNullable<AppManifest['schedule']>[number];

/** The log knows a schedule by its name; longer ones do not fit there. */
const NAME_CHARS_MAX = 64;
const JITTER_MS_MAX = 86_400_000;
const DEADLINE_MS_MIN = 1_000;

/** The schedules of a manifest without faults. An intent that is not named is the first. */
export function schedulesOf({
  name,
  intents,
  schedule = [],
}: AppManifest): NonNullable<Application['schedules']> {
  return schedule.map((row) => ({
    name: nameOf(name, row),
    cron: row.cron.trim(),
    timeZone: row.time_zone ?? 'UTC',
    intent: row.intent ?? intents[0]!.type,
    params: row.params ?? {},
    priority: row.priority ?? 5,
    deadlineMs: row.deadline === undefined ? undefined : durationMs(row.deadline),
    missed: row.missed ?? 'run_once',
    jitterMs: row.jitter === undefined ? 0 : durationMs(row.jitter),
    overlap: row.overlap ?? 'skip',
  }));
}

/** What only the whole shows: intents of others, parameters that do not fit, names that are there twice. */
export function scheduleFaults({ name, intents, schedule = [] }: AppManifest): readonly AppFault[] {
  return schedule.flatMap((row, index) => {
    const fault = (key: string, problem: string): AppFault => ({
      file: 'app.toml',
      key: `schedule[${index + 1}].${key}`,
      problem,
    });
    const found: AppFault[] = [];
    if (schedule.findIndex((one) => one.name === row.name) !== index)
      found.push(fault('name', `"${row.name}" is there twice`));
    if (nameOf(name, row).length > NAME_CHARS_MAX)
      found.push(
        fault('name', `with the name of the application it has at most ${NAME_CHARS_MAX} characters`),
      );
    const intent = row.intent === undefined ? intents[0]! : intents.find(({ type }) => type === row.intent);
    if (!intent)
      found.push(fault('intent', `is one of its own: ${intents.map(({ type }) => type).join(', ')}`));
    const schema = intent && Type.Unsafe(closedParams({ type: 'object', ...intent.params }));
    const wrong = schema && checker(schema).fault(row.params ?? {});
    if (wrong !== undefined) found.push(fault('params', wrong));
    const deadlineMs = row.deadline === undefined ? undefined : durationMs(row.deadline);
    const jitterMs = row.jitter === undefined ? 0 : durationMs(row.jitter);
    if (deadlineMs !== undefined && deadlineMs < DEADLINE_MS_MIN)
      found.push(fault('deadline', 'is at least 1 s'));
    if (jitterMs > JITTER_MS_MAX) found.push(fault('jitter', 'is at most 24 h'));
    if (deadlineMs !== undefined && deadlineMs <= jitterMs)
      found.push(fault('deadline', 'is longer than jitter: the intent would have expired before it is put'));
    return found;
  });
}

function nameOf(app: string, { name }: Row): string {
  return `${app}.${name}`;
}
