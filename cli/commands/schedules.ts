import type { Command } from 'commander';
import type { ScheduleView } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

export function addSchedulesCommand(program: Command): void {
  program
    .command('schedules')
    .description('intents that this robot gives itself: when next, and what became of the last time')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison schedules\n  auraison schedules --json | jq \'.[] | select(.last.action == "refused")\'\n  auraison events --kind schedule.fired',
    )
    .action(
      action(async ({ api, out }) => {
        const { schedules } = await api.get<{ schedules: ScheduleView[] }>('/v1/schedules');
        out.result(schedules, () => schedulesText(schedules));
        return 0;
      }),
    );
}

function schedulesText(schedules: readonly ScheduleView[]): string {
  if (schedules.length === 0) return 'no schedules: [[schedules]] in the configuration, see docs/intents.md';
  return table(
    ['SCHEDULE', 'WHEN', 'INTENT', 'NEXT', 'LAST', 'BECAME', 'REASON'],
    schedules.map(({ name, cron, time_zone, intent, next, last }) => [
      name,
      `${cron} ${time_zone}`,
      intent,
      next[0] === undefined ? 'never' : inZone(next[0], time_zone),
      last === undefined || last.action === 'known' ? '' : inZone(last.due, time_zone),
      last === undefined || last.action === 'known' ? '' : (last.run_id ?? last.action),
      last === undefined ? '' : `${last.reason}${last.missed > 0 ? `; ${last.missed} missed before it` : ''}`,
    ]),
  );
}

/** In the time zone of the schedule. */
export function inZone(ns: string, timeZone: string): string {
  const time = new Date(Number(BigInt(ns) / 1_000_000n));
  const two = '2-digit';
  return time.toLocaleString('sv-SE', {
    ...({ timeZone, timeZoneName: 'short', year: 'numeric', month: two, day: two } as const),
    ...({ hour: two, minute: two, second: two } as const),
  });
}
