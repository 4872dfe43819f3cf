import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type AgentEvent,
  type Application,
  type CellContext,
  EdgeError,
  LIMITS,
  type RuntimeApi,
  TOPICS,
} from '../../contract/core.ts';
import { schedulesOf } from '../config/people.ts';
import { AutoStart } from '../runtime/schedule/auto-start.ts';
import { type Schedule, type ScheduleParts, ScheduleRunner } from '../runtime/schedule/schedule-runner.ts';
import type { Settings } from '../settings.ts';

export type Schedules = Pick<ScheduleRunner, 'start' | 'stop' | 'views'> & {
  /** From now on these are the applications: those of packages may have schedules. */
  takeApps(apps: readonly Application[]): Promise<void>;
};

/**
 * What gives the robot intents in time, by the configuration and by packages. A schedule that cannot be read is
 * reported and left out: the others, and the robot, keep working.
 */
export async function makeSchedules(
  { config, dataDir }: Settings,
  context: CellContext,
  runtime: RuntimeApi,
  apps: readonly Application[],
): Promise<Schedules> {
  const { clock, log, bus, report, name } = context;
  const read = async (now: readonly Application[]) => {
    const specs = schedulesOf(config, now);
    const taken = specs.slice(0, LIMITS.SCHEDULES_MAX);
    for (const spec of specs.slice(LIMITS.SCHEDULES_MAX))
      report('error', `schedule ${spec.name} is left out: at most ${LIMITS.SCHEDULES_MAX} are kept`, {});
    const schedules: Schedule[] = [];
    for (const spec of taken) {
      try {
        const { readTimeTable } = await import('../../adapters/cron/cron-time-table.ts');
        schedules.push({ spec, table: readTimeTable(spec.cron, spec.timeZone) });
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'config.invalid', 'read schedule', spec.name);
        report('error', `schedule ${spec.name} is left out: ${error.message}`, { hint: error.hint });
        await context.emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]);
      }
    }
    return schedules;
  };
  const parts: ScheduleParts = {
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
  };
  const runner = new ScheduleRunner(parts, await read(apps));
  let known = JSON.stringify(schedulesOf(config, apps));
  return {
    start: () => runner.start(),
    stop: () => runner.stop(),
    views: () => runner.views(),
    async takeApps(now) {
      const wanted = JSON.stringify(schedulesOf(config, now));
      if (wanted === known) return;
      known = wanted;
      await runner.take(await read(now));
    },
  };
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
