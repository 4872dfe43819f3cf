import { once } from 'node:events';
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type AgentEvent, type CellName, canonicalJson, EdgeError } from '../../contract/core.ts';
import { ChainVerifier } from './chain-verifier.ts';
import { type CheckpointRow, checkpointsOf, cutOf, type Signature } from './checkpoint.ts';
import { fsyncPath, logPath } from './log-schema.ts';
import { SqliteEventReader } from './sqlite-event-reader.ts';

/** The first line of each log of an export names it; the version grows when readers have to change. */
export const EXPORT_FORMAT = 'auraison/log-export/1';
/** What is in memory at a time: so many events, or about so many characters of payload. */
const PAGE_EVENTS = 500;
const PAGE_CHARS = 1024 * 1024;

/** The first line of a log: where its chain starts, and the signed checkpoints of what was removed from it. */
export type ExportHead = {
  readonly format: typeof EXPORT_FORMAT;
  readonly cell: CellName;
  readonly epoch: string;
  readonly first: number;
  readonly prev_hash: string;
  readonly checkpoints: readonly CheckpointRow[];
};

/** The last line of a log, without its signature: everything that is signed. */
export type ExportEnd = {
  readonly cell: CellName;
  readonly epoch: string;
  readonly first: number;
  readonly through: number;
  readonly events: number;
  readonly hash: string;
  /** When the last event was written and when this was exported, nanoseconds of wall time. */
  readonly event_ts: string;
  readonly made_ts: string;
};

export type ExportRange = {
  readonly cell: CellName;
  /** Positions, both included; absent: the start and the end of the log as it is now. */
  readonly first?: number;
  readonly through?: number;
};

export type ExportProgress = {
  readonly cell: CellName;
  readonly events: number;
  readonly of: number;
  readonly bytes: number;
};

export type ExportParts = {
  readonly dataDir: string;
  readonly ranges: readonly ExportRange[];
  readonly madeNs: bigint;
  /** Absent: the export is not signed. */
  readonly sign?: (end: ExportEnd) => Signature;
  readonly onProgress?: (progress: ExportProgress) => void;
};

/**
 * Writes logs to one file of JSON lines that proves itself; also while the daemon writes them. The file is there whole
 * and durable, or not at all. Memory does not grow with the logs. Rejects with `log.failed` (the file exists already,
 * nothing is in the range, the disk), `log.tampered` (the chain of a log does not hold: the row is named).
 */
export async function exportLogs(path: string, parts: ExportParts): Promise<readonly ExportEnd[]> {
  if (existsSync(path)) throw failed(path, `${path} exists already`, 'name a file that does not exist');
  const part = `${path}.part`;
  const file = createWriteStream(part, { flush: true, mode: 0o600 });
  const faulty = once(file, 'error').then(([error]) => Promise.reject(error));
  faulty.catch(() => {});
  let bytes = 0;
  const write = async (line: string): Promise<void> => {
    bytes += Buffer.byteLength(line) + 1;
    if (!file.write(`${line}\n`)) await Promise.race([once(file, 'drain'), faulty]);
  };
  try {
    const ends: ExportEnd[] = [];
    for (const range of parts.ranges) ends.push(await exportLog(range, parts, write, () => bytes));
    const closed = once(file, 'close');
    file.end();
    await Promise.race([closed, faulty]);
    renameSync(part, path);
    fsyncPath(dirname(resolve(path)));
    return ends;
  } catch (thrown) {
    file.destroy();
    rmSync(part, { force: true });
    if (thrown instanceof EdgeError) throw thrown;
    throw failed(path, `${path}: ${(thrown as Error).message}`, 'see that the disk has room', thrown);
  }
}

async function exportLog(
  range: ExportRange,
  { dataDir, madeNs, sign, onProgress }: ExportParts,
  write: (line: string) => Promise<void>,
  bytes: () => number,
): Promise<ExportEnd> {
  const { cell } = range;
  const path = logPath(dataDir, cell);
  const reader = new SqliteEventReader(path, cell);
  try {
    const checkpoints = storedCheckpoints(path);
    const epoch = reader.read(0, 1)[0]?.event_id ?? '';
    const through = Math.min(range.through ?? Infinity, reader.lastSeq());
    const chain = new ChainVerifier(cell);
    for (const row of checkpoints) chain.cutAt(cutOf(row));
    let start: AgentEvent | undefined;
    let last: AgentEvent | undefined;
    for (let after = Math.max(0, (range.first ?? 1) - 1); after < through; ) {
      const page = reader.read(after, PAGE_EVENTS, { bytesMax: PAGE_CHARS });
      if (page.length === 0) break;
      for (const event of page) {
        after = event.seq;
        if (after > through) break;
        if (!start) {
          start = event;
          if (event.seq > 1) chain.startAfter(event.seq - 1, event.prev_hash);
          const { seq: first, prev_hash } = event;
          await write(canonicalJson({ format: EXPORT_FORMAT, cell, epoch, first, prev_hash, checkpoints }));
        }
        chain.add(event);
        if (chain.faulty) throw tampered(path, chain);
        await write(eventLine(event));
        last = event;
      }
      const { events } = chain.verdict();
      if (start) onProgress?.({ cell, events, of: through - start.seq + 1, bytes: bytes() });
    }
    if (!start || !last)
      throw failed(path, `the log of cell ${cell} has no events in this range`, 'see `auraison log verify`');
    const end: ExportEnd = {
      ...{ cell, epoch, first: start.seq, through: last.seq, events: chain.verdict().events },
      ...{ hash: last.hash, event_ts: last.ts, made_ts: madeNs.toString() },
    };
    await write(canonicalJson({ end, ...sign?.(end) }));
    return end;
  } finally {
    reader.close();
  }
}

/** The text that was hashed stands in the line as it is, so that a reader needs no canonical JSON of its own. */
function eventLine({ hash, prev_hash, ...event }: AgentEvent): string {
  return `{"event":${canonicalJson(event)},"hash":"${hash}","prev_hash":"${prev_hash}"}`;
}

function storedCheckpoints(path: string): readonly CheckpointRow[] {
  if (!existsSync(path)) return [];
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return checkpointsOf(database).map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

function tampered(path: string, chain: ChainVerifier): EdgeError {
  const { fault } = chain.verdict();
  return new EdgeError('log.tampered', {
    ...{ operation: 'log.export', subject: path, message: `${path}: ${fault?.message}` },
    hint: 'run `auraison log verify`; if that finds no fault, old events were removed meanwhile: export again',
  });
}

function failed(path: string, message: string, hint: string, cause?: unknown): EdgeError {
  return new EdgeError('log.failed', {
    ...{ operation: 'log.export', subject: path, message, hint, retryable: false, cause },
  });
}
