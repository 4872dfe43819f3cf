import type { Command } from 'commander';
import { action } from '../context.ts';
import { recordedEpisodes } from '../dataset/episodes.ts';
import { addDatasetExport } from '../dataset/export-command.ts';
import { addDatasetImport } from '../dataset/import-command.ts';
import { addDatasetInfo } from '../dataset/info-command.ts';
import { addDatasetPush } from '../dataset/push-command.ts';
import { defaultCommand } from '../default-command.ts';
import { bytes, table } from '../output.ts';

export function addDatasetCommands(program: Command): void {
  const dataset = program
    .command('dataset')
    .description('recorded episodes as datasets to learn from (LeRobotDataset v3), and back');
  defaultCommand(dataset, 'list')
    .description('the whole episodes of the data directory')
    .action(
      action(async ({ settings, out }) => {
        const episodes = await recordedEpisodes(settings.dataDir);
        const views = episodes.map(
          ({ source, path, label, success, startNs = 0n, endNs = 0n, bytes: size }) => ({
            episode_id: source,
            label,
            success,
            start_ns: String(startNs),
            duration_s: Number(endNs - startNs) / 1e9,
            bytes: size,
            path,
          }),
        );
        out.result(views, () =>
          views.length === 0
            ? 'no episodes: record some with recorder.mode = "episode"'
            : table(
                ['EPISODE', 'BEGAN', 'SECONDS', 'SIZE', 'SUCCESS', 'LABEL'],
                views.map((one) => [
                  one.episode_id,
                  new Date(Number(BigInt(one.start_ns) / 1_000_000n))
                    .toISOString()
                    .slice(0, 19)
                    .replace('T', ' '),
                  one.duration_s.toFixed(1),
                  bytes(one.bytes),
                  one.success === undefined ? '-' : one.success ? 'yes' : 'no',
                  one.label,
                ]),
              ),
        );
        return 0;
      }),
    );
  addDatasetInfo(dataset);
  addDatasetExport(dataset);
  addDatasetImport(dataset);
  addDatasetPush(dataset);
}
