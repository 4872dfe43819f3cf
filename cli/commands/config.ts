import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { hostFaults } from '../../daemon/config/on-host.ts';
import { sandboxWarnings } from '../../daemon/config/sandboxes.ts';
import {
  type Config,
  type ConfigFault,
  describeFault,
  readConfig,
  showDefaults,
} from '../../daemon/config.ts';
import { configFileOf } from '../../daemon/paths.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput } from '../output.ts';
import { addConfigSetCommands } from './config-set.ts';

/** `auraison config`: these run before any configuration is trusted, so they do not use `action`. */
export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('check, show and set the configuration');
  config
    .command('check [file]')
    .description(
      'check a configuration file, the AURAISON_* variables, and the files they name; exit code 78 when something is wrong',
    )
    .option('--file-only', 'look at nothing of this host: the file is for another one')
    .addHelpText('after', '\nExample:\n  auraison config check /etc/auraison-edge/auraison-edge.toml')
    .action((file: string | undefined, _options, command: Command) =>
      check(file, command.optsWithGlobals<GlobalOptions & { fileOnly?: boolean }>()),
    );
  config
    .command('show')
    .description('print every key with its default and meaning, as a TOML file to start from')
    .addHelpText('after', '\nExample:\n  auraison config show > auraison-edge.toml')
    .action(() => {
      process.stdout.write(showDefaults());
    });
  config
    .command('schema')
    .description('print the JSON Schema of the configuration file, for completion in editors')
    .addHelpText('after', '\nExample:\n  auraison config schema > auraison-edge.schema.json')
    .action(async () => {
      const { configSchema } = await import('../../daemon/config/json-schema.ts');
      process.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`);
    });
  addConfigSetCommands(config);
}

async function check(
  argument: string | undefined,
  options: GlobalOptions & { fileOnly?: boolean },
): Promise<void> {
  const { fileOnly } = options;
  const out = makeOutput(options.json === true);
  try {
    const file = configFileOf(argument ?? options.config, process.env, existsSync);
    const source = file === undefined ? '' : read(file);
    const where = file ?? '(defaults)';
    const found = readConfig(source, where, process.env);
    const { config } = found;
    const at = { source, file: where };
    // Values that are wrong say nothing about the host.
    const isForHost = found.faults.length === 0 && !fileOnly;
    const faults = [
      ...(isForHost ? await onThisHost(config, at) : found.faults),
      ...(config.schedules.length > 0 ? await timeFaults(config, at) : []),
    ];
    const warnings = found.faults.length > 0 ? [] : sandboxWarnings(config);
    const value = { ok: faults.length === 0, file: file ?? null, faults, warnings, config };
    for (const warning of warnings) out.note(`warning: ${warning}`);
    out.result(value, () =>
      faults.length === 0
        ? `${file ?? 'no file: defaults and environment'}: correct`
        : `${faults.map(describeFault).join('\n')}\n${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}; auraison config show prints every key with its meaning`,
    );
    process.exitCode = faults.length === 0 ? 0 : 78;
  } catch (error) {
    process.exitCode = failWith(error, out.json);
  }
}

/** What is not there, and then what the daemon would refuse when it reads it. */
async function onThisHost(config: Config, at: { source: string; file: string }): Promise<ConfigFault[]> {
  const faults = hostFaults(config, at, process.env);
  // Cedar and the parsers take their time: loaded only here.
  const { contentFaults } = await import('../../daemon/compose/content-faults.ts');
  const known = new Set(faults.map(({ key }) => key));
  return [...faults, ...(await contentFaults(config, at)).filter(({ key }) => !known.has(key))];
}

/** Schedules whose times cannot be read. The library for them is loaded only here. */
async function timeFaults(
  config: Config,
  at: { source: string; file: string },
): Promise<readonly ConfigFault[]> {
  const { cronFaults } = await import('../cron-faults.ts');
  return cronFaults(config, at);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.unreadable', {
      operation: 'config check',
      subject: file,
      message: `${file}: ${(cause as Error).message}`,
      cause,
    });
  }
}
