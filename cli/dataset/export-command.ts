import { resolve } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  DatasetWriter,
  EpisodeFromSamples,
  type EpisodeMapping,
  type ExportResult,
  exportEpisodes,
  isNamed,
  mappingLike,
  readInfo,
  specOf,
  type VideoCodec,
} from '../../adapters/lerobot-dataset/index.ts';
import { type DatasetSpec, EdgeError } from '../../contract/core.ts';
import { durationNs, momentNs, oneOf, words, wrongValue } from '../commands/bag/values.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import type { Output } from '../output.ts';
import { choose, namedRecordings, type Recording, recordedEpisodes, samplesOfBag } from './episodes.ts';
import { mappingOf } from './mapping.ts';
import { withParquet } from './parts.ts';

type Flags = {
  fps: string;
  robotType: string;
  state?: string;
  action?: string;
  camera?: string[];
  cameras: boolean;
  vector?: string[];
  names?: string;
  actionNames?: string;
  maxAge: string;
  actionMaxAge: string;
  slop?: string;
  task?: string;
  successOnly?: boolean;
  label?: string[];
  since?: string;
  until?: string;
  limit?: string;
  codec: string;
  batch: string;
  ffmpeg?: string;
};

export function addDatasetExport(dataset: Command): void {
  dataset
    .command('export <folder> [bags...]')
    .description('episodes into a LeRobotDataset v3: new ones are added to what is there')
    .option('--fps <n>', 'frames per second', '20')
    .option('--robot-type <name>', 'what robot this is', 'robot')
    .option('--state <topic>', 'observation.state; default /joint_states')
    .option(
      '--action <topic>',
      'action; default /forward_position_controller/commands, else the one of /auraison/actions/*',
    )
    .option(
      '--vector <key=topic...>',
      'other vectors: KEY=/topic or KEY=/topic:field,field; default: observation.environment_state=/environment_state where that was recorded',
    )
    .option('--camera <name=topic...>', 'observation.images.NAME; default every /camera/NAME/image_raw')
    .option('--no-cameras', 'no images')
    .option(
      '--names <names>',
      'of the numbers of state and action, with commas; default: as the messages name them',
    )
    .option('--action-names <names>', 'of those of the action, where they are others or in another order')
    .option('--max-age <duration>', 'a frame whose measurement is older is left out and reported', '200ms')
    .option('--action-max-age <duration>', 'the same of commands, which stand until the next one', '1s')
    .option(
      '--slop <duration>',
      'a measurement this much later still belongs to a frame; default a tenth of a frame',
    )
    .option('--task <words>', 'the task of all of them; default: the label of each')
    .option('--success-only', 'only episodes that are marked as a success')
    .option('--label <labels...>', 'only these labels')
    .option('--since <time>', 'only episodes that started then or later (ISO time, or seconds since 1970)')
    .option('--until <time>', 'only episodes that started before')
    .option('--limit <n>', 'at most so many, the oldest')
    .option('--codec <codec>', 'auto, h264 or av1', 'auto')
    .option('--batch <n>', 'episodes that become part of the dataset at once', '50')
    .option('--ffmpeg <program>', 'instead of dataset.ffmpeg')
    .addHelpText(
      'after',
      `
Without bags: the whole episodes of the data directory (auraison dataset list). An episode is in the dataset with all of
its frames or not at all; Ctrl-C, a kill or a full disk leave the batches before. Export again to continue: episodes that
are in it are skipped.

Examples:
  auraison dataset export ./picks --fps 20 --robot-type ar4 --success-only
  auraison dataset export ./drives run-*.mcap --state /odom:twist.twist.linear.x,twist.twist.angular.z \\
      --action /cmd_vel:linear.x,angular.z --task "follow the line"`,
    )
    .action(
      action(async ({ settings, out }, folder: string, bags: string[], flags: Flags) => {
        const root = resolve(folder);
        const recordings = chosen(
          bags.length > 0 ? await namedRecordings(bags) : await recordedEpisodes(settings.dataDir),
          flags,
        );
        const result = await cancellable('dataset export', root, (signal) =>
          exportAll(root, recordings, flags, {
            out,
            signal,
            ffmpeg: flags.ffmpeg ?? settings.config.dataset.ffmpeg,
          }),
        );
        for (const refused of result.refused) out.note(`auraison: left out: ${leftOut(refused)}`);
        out.result(result, () => textOf(root, result));
        return result.cancelled ? 130 : result.refused.length > 0 ? 1 : 0;
      }),
    );
}

