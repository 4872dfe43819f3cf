import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type CommitThread, openEventLog } from '../../adapters/event-log/index.ts';
import type { Cell, CellContext, CellName } from '../../contract/index.ts';
import { HandedFiles } from '../../io/handed-files.ts';
import { memoryFolder } from '../../io/memory-folder.ts';
import { CellHost, type CellHostOptions } from '../cell/cell-host.ts';
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
  const parts = loadParts(name);
  // A module that cannot be loaded is reported at the start of the cell, not before.
  parts.catch(() => {});
  return new CellHost({
    name,
    clock,
    post,
    dataDir: settings.dataDir,
    ...(settings.config.daemon.cells === 'forked'
      ? { handoff: new HandedFiles(() => memoryFolder(settings.dataDir, 'handed'), clock) }
      : {}),
    version: VERSION,
    pid: process.pid,
    ...simOf(name, settings),
    rssBytes: () => process.memoryUsage.rss(),
    openLog: () => openEventLog(settings.dataDir, name, clock, commitThread(name, settings)),
    compose: async (context) => (await parts)(settings, context),
  });
}

/** Beside the runs: `auraison run replay --sim` makes the same world again. */
function simOf(name: CellName, { config }: Settings): Pick<CellHostOptions, 'sim'> {
  if (name !== 'runtime' || config.robot.source !== 'sim') return {};
  const { seed, width, height, pace, speed } = config.sim;
  return { sim: { seed, width, height, pace, speed } };
}

type Compose = (settings: Settings, context: CellContext) => Promise<Cell>;

/** Starts while the process boots, so that cells load side by side although they start one after the other. */
async function loadParts(name: CellName): Promise<Compose> {
  switch (name) {
    case 'execution':
      return (await import('./execution.ts')).composeExecution;
    case 'runtime':
      return (await import('./runtime.ts')).composeRuntime;
    case 'memory':
      return (await import('./memory.ts')).composeMemory;
    case 'link':
      return (await import('./link.ts')).composeLink;
  }
}

/** Cells that only serve the disk may wait for it; see docs/decisions/0005-event-log-commit-thread.md. */
function commitThread(name: CellName, { config }: Settings): CommitThread {
  const alone = config.daemon.cells === 'forked';
  return alone && (name === 'memory' || name === 'link') ? 'caller' : 'worker';
}
