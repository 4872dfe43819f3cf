import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EventPayload, NewEvent, Sample } from '../../contract/index.ts';
import { Ledger } from '../../daemon/execution/bus/index.ts';
import { Recorder, type RecorderOptions } from '../../daemon/execution/recorder/index.ts';

/** A data directory of its own, with the intake inside, and a recorder on it. */
export function makeFolder(): { dataDir: string; remove: () => void } {
  const dataDir = mkdtempSync(join(tmpdir(), 'auraison-recorder-'));
  return { dataDir, remove: () => rmSync(dataDir, { recursive: true, force: true }) };
}

export function makeRecorder(dataDir: string, options: Partial<RecorderOptions> = {}) {
  const ledger = new Ledger();
  const events: NewEvent[] = [];
  const reports: string[] = [];
  const recorder = new Recorder({
    clock: new SystemClock(),
    dataDir,
    bag: 'bag',
    ledger,
    segmentBytesMax: 1 << 30,
    segmentMs: 3_600_000,
    syncMs: 50,
    freeSpaceFloorBytes: 0,
    emit: async (batch) => {
      events.push(...batch);
    },
    report: (level, message) => reports.push(`${level}: ${message}`),
    ...options,
  });
  return { recorder, ledger, events, reports };
}

export function payloads<K extends NewEvent['kind']>(
  events: readonly NewEvent[],
  kind: K,
): EventPayload<K>[] {
  return events.filter((event) => event.kind === kind).map((event) => event.payload as EventPayload<K>);
}

/** A CDR-shaped message: encapsulation, then the number, then filling. */
export function sampleOf(topic: string, number: number, size = 64): Sample {
  const bytes = new Uint8Array(Math.max(8, size));
  bytes[1] = 1;
  new DataView(bytes.buffer).setUint32(4, number, true);
  const time = 1_700_000_000_000_000_000n + BigInt(number) * 1_000_000n;
  return { topic, type: 'std_msgs/msg/UInt32', stamp: time, received: time, bytes };
}
