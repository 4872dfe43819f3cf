/** Exports episodes into the folder of its first argument until it is killed. */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import { madeEpisode, withCamera } from './datasets.ts';

const [root = '', ffmpeg = ''] = process.argv.slice(2);
const spec = withCamera();
const writer = await DatasetWriter.open({
  root,
  spec,
  parquet: new DuckParquetFiles(),
  clock: new SystemClock(),
  ffmpeg,
  codec: 'auto',
});
process.stdout.write(`${writer.info().total_episodes}\n`);
const episodes = Array.from({ length: 1_000 }, (_, index) =>
  madeEpisode(spec, { index, length: 8, task: `task ${index % 4}` }),
);
await exportEpisodes(writer, episodes, { batchEpisodes: 2 });