function chosen(recordings: readonly Recording[], flags: Flags): Recording[] {
  const moment = (text: string | undefined, option: string) =>
    text === undefined ? undefined : momentNs(text, { startNs: 0n, endNs: 0n }, option);
  const found = choose(recordings, {
    successOnly: flags.successOnly === true,
    labels: words(flags.label),
    sinceNs: moment(flags.since, '--since'),
    untilNs: moment(flags.until, '--until'),
  }).slice(0, limitOf(flags.limit));
  if (found.length > 0) return found;
  throw new EdgeError('schema.invalid', {
    operation: 'dataset export',
    subject: 'episodes',
    message: `none of ${recordings.length} recordings fits`,
    hint: 'auraison dataset list shows the episodes there are',
  });
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw wrongValue('--limit', text, 'a whole number from 1 on');
}

async function exportAll(
  root: string,
  recordings: readonly Recording[],
  flags: Flags,
  { out, signal, ffmpeg }: { out: Output; signal: AbortSignal; ffmpeg: string },
): Promise<ExportResult & { readonly dropped: number; readonly total_episodes: number }> {
  const nameless = recordings.find(({ label }) => (flags.task ?? label) === '');
  if (nameless)
    throw new EdgeError('schema.invalid', {
      operation: 'dataset export',
      subject: nameless.source,
      message: `${nameless.source} has no label: what was the task?`,
      hint: 'say it with --task "in words"',
    });
  const found = await mappingOf(recordings[0]!.path, {
    ...flags,
    maxAge: durationNs(flags.maxAge, '--max-age'),
    actionMaxAge: durationNs(flags.actionMaxAge, '--action-max-age'),
    slop: flags.slop === undefined ? undefined : durationNs(flags.slop, '--slop'),
  });
  const episodesBy = (mapping: EpisodeMapping) =>
    recordings.map(
      ({ path, source, label, success }) =>
        new EpisodeFromSamples(
          {
            source,
            task: flags.task ?? label,
            ...(success === undefined ? {} : { success }),
            samples: (topics) => samplesOfBag(path, topics),
          },
          mapping,
        ),
    );
  // Joints may be named in another order in another recording: the dataset's own, or that of the first, holds for all.
  const known = await readInfo(root);
  const like = known ? specOf(known).spec : await firstSpec(episodesBy(found), flags.robotType);
  const episodes = episodesBy(mappingLike(found, like));
  return withParquet(async (parquet) => {
    const spec = await firstSpec(episodes, flags.robotType);
    const { action: commands } = spec.features;
    if (commands?.kind === 'vector' && !isNamed(commands.names))
      out.note('auraison: nothing says what the numbers of the action are; --action-names would');
    const codec: VideoCodec | 'auto' = oneOf(flags.codec, ['auto', 'h264', 'av1'], '--codec');
    const writer = await DatasetWriter.open({ root, spec, parquet, clock: new SystemClock(), ffmpeg, codec });
    try {
      let last = performance.now();
      const result = await exportEpisodes(writer, episodes, {
        batchEpisodes: Math.max(1, Math.floor(Number(flags.batch)) || 1),
        signal,
        onProgress: ({ episodes: done, of, frames }) => {
          if (performance.now() - last < 1_000) return;
          last = performance.now();
          out.note(`  ${done} of ${of} episodes  ${frames} frames`);
        },
      });
      const dropped = episodes.reduce((sum, episode) => sum + episode.droppedFrames(), 0);
      return { ...result, dropped, total_episodes: writer.info().total_episodes };
    } finally {
      await writer.close();
    }
  });
}

/** Of the first that can be read: a damaged one is reported when its turn comes. */
async function firstSpec(episodes: readonly EpisodeFromSamples[], robotType: string): Promise<DatasetSpec> {
  let fault: unknown;
  for (const episode of episodes) {
    try {
      return await episode.spec(robotType);
    } catch (error) {
      fault ??= error;
    }
  }
  throw fault;
}

function textOf(root: string, result: Awaited<ReturnType<typeof exportAll>>): string {
  const { added, frames, already, refused, dropped, total_episodes: total, cancelled } = result;
  return [
    `${root}: ${added} episodes (${frames} frames) added, ${total} in all`,
    ...(already > 0 ? [`${already} were in it already`] : []),
    ...(dropped > 0
      ? [`${dropped} frames left out: an input was too old (meta/auraison.json lists them)`]
      : []),
    ...(refused.length > 0 ? [`${refused.length} recordings left out`] : []),
    ...(cancelled ? ['cancelled; export again to continue'] : []),
  ].join('\n');
}

/** Many a reason starts with its recording already. */
export function leftOut({ source, reason }: { readonly source: string; readonly reason: string }): string {
  return reason.startsWith(`${source}: `) ? reason : `${source}: ${reason}`;
}
