import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openEventLog } from '../../adapters/event-log/index.ts';
import type { Cell, CellContext, CellName } from '../../contract/index.ts';
import { CellHost } from '../cell/cell-host.ts';
import type { FromCell } from '../cell/wire.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';

/** Builds the host of one cell. Each cell's parts are imported only in the process that runs it. */
export function makeCellHost(
  name: CellName,
  settings: Settings,
  post: (message: FromCell) => void,
): CellHost {
  const clock = new SystemClock();
  return new CellHost({
    name,
    clock,
    post,
    dataDir: settings.dataDir,
    version: VERSION,
    pid: process.pid,
    rssBytes: () => process.memoryUsage.rss(),
    openLog: () => openEventLog(settings.dataDir, name, clock),
    compose: (context) => composeCell(name, settings, context),
  });
}

async function composeCell(name: CellName, settings: Settings, context: CellContext): Promise<Cell> {
  switch (name) {
    case 'execution':
      return (await import('./execution.ts')).composeExecution(settings, context);
    case 'runtime':
      return (await import('./runtime.ts')).composeRuntime(settings, context);
    case 'memory':
      return (await import('./memory.ts')).composeMemory(settings, context);
    case 'link':
      return (await import('./link.ts')).composeLink(settings, context);
  }
}
