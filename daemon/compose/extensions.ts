import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExtensionHost, HostParts } from '../../adapters/extensions/index.ts';
import type { PiExtension } from '../../adapters/pi/index.ts';
import {
  type Application,
  type CellContext,
  type Clock,
  type RunControlApi,
  TOPICS,
} from '../../contract/core.ts';
import { CallNote, endedByItself } from '../../io/call-note.ts';
import { onStray } from '../cell/stray-errors.ts';
import type { Config } from '../config.ts';
import { keyOf } from '../runtime/packages/package-key.ts';
import type { Settings } from '../settings.ts';
import type { AgentParts } from './pi.ts';

/**
 * Extensions of applications in the runtime cell. `control` takes what they say to their runs. What was being called
 * when a cell died lies in the data directory, for the next one.
 */
export async function makeExtensions(
  { config, dataDir }: Settings,
  context: CellContext,
  apps: readonly Application[],
  control: () => RunControlApi,
): Promise<ExtensionHost | undefined> {
  const { clock, bus, emit, report } = context;
  const placed = extensionFolders(config, apps);
  if (!config.apps.extensions) return undefined;
  const { ExtensionHost } = await import('../../adapters/extensions/index.ts');
  const host = new ExtensionHost({
    ...{ apps: placed, clock, report },
    note: new CallNote(join(dataDir, 'run', 'extensions'), endedByItself(context)),
    emit: (event) =>
      void emit([event]).catch((error: Error) =>
        report('error', 'the state of an extension could not be logged', { error: error.message }),
      ),
    say: async ({ runId, intent }, text, kind) =>
      void (await control().message(runId, { kind, text }, { ...intent.policy_ctx, origin: 'run' })),
  });
  onStray((thrown, origin) => host.takesStray(thrown, origin));
  bus.onBroadcast(TOPICS.configChanged, () => void host.refresh());
  return host;
}

/** The same for a replay: tools and hooks are there, their answers come from the record, and nothing is reported. */
export async function extensionsForReplay(
  { config }: Settings,
  clock: Clock,
  apps: readonly Application[],
): Promise<ExtensionHost | undefined> {
  const placed = extensionFolders(config, apps);
  if (!config.apps.extensions || !placed.some(hasExtensions)) return undefined;
  const { ExtensionHost } = await import('../../adapters/extensions/index.ts');
  const nobody = { emit: () => {}, report: () => {}, say: async () => {} };
  const host = new ExtensionHost({ apps: placed, clock, ...nobody });
  await host.start();
  return host;
}

/**
 * Where an operator has a folder of his own for an application, its extensions are there: the installation may be
 * read-only.
 */
export function extensionFolders(
  { apps: { folder } }: Pick<Config, 'apps'>,
  apps: readonly Application[],
): HostParts['apps'] {
  const placed = new Map(apps.map((app) => [keyOf(app), app]));
  return [...placed].map(([name, { name: plain, folder: its }]) => {
    const app = { name, ...(its === undefined ? {} : { folder: its }) };
    if (folder === '') return app;
    const own = join(folder, plain);
    return existsSync(own) ? { name, folder: own } : app;
  });
}

function hasExtensions({ folder }: HostParts['apps'][number]): boolean {
  if (folder === undefined) return false;
  try {
    return readdirSync(join(folder, 'extensions')).length > 0;
  } catch {
    return false;
  }
}

/** What the pi harness asks of them. */
export function harnessParts(
  host: ExtensionHost | undefined,
): Pick<AgentParts, 'extensions' | 'command' | 'released'> {
  if (!host) return {};
  return {
    // They use a few methods of Pi's API by its names; its types are overloads for each event.
    extensions: (app, context) => host.open(keyOf(app), context) as unknown as readonly PiExtension[],
    command: (app, { runId }, text) => host.command(keyOf(app), runId, text),
    released: ({ runId }) => host.release(runId),
  };
}
