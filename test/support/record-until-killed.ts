import { appendFileSync } from 'node:fs';
import { sampleOf } from './recorder.ts';
import { makeRecording } from './recording.ts';
import { say } from './say.ts';

/**
 * A process that records until it is killed. Before and after each sample it writes its count to stdout,
 * synchronously: the test knows within one sample what was received. Events go to `events.jsonl` as to a log.
 *
 * Usage: record-until-killed.ts DATA_DIR FIRST [MODE] [COMPRESSION] [SYNC_MS]
 * MODE continuous (default); ring: with a clip every 300 samples; episode: one after the other, each of 200 samples.
 */
const [dataDir, first, mode = 'continuous', compression = 'none', syncMs = '100'] = process.argv.slice(2) as [
  string,
  string,
  'continuous' | 'ring' | 'episode' | undefined,
  'none' | 'zstd' | 'lz4' | undefined,
  string | undefined,
];
const { recording: recorder, start } = makeRecording(dataDir, {
  mode,
  policies: mode === 'ring' ? [{ kind: 'ring', bag: 'bag', durationMs: 600, bytesMax: 1 << 30 }] : [],
  recorder: {
    syncMs: Number(syncMs),
    compression,
    bag: mode === 'episode' ? 'idle' : 'bag',
    segmentBytesMax: mode === 'ring' ? 300_000 : 4_000_000,
    emit: async (events) =>
      appendFileSync(`${dataDir}/events.jsonl`, events.map((e) => `${JSON.stringify(e)}\n`).join('')),
  },
});
await start();
let count = 0;
if (mode === 'episode') void runEpisodes();

async function runEpisodes(): Promise<void> {
  for (let n = 0; ; n++) {
    await recorder.episodes.start({ label: `episode ${n}` });
    const until = count + 100;
    while (count < until) await new Promise((resolve) => setTimeout(resolve, 5));
    const { episode_id, messages } = await recorder.episodes.stop({ success: true });
    say(`episode ${episode_id} ${messages}\n`);
  }
}
say('ready\n');
setInterval(() => {
  // One sample per turn of the event loop for small ones; now and then an image.
  const size = count % 40 === 39 ? 300_000 : 120;
  const topic = size > 120 ? '/image' : '/small';
  say(`>${count}\n`);
  recorder.offer(sampleOf(topic, Number(first) + count, size));
  count += 1;
  if (mode === 'ring' && count % 300 === 0)
    void recorder
      .clip({ trigger: 'test', reason: '', preMs: 100, postMs: 50 })
      .then(({ clip_id }) => say(`clip ${clip_id} ${first}\n`));
  queueMicrotask(() => say(`<${count}\n`));
}, 1);
