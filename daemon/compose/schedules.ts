import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type AgentEvent,
  type Application,
  type CellContext,
  EdgeError,
  type RuntimeApi,
  TOPICS,
} from '../../contract/core.ts';
import { AutoStart } from '../runtime/schedule/auto-start.ts';
import { type Schedule, ScheduleRunner } from '../runtime/schedule/schedule-runner.ts';
import type { Settings } from '../settings.ts';

/**
 * What gives the robot intents in time; undefined where nothing is scheduled. A schedule that cannot be read is
 * told and left out: the others, and the robot, go on.
 */
export async function makeSchedules(
  { config, dataDir }: Settings,
  context: CellContext,
  runtime: RuntimeApi,
): Promise<ScheduleRunner | undefined> {
  if (config.schedules.length === 0) return undefined;
  const { clock, log, bus, report, name } = context;
  const { readTimeTable } = await import('../../adapters/cron/cron-time-table.ts');
  const schedules: Schedule[] = [];
  for (const spec of config.schedules) {
    try {
      schedules.push({ spec, table: readTimeTable(spec.cron, spec.timeZone) });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'config.invalid', 'read schedule', spec.name);
      report('error', `schedule ${spec.name} is left out: ${error.message}`, { hint: error.hint });
      await context.emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]);
    }
  }
  return new ScheduleRunner(
    {
      robot: config.daemon.name,
      tenant: config.intents.tenant,
      clock,
      runtime,
      reader: openEventReader(dataDir, name),
      async append(events): Promise<readonly AgentEvent[]> {
        const durable = await log.append(events);
        bus.broadcast(TOPICS.logGrew, { lastSeq: durable.at(-1)?.seq ?? 0 });
        return durable;
      },
      report,
    },
    schedules,
  );
}

/** What gives the robot its intent at each start of the daemon; undefined where it is given none. */
export function makeAutoStart(
  { config, start }: Settings,
  { clock, log, report }: CellContext,
  runtime: RuntimeApi,
  apps: readonly Application[],
): AutoStart | undefined {
  const type = config.runs.auto_start;
  if (type === '' || type !== start?.autoStart) return undefined;
  const app = apps.find(({ intents }) => intents.some((one) => one.type === type));
  return new AutoStart({
    ...{ type, robot: config.daemon.name, start: start.name, started: start.ts },
    deadlineMs: app?.deadlineMs ?? Number.POSITIVE_INFINITY,
    ...{ clock, runtime, reader: log.reader(), report },
  });
}
