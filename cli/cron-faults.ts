import { readTimeTable } from '../adapters/cron/cron-time-table.ts';
import { EdgeError } from '../contract/core.ts';
import { lineOfRowKey } from '../daemon/config/toml-lines.ts';
import type { Config, ConfigFault } from '../daemon/config.ts';

/** Times of `[[schedules]]` that the daemon could not read: it would leave these schedules out at its start. */
export function cronFaults(
  { schedules }: Config,
  { source, file }: { readonly source: string; readonly file: string },
): readonly ConfigFault[] {
  return schedules.flatMap(({ cron, timeZone }, row) => {
    try {
      readTimeTable(cron, timeZone);
      return [];
    } catch (thrown) {
      const { message, hint } = EdgeError.from(thrown, 'config.invalid', 'read', 'cron');
      const line = lineOfRowKey(source, 'schedules', row, 'cron');
      const expected = `times that can be read, ${hint || message} (${message})`;
      return [{ file, line, key: `schedules[${row + 1}].cron`, value: JSON.stringify(cron), expected }];
    }
  });
}
