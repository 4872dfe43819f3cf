import { resolve } from 'node:path';
import type { Command } from 'commander';
import { bagNameOf, type Imported, importBag, openBags } from '../../../adapters/rosbag/index.ts';
import { EdgeError } from '../../../contract/core.ts';
import type { ApiClient } from '../../../daemon/client/api-client.ts';
import type { Settings } from '../../../daemon/settings.ts';
import { action } from '../../context.ts';
import { bytes, type Output } from '../../output.ts';
import { adopt } from './adopt.ts';
import { damageView, exitCodeOf, tellDamage } from './copy.ts';
import { oneOf, wrongValue } from './values.ts';
import { cancellable, progressNotes } from './work.ts';

type Flags = { name?: string; compression: string };

export function addImportCommand(bag: Command): void {
  bag
    .command('import <paths...>')
    .description(
      'take recordings (rosbag2 SQLite or MCAP) into the data directory, the catalogue, the lakehouse and the link',
    )
    .option('--name <bag>', 'name of the bag; default: that of the file or folder')
    .option('--compression <kind>', 'none, zstd or lz4', 'zstd')
    .addHelpText(
      'after',
      `
What is written is read back and compared by counts and hash before it is there. The same content twice is reported and
written once. With or without a running daemon; Ctrl-C or a kill leaves nothing half.

Examples:
  auraison bag import ./neato-hallway
  auraison bag import field-day.mcap --name field-day-3`,
    )
    .action(
      action(async ({ settings, api, out }, paths: string[], flags: Flags) => {
        if (flags.name !== undefined && paths.length > 1)
          throw wrongValue('--name', flags.name, 'one recording at a time');
        const imports: Awaited<ReturnType<typeof importOne>>[] = [];
        for (const path of paths) imports.push(await importOne(settings, api, out, resolve(path), flags));
        const results = imports.map(({ exitCode: _, ...view }) => view);
        out.result(results.length === 1 ? results[0] : results, () => results.map(textOf).join('\n'));
        return Math.max(...imports.map(({ exitCode }) => exitCode));
      }),
    );
}

async function importOne(settings: Settings, api: ApiClient, out: Output, path: string, flags: Flags) {
  const name = flags.name ?? bagNameOf(path);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name))
    throw wrongValue('--name', name, 'letters, digits, ., _ and -');
  const imported = await take(settings, out, [path], name, flags.compression);
  tellDamage(out, imported);
  const { told } = await adopt(settings, api, imported.bag, out);
  return { ...viewOf(imported), source: path, in_catalogue: told, exitCode: exitCodeOf(imported) };
}

/** Copies recordings into the data directory as one bag, or finds that their content is already there. */
export async function take(
  settings: Settings,
  out: Output,
  paths: readonly string[],
  name: string,
  compression: string,
): Promise<Imported> {
  const { dataDir, config } = settings;
  const source = await openBags(paths);
  try {
    return await cancellable('bag import', dataDir, (signal) =>
      importBag(source, {
        dataDir,
        name,
        source: paths.join(', '),
        compression: oneOf(compression, ['none', 'zstd', 'lz4'], '--compression'),
        splitBytes: config.recorder.segment_size,
        signal,
        onProgress: progressNotes(out, source.startNs, source.endNs),
      }),
    );
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'bag.exists') throw error;
    throw new EdgeError('bag.exists', {
      operation: 'bag import',
      subject: name,
      message: `a bag called ${name} is there already, with another content`,
      hint: 'choose another name with --name',
      cause: error,
    });
  } finally {
    await source.close();
  }
}

function viewOf(imported: Imported) {
  const { bag, already, messages, contentSha256, segments } = imported;
  return {
    bag,
    already,
    messages,
    content_sha256: contentSha256,
    segments: segments.map(({ path, sha256, bytes: size, messages: count }) => ({
      path,
      sha256,
      bytes: size,
      messages: count,
    })),
    ...damageView(imported),
  };
}

function textOf({
  bag,
  already,
  messages,
  segments,
  in_catalogue,
}: Omit<Awaited<ReturnType<typeof importOne>>, 'exitCode'>): string {
  if (already) return `bag ${bag} holds this already: ${messages} messages`;
  const size = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  return `bag ${bag}: ${messages} messages, ${segments.length} segments, ${bytes(size)}${in_catalogue ? '' : ' (not in the catalogue yet)'}`;
}
