import type { Command } from 'commander';
import { type ApiClient, apiClient } from '../daemon/client/api-client.ts';
import { loadSettings, type Settings } from '../daemon/settings.ts';
import { failWith, makeOutput, type Output } from './output.ts';

export type GlobalOptions = { readonly config?: string; readonly dataDir?: string; readonly json?: boolean };

export type CommandContext = { readonly settings: Settings; readonly out: Output; readonly api: ApiClient };

/** Settings of a command: the file, the environment, then the flags. */
export function settingsOf(
  options: GlobalOptions,
  overrides: Readonly<Record<string, string | undefined>> = {},
): Settings {
  const flags = options.dataDir === undefined ? {} : { AURAISON_DAEMON_DATA_DIR: options.dataDir };
  return loadSettings(options.config, { ...process.env, ...flags, ...definedOnly(overrides) });
}

export function definedOnly(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Wraps an action: settings, client and output are made, errors become an exit code and a useful message. */
export function action<A extends unknown[]>(
  run: (context: CommandContext, ...args: A) => Promise<number | undefined>,
) {
  return async (...args: unknown[]): Promise<void> => {
    const command = args.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions>();
    const json = options.json === true;
    try {
      const settings = settingsOf(options);
      const code = await run({ settings, out: makeOutput(json), api: apiClient(settings) }, ...(args as A));
      process.exitCode = code ?? 0;
    } catch (error) {
      process.exitCode = failWith(error, json);
    }
  };
}
