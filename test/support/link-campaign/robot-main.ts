import { createHash, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { openEventReader, SqliteEventLog } from '../../../adapters/event-log/index.ts';
import { CUSTODY_FILE, CustodyBook } from '../../../central-link/custody-book.ts';
import { FileLanes } from '../../../central-link/file-lanes.ts';
import { HttpCentral } from '../../../central-link/http-central.ts';
import { HttpObjects } from '../../../central-link/http-objects.ts';
import { LineBudget } from '../../../central-link/line-budget.ts';
import { LinkCell } from '../../../central-link/link-cell.ts';
import { DataFiles } from '../../../central-link/object-files.ts';
import { ObjectLog } from '../../../central-link/object-log.ts';
import { ObjectSender } from '../../../central-link/object-sender.ts';
import type { CellContext, CellName } from '../../../contract/index.ts';
import { segmentBytes } from './contents.ts';

/**
 * A robot that records and logs while its link sends, as a process that is killed at random:
 * `robot-main.ts DIRECTORY URL TOKEN_FILE SEED SEGMENTS EVENTS SEGMENT_BYTES`. It continues where it was killed.
 */
const [dataDir, url, tokenFile, seed, segments, events, segmentSize] = process.argv.slice(2) as string[];
const clock = new SystemClock();
const cells = ['execution', 'runtime', 'memory', 'link'] as const;
const logs = new Map<CellName, SqliteEventLog>();
for (const cell of cells)
  logs.set(cell, await SqliteEventLog.open({ dataDir: dataDir!, cell, clock, thread: 'caller' }));
const listeners: ((body: unknown, from: CellName) => void)[] = [];
const grew = (cell: CellName) => {
  for (const listen of listeners) listen({ lastSeq: 1 }, cell);
};
const context: CellContext = {
  ...{ name: 'link', clock, log: logs.get('link')!, dataDir: dataDir!, attempt: 0, startReason: 'test' },
  bus: {
    request: () => Promise.reject(new Error('none')),
    handle: () => {},
    broadcast: () => {},
    onBroadcast: (_topic, listen) => void listeners.push(listen),
  },
  report: () => {},
  emit: async (some) => void (await logs.get('link')!.append(some)),
};
const book = new CustodyBook(join(dataDir!, CUSTODY_FILE));
const options = { url: url!, clock, token: () => readFileSync(tokenFile!, 'utf8').trim() };
const http = new HttpObjects(options);
const random = () => randomInt(1_000) / 1_000;
const sender = new ObjectSender({
  ...{ robot: 'tb1', clock, book, central: http, files: new DataFiles(dataDir!), report: () => {} },
  line: new LineBudget({
    rules: [],
    monotonicMs: () => clock.monotonicMs(),
    today: () => ({ day: '', minute: 0 }),
    network: () => '',
    spent: () => 0,
    spend: () => {},
  }),
});
const log = new ObjectLog({
  book,
  openReader: () => openEventReader(dataDir!, 'execution'),
  skips: () => false,
  bags: 'all',
});
const cell = new LinkCell(context, {
  robot: 'tb1',
  central: new HttpCentral(options),
  files: new FileLanes({ clock, book, log, sender, random, close: async () => {} }),
  openReader: (name) => openEventReader(dataDir!, name),
  random,
});
await cell.start();

/** What was written in former lives, by what the log says. */
const reader = openEventReader(dataDir!, 'execution');
let written = reader.read(0, 100_000, { kinds: ['segment.sealed'] }).length;
reader.close();
const runtime = openEventReader(dataDir!, 'runtime');
let noted = runtime.lastSeq();
runtime.close();
while (written < Number(segments) || noted < Number(events)) {
  if (noted < Number(events)) {
    const payload = {
      phase: `p${noted % 7}`,
      reason: 'load',
      facts: { n: noted, pad: 'x'.repeat(noted % 400) },
    };
    await logs.get('runtime')!.append([{ kind: 'run.phase', payload }]);
    noted += 1;
    grew('runtime');
  }
  if (written < Number(segments) && noted % 5 === 0) await seal(written++);
  await sleep(20);
}
process.stdout.write('written\n');

/** A segment as the recorder leaves it: whole under its name before its event is in the log. */
async function seal(n: number): Promise<void> {
  const bag = n % 4 === 3 ? `clip_${n}` : 'run';
  const path = `bags/${bag}/${bag}_${n}.mcap`;
  const bytes = segmentBytes(Number(seed), n, Number(segmentSize));
  mkdirSync(join(dataDir!, 'bags', bag), { recursive: true });
  const file = join(dataDir!, path);
  if (!existsSync(file)) {
    writeFileSync(`${file}.active`, bytes);
    renameSync(`${file}.active`, file);
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const facts = { messages: 1, start_ns: '1', end_ns: '2', topics: { '/t': 1 }, repaired: false };
  const payload = { bag, path, sha256, bytes: bytes.length, ...facts };
  await logs.get('execution')!.append([{ kind: 'segment.sealed', payload }]);
  grew('execution');
}
