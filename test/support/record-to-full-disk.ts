import { cpSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRecorder, sampleOf } from './recorder.ts';

/**
 * Records onto a small file system until it is full, frees space, and records on. Prints what the recorder
 * said at each stage as one JSON object and copies the bags to where the test can see them.
 *
 * Usage: record-to-full-disk.ts DATA_DIR COPY_TO FLOOR_BYTES
 */
const [dataDir, copyTo, floor] = process.argv.slice(2) as [string, string, string];
const ballast = join(dataDir, 'ballast');
const space = statfsSync(dataDir);
writeFileSync(ballast, new Uint8Array(Math.floor(space.bavail * space.bsize * 0.6)));
const { recorder, ledger, events, reports } = makeRecorder(dataDir, {
  freeSpaceFloorBytes: Number(floor),
  retryMs: 200,
  syncMs: 50,
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let number = 0;
async function recordWhile(condition: () => boolean, limitMs: number): Promise<void> {
  for (const end = performance.now() + limitMs; condition() && performance.now() < end; ) {
    for (let i = 0; i < 4; i++)
      recorder.offer(sampleOf(i === 0 ? '/image' : '/small', number++, i === 0 ? 200_000 : 200));
    await pause(10);
  }
}
await recorder.start();
await recordWhile(() => recorder.status().state !== 'failed', 60_000);
const whenFull = recorder.status();
await recordWhile(() => true, 500);
rmSync(ballast);
await recordWhile(() => recorder.status().state === 'failed', 60_000);
await recordWhile(() => true, 500);
await recorder.sealNow();
const after = recorder.status();
await recorder.stop();
cpSync(join(dataDir, 'bags'), copyTo, { recursive: true });
process.stdout.write(
  JSON.stringify({ whenFull, after, ledger: ledger.lines(), events, reports, offered: number }),
);
