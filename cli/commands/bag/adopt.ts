import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { openEventLog } from '../../../adapters/event-log/index.ts';
import { EdgeError } from '../../../contract/core.ts';
import type { ApiClient } from '../../../daemon/client/api-client.ts';
import type { Settings } from '../../../daemon/settings.ts';
import { lockDataDir } from '../../../daemon/supervisor/data-lock.ts';
import { adoptBag } from '../../../io/adopt-bag.ts';
import type { Output } from '../../output.ts';

/**
 * Enters the segments of an imported bag into the log: by the daemon that has the data directory, or, where none
 * runs, here, under the daemon's own lock. Where neither works the bag stays, and the next start of the daemon
 * enters it: `told` is false and a note says why.
 */
export async function adopt(
  settings: Settings,
  api: ApiClient,
  bag: string,
  out: Output,
): Promise<{ told: boolean }> {
  try {
    await enter(settings, api, bag);
    return { told: true };
  } catch (error) {
    const { message, hint } = EdgeError.from(error, 'log.failed', 'bag import', bag);
    out.note(`auraison: bag ${bag} is in the data directory; its events are not in the log yet: ${message}`);
    if (hint !== '') out.note(`  ${hint}`);
    out.note('  importing it again, or the next start of the daemon, enters them');
    return { told: false };
  }
}

async function enter({ dataDir }: Settings, api: ApiClient, bag: string): Promise<void> {
  let lock: { release(): void };
  try {
    lock = lockDataDir(dataDir, process.pid, 'bag import');
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'host.data_dir_in_use') throw error;
    await api.post(`/v1/bags/${bag}/adopt`);
    return;
  }
  try {
    const log = await openEventLog(dataDir, 'execution', new SystemClock(), 'caller');
    try {
      await adoptBag(dataDir, bag, (events) => log.append(events));
    } finally {
      await log.close();
    }
  } finally {
    lock.release();
  }
}
