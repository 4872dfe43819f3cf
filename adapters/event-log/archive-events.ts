import { once } from 'node:events';
import { createWriteStream, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import type { CellName } from '../../contract/index.ts';
import { eventsDirectory, logPath } from './log-schema.ts';
import { SqliteEventReader } from './sqlite-event-reader.ts';

const PAGE_EVENTS = 500;

/** `events/archive/<cell>-<first>-<last>.ndjson.gz`: whole and durable under its name, or not there. */
export async function archiveEvents(
  dataDir: string,
  cell: CellName,
  after: number,
  through: number,
): Promise<void> {
  const folder = join(eventsDirectory(dataDir), 'archive');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${cell}-${after + 1}-${through}.ndjson.gz`);
  const reader = new SqliteEventReader(logPath(dataDir, cell), cell);
  const gzip = createGzip();
  const file = createWriteStream(`${path}.new`, { flush: true });
  gzip.pipe(file);
  try {
    for (let at = after; at < through; ) {
      const page = reader.read(at, PAGE_EVENTS).filter(({ seq }) => seq <= through);
      const last = page.at(-1);
      if (!last) break;
      at = last.seq;
      const text = page.map((event) => `${JSON.stringify(event)}\n`).join('');
      if (!gzip.write(text)) await once(gzip, 'drain');
    }
    gzip.end();
    await once(file, 'close');
    renameSync(`${path}.new`, path);
  } finally {
    reader.close();
    gzip.destroy();
  }
}
