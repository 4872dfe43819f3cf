import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CellContext, type ConfigApi, EdgeError, type IdSource } from '../../contract/core.ts';
import { makeConfigDesk } from '../config/desk.ts';
import { ownConfigFile } from '../paths.ts';
import type { Settings } from '../settings.ts';

/** The configuration of this daemon, as its API shows and takes it. */
export function configDeskOf(settings: Settings, context: CellContext, ids: IdSource): ConfigApi {
  const { bus, clock, emit } = context;
  return makeConfigDesk(
    settings,
    {
      ...{ bus, clock, emit: (events) => emit(events) },
      usualFile: ownConfigFile(process.env),
      reload: () => signalDaemon(settings.dataDir),
      newId: () => ids.next(),
    },
    process.env,
  );
}

/** To this process or its parent only: a cell that lost its daemon has another one. */
function signalDaemon(dataDir: string): void {
  const pid = Number(readFileSync(join(dataDir, 'daemon.pid'), 'utf8').trim());
  if (pid !== process.pid && pid !== process.ppid)
    throw new EdgeError('cell.unavailable', {
      operation: 'reload',
      subject: dataDir,
      message: `the daemon of this process is not that of ${dataDir}`,
    });
  process.kill(pid, 'SIGHUP');
}
