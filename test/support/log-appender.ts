/**
 * A process that appends to an event log until it is killed, printing each acknowledged event as one line
 * `<seq> <hash>`, written synchronously: what stands on the pipe was acknowledged.
 * Arguments: data directory, cell, thread (worker or caller), appends in flight.
 */

import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type CommitThread, SqliteEventLog } from '../../adapters/event-log/index.ts';
import type { CellName, NewEvent } from '../../contract/index.ts';
import { say } from './say.ts';

const [dataDir, cell, thread, inFlight] = process.argv.slice(2) as [string, CellName, CommitThread, string];
const log = await SqliteEventLog.open({ dataDir, cell, thread, clock: new SystemClock() });
say(`open ${log.lastSeq}\n`);

let counter = 0;
function nextAppend(): NewEvent[] {
  counter += 1;
  const size = 1 + (counter % 5);
  return Array.from({ length: size }, (_, i) => ({
    kind: 'run.phase',
    payload: { phase: 'load', reason: `${counter}.${i}`, facts: { text: 'x'.repeat(counter % 700) } },
  }));
}

async function stream(): Promise<void> {
  for (;;) {
    const events = await log.append(nextAppend());
    say(events.map((event) => `${event.seq} ${event.hash}\n`).join(''));
  }
}

await Promise.all(Array.from({ length: Number(inFlight) }, stream));
