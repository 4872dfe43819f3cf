import type { CellName, Clock } from '../../contract/index.ts';
import { logPath } from './log-schema.ts';
import { type CommitThread, SqliteEventLog } from './sqlite-event-log.ts';
import { SqliteEventReader } from './sqlite-event-reader.ts';

export { archiveEvents } from './archive-events.ts';
export { checkpointKey, signed } from './checkpoint.ts';
export { KEEP_EVENTS, LogCutter } from './log-cutter.ts';
export type { ExportEnd, ExportProgress, ExportRange } from './log-export.ts';
export { exportLogs } from './log-export.ts';
export { eventsDirectory, logPath } from './log-schema.ts';
export type { CommitThread, EventLogOptions, EventLogStats } from './sqlite-event-log.ts';
export type { ExportVerdict } from './verify-export.ts';
export { verifyExport } from './verify-export.ts';
export { verifyLogFile } from './verify-log.ts';
export { SqliteEventLog, SqliteEventReader };

/** The log of a cell, opened or made. See `SqliteEventLog.open` for how it refuses. */
export function openEventLog(
  dataDir: string,
  cell: CellName,
  clock: Clock,
  thread: CommitThread = 'worker',
): Promise<SqliteEventLog> {
  return SqliteEventLog.open({ dataDir, cell, clock, thread });
}

/** Reads the log of any cell; a log that is not there yet reads as empty. */
export function openEventReader(dataDir: string, cell: CellName): SqliteEventReader {
  return new SqliteEventReader(logPath(dataDir, cell), cell);
}
