import { appendFileSync, writeSync } from 'node:fs';
import { makeRecorder, sampleOf } from './recorder.ts';

/**
 * A process that records until it is killed. Before and after each sample it writes its count to stdout,
 * synchronously: the test knows within one sample what was received. Events go to `events.jsonl` as to a log.
 *
 * Usage: record-until-killed.ts DATA_DIR FIRST
 */
const [dataDir, first] = process.argv.slice(2) as [string, string];
const { recorder } = makeRecorder(dataDir, {
  syncMs: 100,
  segmentBytesMax: 4_000_000,
  emit: async (events) =>
    appendFileSync(`${dataDir}/events.jsonl`, events.map((e) => `${JSON.stringify(e)}\n`).join('')),
});
await recorder.start();
writeSync(1, 'ready\n');
let count = 0;
setInterval(() => {
  // One sample per turn of the event loop for small ones; now and then an image.
  const size = count % 40 === 39 ? 300_000 : 120;
  const topic = size > 120 ? '/image' : '/small';
  writeSync(1, `>${count}\n`);
  recorder.offer(sampleOf(topic, Number(first) + count, size));
  count += 1;
  queueMicrotask(() => writeSync(1, `<${count}\n`));
}, 1);
